"""The most memory this process ever held, looked at after each request. What a scrape says of it: `metrics`."""

import resource

# What grows by less is the allocator's own.
_STEP_BYTES = 1_000_000


class HighWater:
    """`peak_bytes` is the last mark that was told. One too many or too few where threads race: it is for people."""

    def __init__(self) -> None:
        self.peak_bytes = 0

    def grown_bytes(self) -> int:
        """By how much the mark rose since it was told, by the request that ends now or one beside it.

        0 below a megabyte. The first time it is all that the process takes.
        """
        now = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts kilobytes
        grown = now - self.peak_bytes
        if grown < _STEP_BYTES:
            return 0
        self.peak_bytes = now
        return grown
