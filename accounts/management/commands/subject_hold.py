"""Places, lists and lifts legal holds, and reads what an erasure under one keeps sealed."""

import json
from argparse import ArgumentTypeError
from datetime import date
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.erasure import Basis, ErasureRefused, Listed, disclose, lift_hold, list_holds, place_hold
from security.operator_account import ReasonRefused, operator_name

_WHO = "e-mail address, or pseudonym of the audit log"
_REASON = "a ticket's number, say; it stays in the log for ever"


class Command(BaseCommand):
    help = (
        "Keep the key of a person or company, also when they are erased, for as long as a law or a dispute wants it. "
        "See docs/keys.md."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True, metavar="place|list|lift|disclose")
        place = acts.add_parser("place", help="keep a key from now on; a company's hold keeps its people's keys too")
        place.add_argument("who", metavar="SUBJECT_OR_EMAIL", help=_WHO)
        place.add_argument("--company", action="store_true", help="hold the company of that person")
        place.add_argument("--basis", required=True, choices=Basis.values, help="logs: 1 year; books: 9 years; dispute")
        place.add_argument("--until", type=a_day, metavar="YYYY-MM-DD", help="last day, UTC")
        place.add_argument("--reason", required=True, help=_REASON)
        listed = acts.add_parser("list", help="the holds that stand, or those that hold one person or company")
        listed.add_argument("who", nargs="?", metavar="SUBJECT_OR_EMAIL", help=_WHO)
        listed.add_argument("--company", action="store_true", help="of the company of that person")
        lift = acts.add_parser("lift", help="end a hold; the nightly run destroys a key that nothing keeps any more")
        lift.add_argument("hold", type=UUID, metavar="HOLD", help="id of the hold, from the list")
        lift.add_argument("--reason", required=True, help=_REASON)
        lift.add_argument("--dry-run", action="store_true", help="say what would be lifted, and lift nothing")
        read = acts.add_parser(
            "disclose", help="print who somebody was who is erased under a hold; the log tells of it"
        )
        read.add_argument("who", metavar="SUBJECT", help="pseudonym of the audit log")
        read.add_argument("--reason", required=True, help=_REASON)

    def handle(self, *args: Any, act: str, **options: Any) -> None:
        try:
            getattr(self, f"_{act}")(options)
        except (ErasureRefused, ReasonRefused) as error:
            raise CommandError(str(error)) from error

    def _place(self, options: dict[str, Any]) -> None:
        hold = place_hold(
            who=options["who"],
            basis=Basis(options["basis"]),
            reason=options["reason"],
            operator=operator_name(),
            until=options["until"],
            with_company=options["company"],
        )
        self.stdout.write(f"{hold} placed on {hold.subject_id}, {hold.ends}")

    def _list(self, options: dict[str, Any]) -> None:
        found = list_holds(who=options["who"], with_company=options["company"])
        for one in found:
            self.stdout.write(_line(one))
        if not found:
            self.stdout.write("no hold stands")

    def _lift(self, options: dict[str, Any]) -> None:
        is_dry = options["dry_run"]
        hold = lift_hold(hold_id=options["hold"], reason=options["reason"], operator=operator_name(), dry_run=is_dry)
        said = f"{hold} on {hold.subject_id}"
        self.stdout.write(f"dry run, nothing was changed; {said} would be lifted" if is_dry else f"{said} lifted")

    def _disclose(self, options: dict[str, Any]) -> None:
        identity = disclose(who=options["who"], reason=options["reason"], operator=operator_name())
        self.stdout.write(json.dumps(identity, ensure_ascii=False, indent=1))


def a_day(text: str) -> date:
    """The day that `text` names. Raises ArgumentTypeError for what names none."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text} is no day; give one such as 2030-12-31") from error


def _line(one: Listed) -> str:
    hold = one.hold
    ends = f"until {one.runs_until}" if one.runs_until else hold.ends
    placed = f"placed {hold.placed_at:%Y-%m-%d} by {hold.placed_by}: {hold.reason}"
    return f"{hold} on {hold.subject_id}, {ends}; {placed}"
