"""Removes the second factor of a person who lost it, and ends their sessions."""

import os
import pwd
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.twofactor.recovery import PersonUnknown, recover_account


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
            raise CommandError(f"nobody has the address {email}") from error
        factor = "second factor removed" if recovery.had_second_factor else "no second factor was on"
        line = f"{email}: {factor}, sessions ended: {recovery.sessions_ended}"
        self.stdout.write(f"dry run, nothing was changed; {line}" if dry_run else line)


def operator_name() -> str:
    """The system account behind this process; environment variables do not decide it."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's uid without an entry
        return f"uid {os.getuid()}"
