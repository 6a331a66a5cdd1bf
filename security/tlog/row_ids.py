"""The order of the row ids, by which every list of events is read, beside that of their times. Reads no database."""

from collections import deque
from datetime import datetime, timedelta

_MINUTE = timedelta(minutes=1)
# An event gets its id when it says it was, and its place when its transaction ends, ten minutes later at most; clocks
# of hosts differ. Nothing of that puts two events in the wrong order that lie so far apart.
_APART = timedelta(minutes=30)


class RowIds:
    """Of events in the order of the tree, whether each has a larger id than those that are much older.

    Remembers the largest id of each minute of the last half hour, and the one of all before.
    """

    def __init__(self) -> None:
        self._largest_before = 0
        self._largest = 0  # of this minute
        self._ends: datetime | None = None  # this minute
        self._minutes: deque[tuple[datetime, int]] = deque()  # when each of the others ended

    def is_in_order(self, row_id: int, at: datetime) -> bool:
        """Of the next event, which says that it was `at`. An id below 1 is never in order."""
        if self._ends is None or at >= self._ends:
            self._begin(at)
        self._largest = max(self._largest, row_id)
        return row_id > self._largest_before

    def _begin(self, at: datetime) -> None:
        if self._ends is not None:
            self._minutes.append((self._ends, self._largest))
        while self._minutes and self._minutes[0][0] < at - _APART:
            self._largest_before = max(self._largest_before, self._minutes.popleft()[1])
        self._largest, self._ends = 0, at + _MINUTE
