"""Lifts the lock-out of a person, and of the address they sign in from."""

from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.identity.finding import PersonUnknown, find_person
from accounts.staff.unlocking import codes_locked_until, lift_lockout
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
        until = codes_locked_until(user)
        if not lifted.counters:
            raise CommandError(nothing_stands(user.email, address, until), returncode=1)
        beside = f" and {address}" if address else ""
        did, emptied = ("that would be lifted", "that would be emptied") if dry_run else ("lifted", "emptied")
        line = f"{user.email}{beside}: lock-outs {did}: {lifted.locks}, counters {emptied}: {lifted.counters}"
        if until:
            line += f"; {codes_stay_locked(until)}"
        self.stdout.write(f"dry run, nothing was changed; {line}" if dry_run else line)


def check_address(address: str) -> None:
    """Raises CommandError for what is neither empty nor an IP address: it would be counted as "unknown"."""
    try:
        if address:
            ip_address(address)
    except ValueError as error:
        raise CommandError(f"{address} is no IP address; give one such as 203.0.113.7 or 2001:db8::7") from error


def nothing_stands(email: str, address: str, until: datetime | None) -> str:
    """Why nothing was lifted, and where to look next; `until` is when the second factor takes codes again."""
    against = f"no failed sign-ins stand against {email}" + (f" or {address}" if address else "")
    if until:
        return f"{against}; {codes_stay_locked(until)}"
    if address:
        return f"{against}; look for the requestId of the refusal in the log"
    return f"{against}; if the refusal says ACCOUNT_LOCKED, the whole address is locked: give it with --address"


def codes_stay_locked(until: datetime) -> str:
    """What nobody lifts, and why it concerns whoever asks."""
    at = f"{until.astimezone(UTC):%H:%M} UTC"
    return f"wrong codes lock the second factor until {at}, which nothing lifts: whoever sent them knew the password"
