"""Removes the second factor of a person who lost it, and ends their sessions."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.identity.finding import PersonUnknown
from accounts.twofactor.recovery import recover_account
from security.operator_account import operator_name


class Command(BaseCommand):
    help = (
        "Remove the second factor and recovery codes of a person who lost them, and end all their sessions. "
        "Make sure who is asking first, by a way outside this product. May be run twice."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--email", required=True)
        parser.add_argument("--dry-run", action="store_true", help="say what would happen, and do nothing")

    def handle(self, *args: Any, email: str, dry_run: bool, **options: Any) -> None:
        try:
            recovery = recover_account(email=email, operator=operator_name(), dry_run=dry_run)
        except PersonUnknown as error:
            raise CommandError(str(error)) from error
        count = recovery.sessions_ended
        if dry_run:
            factor = "the second factor would be removed" if recovery.had_second_factor else "no second factor is on"
            line = f"dry run, nothing was changed; {email}: {factor}, sessions that would end: {count}"
        else:
            factor = "second factor removed" if recovery.had_second_factor else "no second factor was on"
            line = f"{email}: {factor}, sessions ended: {count}"
        self.stdout.write(line)
