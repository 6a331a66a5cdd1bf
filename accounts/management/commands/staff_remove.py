"""Takes a staff member's account away."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.identity.finding import PersonUnknown
from accounts.staff.removal import LastAdministrator, NotStaff, remove_staff
from security.operator_account import ReasonRefused, operator_name


class Command(BaseCommand):
    help = (
        "Close the account of a staff member: roles, rights, password and second factor go, and their sessions end. "
        "May be run twice; staff_create lets them back in."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--reason", required=True, help="a ticket's number, say; it stays in the log")
        parser.add_argument("--last", action="store_true", help="also where they are the last active Administrator")

    def handle(self, *args: Any, email: str, reason: str, last: bool, **options: Any) -> None:
        try:
            removed = remove_staff(email=email, reason=reason, operator=operator_name(), may_be_last=last)
        except LastAdministrator as error:
            raise CommandError(str(error), returncode=1) from error
        except (PersonUnknown, NotStaff, ReasonRefused) as error:
            raise CommandError(str(error)) from error
        done = "removed" if removed.was_active else "was closed already"
        roles = f"roles: {', '.join(removed.roles) or 'none'}"
        factor = "second factor removed" if removed.had_second_factor else "no second factor was on"
        self.stdout.write(f"{removed.email}: {done}; {roles}, sessions ended: {removed.sessions_ended}, {factor}")
