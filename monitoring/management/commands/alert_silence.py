"""Silences alerts for a time, or ends a silence."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from monitoring.alerts import Family, Severity, SilenceUnknown, end_silence, silence, told_all_the_same
from security.operator_account import ReasonRefused, operator_name


class Command(BaseCommand):
    help = (
        "Tell nobody of the alerts that fit, for some hours; or end a silence. They go on firing, and /metrics, the "
        "command alert_list and the log show them. Both ends are audit events."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--rule", default="", help="the name of a rule")
        parser.add_argument("--family", default="", choices=["", *(family.value for family in Family)])
        parser.add_argument("--severity", default="", choices=["", *(severity.value for severity in Severity)])
        parser.add_argument("--hours", type=float, default=2.0, help="for how long (default: 2)")
        parser.add_argument("--reason", default="", help="a ticket's number, say; kept for ever")
        parser.add_argument("--end", type=UUID, metavar="ID", help="end this silence instead")

    def handle(self, *args: Any, end: UUID | None, hours: float, reason: str, **options: Any) -> None:
        try:
            if end is not None:
                end_silence(end, author=operator_name())
                self.stdout.write(f"silence {end} ended")
                return
            made = silence(
                author=operator_name(),
                reason=reason,
                until=timezone.now() + timedelta(hours=hours),
                **{name: options[name] for name in ("rule", "family", "severity")},
            )
        except (ValueError, OverflowError, SilenceUnknown, ReasonRefused) as error:  # ValueError: "nan" hours too
            raise CommandError(str(error)) from error
        spared = ", ".join(told_all_the_same(made))
        self.stdout.write(f"silence {made.pk} stands: {made}{f'; never silent: {spared}' if spared else ''}")
