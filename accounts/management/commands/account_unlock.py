"""Lifts the lock-out of a person, and of the address they sign in from."""

from ipaddress import ip_address
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.identity.finding import PersonUnknown, find_person
from accounts.staff.unlocking import lift_lockout
from security.operator_account import operator_name


class Command(BaseCommand):
    help = (
        "Forget the failed sign-ins that stand against a person, from wherever they came, so that the right password "
        "is taken again. Ask first whether the tries were theirs."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--address", default="", help="forget the failures of this IP address as a whole too")
        parser.add_argument("--reason", default="", help="a ticket's number, say; kept sealed in the event")
        parser.add_argument("--dry-run", action="store_true", help="say what would be lifted, and lift nothing")

    def handle(self, *args: Any, email: str, address: str, reason: str, dry_run: bool, **options: Any) -> None:
        check_address(address)
        try:
            user = find_person(email)
        except PersonUnknown as error:
            raise CommandError(str(error)) from error
        lifted = lift_lockout(user=user, operator=operator_name(), address=address, reason=reason, dry_run=dry_run)
        if not lifted.counters:
            raise CommandError(nothing_stands(user.email, address))
        beside = f" and {address}" if address else ""
        did, emptied = ("that would be lifted", "that would be emptied") if dry_run else ("lifted", "emptied")
        line = f"{user.email}{beside}: lock-outs {did}: {lifted.locks}, counters {emptied}: {lifted.counters}"
        self.stdout.write(f"dry run, nothing was changed; {line}" if dry_run else line)


def check_address(address: str) -> None:
    """Raises CommandError for what is neither empty nor an IP address: it would be counted as "unknown"."""
    try:
        if address:
            ip_address(address)
    except ValueError as error:
        raise CommandError(f"{address} is no IP address; give one such as 203.0.113.7 or 2001:db8::7") from error


def nothing_stands(email: str, address: str) -> str:
    """Why nothing was lifted, and where to look next."""
    if address:
        return (
            f"no failed sign-ins stand against {email} or {address}; look for the requestId of the refusal in the log"
        )
    return (
        f"no failed sign-ins stand against {email}; if the refusal says ACCOUNT_LOCKED, the whole address is locked: "
        "give it with --address"
    )
