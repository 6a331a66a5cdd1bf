"""Takes down that an operator's own job made a backup. What a backup may be is `monitoring.backups`' to say."""

import json
from argparse import ArgumentTypeError
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from monitoring.backups import (
    BackupRefused,
    LastBackup,
    TargetUnknown,
    forget_target,
    is_late,
    known_backups,
    note_backup,
)
from security.operator_account import operator_name


def moment(text: str) -> datetime:
    """A time with its offset (RFC 3339), in UTC. Raises ArgumentTypeError."""
    try:
        at = datetime.fromisoformat(text)
        in_utc = at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ArgumentTypeError(f"{text!r} is no time, such as 2026-11-29T02:10:00+05:30") from error
    if at.tzinfo is None:
        raise ArgumentTypeError(f"{text!r} has no offset, such as Z or +05:30")
    return in_utc


class Command(BaseCommand):
    help = (
        "Take down that a backup of TARGET succeeded: the last step of the job that made it. Where none is told for "
        "BACKUP_MAX_AGE_HOURS the alert backup_late fires. The product makes no backup itself, and looks at none."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("target", metavar="TARGET", nargs="?", help="your name for what is backed up")
        parser.add_argument("--size", dest="size_bytes", type=int, metavar="BYTES", help="of the backup")
        parser.add_argument("--finished-at", type=moment, metavar="TIME", help="when it was done (default: now)")
        parser.add_argument("--forget", action="store_true", help="expect no more backups of TARGET")
        parser.add_argument("--dry-run", action="store_true", help="with --forget: only say what would be forgotten")
        parser.add_argument("--status", action="store_true", help="note nothing; say what is known of each target")
        parser.add_argument("--json", dest="is_json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        _check_together(options)
        try:
            document, line = _status() if options["status"] else _act(options)
        except (BackupRefused, TargetUnknown) as error:
            raise CommandError(str(error), returncode=1) from error
        self.stdout.write(json.dumps(document) if options["is_json"] else line)


def _check_together(options: dict[str, Any]) -> None:
    tells = options["size_bytes"] is not None or options["finished_at"] is not None
    if options["status"] == bool(options["target"]):
        raise CommandError("name one TARGET, or ask for the --status of all")
    if options["forget"] and options["status"]:
        raise CommandError("--forget goes with a TARGET")
    if tells and (options["forget"] or options["status"]):
        raise CommandError("--size and --finished-at tell of a backup, and go with neither --forget nor --status")
    if options["dry_run"] and not options["forget"]:
        raise CommandError("--dry-run goes with --forget")


def _act(options: dict[str, Any]) -> tuple[dict[str, Any], str]:
    target = options["target"]
    if options["forget"]:
        known = forget_target(target, operator=operator_name(), is_dry_run=options["dry_run"])
        dry = "dry run, nothing was changed; would be forgotten: " if options["dry_run"] else "forgotten: "
        return _document(known) | {"forgotten": not options["dry_run"]}, dry + _line(known)
    known, is_new = note_backup(
        target=target,
        finished_at=options["finished_at"],
        size_bytes=options["size_bytes"],
        operator=operator_name(),
    )
    older = "" if is_new else "; what was told is older, and changed nothing"
    return _document(known) | {"noted": is_new}, _line(known) + older


def _status() -> tuple[dict[str, Any], str]:
    now, known = timezone.now(), known_backups()
    targets = [_document(backup) | {"late": is_late(backup, now)} for backup in known]
    lines = [_line(backup) + (", LATE" if is_late(backup, now) else "") for backup in known]
    return {"targets": targets}, "\n".join(lines) or "no backup was ever told"


def _document(backup: LastBackup) -> dict[str, Any]:
    return {"target": backup.target, "finishedAt": _time(backup), "sizeBytes": backup.size_bytes}


def _line(backup: LastBackup) -> str:
    size = "" if backup.size_bytes is None else f", {backup.size_bytes:,} bytes"
    return f"{backup.target}: last backup {_time(backup)}{size}"


def _time(backup: LastBackup) -> str:
    return backup.finished_at.isoformat(timespec="seconds").replace("+00:00", "Z")
