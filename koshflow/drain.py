"""The time between SIGTERM and the closing of the door, in which balancers learn to send nobody here any more.

The master alone waits; its workers serve as ever, and are replaced as ever, while `/health/ready` is 503. So the
listening socket stays the master's, by which a worker tells a reload from the end (`koshflow.door`).
"""

import signal
import sys
from typing import Any

from monitoring.draining import begin_draining, is_draining


def drain_before_the_end(server: Any, *, seconds: int) -> None:
    """Let gunicorn's master (`server`, whose signals are set up) end `seconds` after its first SIGTERM; at once after
    a second one, and after SIGINT and SIGQUIT, as without.
    """
    end = server.handle_term  # raises StopIteration

    def go_on() -> None:
        """Replace no worker for new code now: the old ones await the end."""

    def begin() -> None:
        # Beside a second master (SIGUSR2) this host goes on: the other one answers at the same door.
        if is_draining() or server.reexec_pid or server.master_pid:
            end()
        begin_draining()
        server.handle_hup = go_on
        signal.setitimer(signal.ITIMER_REAL, seconds)
        sys.stderr.write(f"KoshFlow ends in {seconds} s; until then it serves, and /health/ready is 503.\n")
        sys.stderr.flush()

    # Found by name in the loop that also looks after the workers; a wait in here would leave them alone. No thread:
    # the master forks.
    server.handle_term, server.handle_alrm = begin, end
    signal.signal(signal.SIGALRM, server.signal)
