"""The clock of the windows, which tests move by hand."""

from unittest import TestCase, mock

from security.audit.floods import WINDOW_SECONDS


class Minutes:
    """Stands in for the module `time` in `security.audit.floods`, as long as the test `case` runs."""

    def __init__(self, case: TestCase) -> None:
        self.now = 1000.0
        patch = mock.patch("security.audit.floods.time", self)
        patch.start()
        case.addCleanup(patch.stop)

    def monotonic(self) -> float:
        return self.now

    def pass_one(self) -> None:
        """Move on until every window that is open now has closed."""
        self.now += WINDOW_SECONDS
