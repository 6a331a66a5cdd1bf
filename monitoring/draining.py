"""Whether this server is about to close its door: one byte that its processes share.

It knows neither why nor for how long; `koshflow.drain` does. Whoever forks must have loaded it before.
"""

import mmap

# Anonymous and shared: a worker that is forked after the beginning finds it written as well.
_flag = mmap.mmap(-1, 1)


def begin_draining() -> None:
    """Say so in every process that was, or will be, forked from this one or a parent of it. There is no way back."""
    _flag[0] = 1


def is_draining() -> bool:
    """Whether somebody has said so."""
    return bool(_flag[0])
