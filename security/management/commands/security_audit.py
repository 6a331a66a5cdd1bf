"""Asks everything the security audit knows to ask, says what it found, and keeps the run."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from security.operator_account import operator_name
from security.posture import Severity, audit_and_compare
from security.posture.rendering import as_json, as_text

NEVER = "never"


class Command(BaseCommand):
    help = (
        "Look for weak settings, keys, files, packages, people and rows. Ends with 0 when nothing is as bad as "
        "--fail-on, 1 when something is, 2 when something could not be verified."
    )
    requires_system_checks = ()  # it asks them itself, and a failing one must not keep it from the rest

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", dest="is_json", action="store_true", help="print one JSON document")
        parser.add_argument(
            "--fail-on",
            default=Severity.HIGH.value,
            choices=[*(severity.value for severity in Severity), NEVER],
            help="the least severity that ends with 1 (default: high)",
        )
        parser.add_argument(
            "--since-last", action="store_true", help="also say what is new, fixed and standing since the run before"
        )

    def handle(self, *args: Any, is_json: bool, fail_on: str, since_last: bool, **options: Any) -> None:
        outcome = audit_and_compare(
            operator=operator_name(),
            fail_on=None if fail_on == NEVER else Severity(fail_on),
            is_compared=since_last,
        )
        self.stdout.write(as_json(outcome) if is_json else as_text(outcome))
        if outcome.exit_code:
            sys.exit(outcome.exit_code)
