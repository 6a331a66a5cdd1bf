"""What operators' own jobs tell of the backups they made, and which are late. The product makes none itself."""

from monitoring.backups.models import LastBackup
from monitoring.backups.services import (
    BackupRefused,
    TargetUnknown,
    forget_target,
    is_late,
    known_backups,
    note_backup,
)

__all__ = [
    "BackupRefused",
    "LastBackup",
    "TargetUnknown",
    "forget_target",
    "is_late",
    "known_backups",
    "note_backup",
]
