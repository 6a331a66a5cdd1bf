"""The locks of a data folder: one embedded server, one ticking schedule. Needs no Django."""

from pathlib import Path

from security.machine_lock import MachineLock


def server_lock(data_dir: Path) -> MachineLock:
    """Held by the server whose cache is inside its one process: two would each believe their own counters."""
    return MachineLock(data_dir / "server.lock")


def schedule_lock(data_dir: Path) -> MachineLock:
    """Held by the thread that ticks the schedule."""
    return MachineLock(data_dir / "schedule.lock")
