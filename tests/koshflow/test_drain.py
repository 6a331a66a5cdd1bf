"""When the master does not wait; how it does is in `tests/faults/test_drain`."""

from types import SimpleNamespace
from unittest import TestCase, mock

import pytest

from koshflow.drain import drain_before_the_end
from monitoring import draining

pytestmark = pytest.mark.embedded


class BesideASecondMaster(TestCase):
    """While two masters answer at one door (SIGUSR2), the end of either is no end of the host."""

    def test_it_ends_at_once_and_leaves_the_host_ready(self):
        for theirs in ({"reexec_pid": 7, "master_pid": 0}, {"reexec_pid": 0, "master_pid": 7}):
            with self.subTest(theirs), mock.patch.object(draining, "_flag", bytearray(1)):
                end = mock.Mock(side_effect=StopIteration)
                server = SimpleNamespace(handle_term=end, signal=None, **theirs)
                with mock.patch("signal.signal"):  # the tests' own time-out is SIGALRM's handler
                    drain_before_the_end(server, seconds=60)
                with mock.patch("signal.setitimer"), self.assertRaises(StopIteration):
                    server.handle_term()
                self.assertFalse(draining.is_draining())
