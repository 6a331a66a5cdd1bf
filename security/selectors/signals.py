"""What selectors tell of themselves; others count it. A call that Redis failed is the breaker's to tell of."""

from enum import StrEnum

from django.dispatch import Signal


class Result(StrEnum):
    """Where one answer came from. All but LOADED and DIRECT spared the database."""

    LOCAL = "local"  # this process had it, or another of its threads was reading it
    SHARED = "shared"  # Redis had it
    STALE = "stale"  # it was past its time, and somebody else was reading it anew
    LOADED = "loaded"  # read, and kept
    DIRECT = "direct"  # read and not kept: Redis is away, or a transaction may still be rolled back


# Sent for every answer with `cache` (the selector's name) and `result` (Result), in the thread that asked.
selector_asked = Signal()
