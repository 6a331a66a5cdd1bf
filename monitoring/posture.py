"""What the security audit asks of how the installation is watched: whether anybody makes backups."""

from collections.abc import Iterable

from monitoring.backups import known_backups
from security.posture import Fault, Reads, Severity, finding


@finding(
    "KF.M001",
    severity=Severity.HIGH,
    title="No backup was ever told of",
    why="Nobody knows that there is one, and nobody would hear when it stops.",
    remedy="Let the job that makes it end with manage.py backup_note (docs/backups.md).",
    reads=Reads.INSTALLATION,
    production_only=True,
)
def backups_are_unknown() -> Iterable[Fault]:
    if not known_backups():
        yield Fault("backups", "no job has told of one")
