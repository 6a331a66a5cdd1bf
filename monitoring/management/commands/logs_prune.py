"""Deletes old log files of this host. What may go is `monitoring.logs`' to say."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from monitoring.logs.pruning import plan_pruning, prune
from security.operator_account import operator_name


class Command(BaseCommand):
    help = (
        "Delete log files that were put aside, older than --days, and then the oldest until the rest takes at most "
        "--most-mb. Without --confirm it only says what would go. None younger than its floor goes."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--days", type=int, default=365, help="age in days from which a file goes (365)")
        parser.add_argument("--most-mb", type=int, help="MB that all files put aside may take")
        parser.add_argument("--confirm", action="store_true", help="delete; the audit log tells of it")

    def handle(self, *args: Any, days: int, most_mb: int | None, confirm: bool, **options: Any) -> None:
        if days < 0 or (most_mb is not None and most_mb < 0):
            raise CommandError("--days and --most-mb are whole numbers from 0")
        most_bytes = None if most_mb is None else most_mb * 1_000_000
        folder = Path(settings.LOG_DIR)
        pruning = plan_pruning(folder, days=days, most_bytes=most_bytes, now=timezone.now())
        for file in pruning.going:
            self.stdout.write(f"{file.path.name}  {file.size_bytes:,} bytes")
        if pruning.kept_by_floor_bytes:
            self.stderr.write(
                f"{pruning.kept_by_floor_bytes:,} bytes more than asked for stay: they are too young to go"
            )
        what = f"{len(pruning.going)} files of {pruning.size_bytes:,} bytes in {folder}"
        if not confirm:
            self.stdout.write(f"dry run, nothing was deleted; {what} would go")
        elif not pruning.going:
            self.stdout.write(f"nothing is old enough to go in {folder}")
        else:
            try:
                prune(pruning, operator=operator_name())
            except OSError as error:
                told = f"{error.filename} could not be deleted, nor what comes after it: {error.strerror}"
                raise CommandError(told) from error
            self.stdout.write(f"{what} deleted")
