"""Takes down what a job tells of its backup, forgets targets, and says which are late. It looks at no file itself."""

import re
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from monitoring.backups.models import LONGEST_NAME, LastBackup
from security.audit import Action, record

# Each is a series of /metrics on every host, and a word of alerts.
MOST_TARGETS = 20
# A job may tell the time of another host, whose clock differs a little.
_AHEAD = timedelta(minutes=1)
_LARGEST = 2**53 - 1  # which JSON and floating point can say to the last byte
_NAME = re.compile(rf"[a-z0-9][a-z0-9_-]{{0,{LONGEST_NAME - 1}}}", re.ASCII)


class BackupRefused(ValueError):  # noqa: N818 - the sentence that the operator reads
    """This cannot be what a backup was."""


class TargetUnknown(LookupError):  # noqa: N818 - named for what it is
    """No backup of this target was ever told."""


def note_backup(
    *, target: str, finished_at: datetime | None, size_bytes: int | None, operator: str
) -> tuple[LastBackup, bool]:
    """Take down that a backup of `target` succeeded, now unless `finished_at` says when. Raises BackupRefused.

    Answers what is known of the target from now on, and whether that is what was told: an older backup never replaces
    a newer one, whatever the order in which two jobs end.
    """
    now = timezone.now()
    finished_at = finished_at or now
    _check(target, finished_at, size_bytes, now)
    told = LastBackup(target=target, finished_at=min(finished_at, now), size_bytes=size_bytes)
    with transaction.atomic(durable=True):
        # Two first ones at one moment may make a target too many, which costs nobody anything: who reads is bounded.
        targets = set(LastBackup.objects.values_list("target", flat=True))
        if target not in targets and len(targets) >= MOST_TARGETS:
            raise BackupRefused(f"{MOST_TARGETS} targets are known, and that is the most; --forget one that is retired")
        LastBackup.objects.bulk_create([told], ignore_conflicts=True)
        kept = LastBackup.objects.select_for_update().get(pk=target)
        if kept.finished_at > told.finished_at:
            return kept, False
        told.save(force_update=True)
        record(
            Action.BACKUP_NOTED,
            data={
                "target": target,
                "finished": told.finished_at.isoformat(),
                "bytes": size_bytes,
                "operator": operator,
            },
        )
    return told, True


def forget_target(target: str, *, operator: str, is_dry_run: bool = False) -> LastBackup:
    """Expect no more backups of `target`: it is not late any more, and stands in no metric. Raises TargetUnknown.

    Answers what was known of it. A dry run only does that.
    """
    with transaction.atomic(durable=True):
        known = LastBackup.objects.select_for_update().filter(pk=target).first()
        if known is None:
            raise TargetUnknown(f"no backup of {target!r} was ever told")
        if is_dry_run:
            return known
        LastBackup.objects.filter(pk=target).delete()
        record(
            Action.BACKUP_TARGET_FORGOTTEN,
            data={"target": target, "finished": known.finished_at.isoformat(), "operator": operator},
        )
    return known


def known_backups() -> list[LastBackup]:
    """The last backup of each target, the oldest first; none where nobody ever told of one."""
    return list(LastBackup.objects.order_by("finished_at", "target")[:MOST_TARGETS])


def is_late(backup: LastBackup, now: datetime) -> bool:
    """Whether it is older than BACKUP_MAX_AGE_HOURS."""
    return now - backup.finished_at > timedelta(hours=settings.BACKUP_MAX_AGE_HOURS)


def _check(target: str, finished_at: datetime, size_bytes: int | None, now: datetime) -> None:
    if not _NAME.fullmatch(target):
        raise BackupRefused(
            f"a target is named by 1 to {LONGEST_NAME} small letters, digits, - and _, such as nightly-dump"
        )
    if finished_at > now + _AHEAD:
        raise BackupRefused(f"a backup that ends at {finished_at.isoformat()}, which is yet to come, is none")
    # What an empty file tells of is a dump that failed.
    if size_bytes is not None and not 0 < size_bytes <= _LARGEST:
        raise BackupRefused(f"a backup has 1 to {_LARGEST} bytes")
