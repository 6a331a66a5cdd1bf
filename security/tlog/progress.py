"""Shows on a terminal how far long work has come."""

from collections.abc import Callable

from django.core.management.base import OutputWrapper


def progress(stream: OutputWrapper, *, is_shown: bool = True) -> Callable[[int], None]:
    """What to call with the number of events done since the last call; writes to `stream` where it is a terminal."""
    seen = 0
    is_shown = is_shown and stream.isatty()

    def advance(count: int) -> None:
        nonlocal seen
        seen += count
        if is_shown:
            stream.write(f"\r{seen:,} events ", ending="")

    return advance
