"""The most memory this process ever held, looked at after each request. What a scrape says of it: `metrics`."""

import resource

# What grows by less is the allocator's own.
_STEP_BYTES = 1_000_000


class HighWater:
    """`peak_bytes` is the last mark that was told. One too many or too few where threads race: it is for people."""

    def __init__(self) -> None:
        self.peak_bytes = 0

    def has_grown(self) -> bool:
        """Whether the mark rose by a megabyte since it was told; by the request that ends now, or one beside it."""
        now = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts kilobytes
        if now < self.peak_bytes + _STEP_BYTES:
            return False
        self.peak_bytes = now
        return True
