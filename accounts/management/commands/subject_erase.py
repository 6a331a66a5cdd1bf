"""Erases a person, or a company with its people."""

from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.erasure import Erased, ErasureRefused, erase, overwrite_freed_pages, survey
from security.operator_account import ReasonRefused, operator_name

# What `accounts.erasure` blanks, by kind.
_BLANKED = {
    "person": "name, e-mail address, phone, password and staff roles",
    "company": "name, e-mail address, phone, GSTIN and PAN",
}


class Command(BaseCommand):
    help = (
        "Erase a person for good: blank their row, end their sessions, delete what hangs on them, destroy the key of "
        "their sealed data. Without --confirm it only says what would go. May be run twice. See docs/keys.md."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("who", metavar="SUBJECT_OR_EMAIL", help="e-mail address, or pseudonym of the audit log")
        parser.add_argument("--reason", default="", help="a ticket's number, say, for --confirm; it stays in the log")
        parser.add_argument("--company", action="store_true", help="erase the company too, with everybody in it")
        parser.add_argument("--confirm", action="store_true", help="do it")

    def handle(self, *args: Any, who: str, reason: str, company: bool, confirm: bool, **options: Any) -> None:
        if confirm and not reason.strip():
            raise CommandError("say why with --reason, a ticket's number, say; it stays in the log for ever")
        try:
            if not confirm:
                for one in survey(who=who, with_company=company):
                    self.stdout.write("\n".join(_would(one, with_company=company)))
                self.stdout.write("dry run, nothing was changed; --confirm erases, and nothing brings it back")
                return
            done = erase(who=who, reason=reason, operator=operator_name(), with_company=company)
        except (ErasureRefused, ReasonRefused) as error:
            raise CommandError(str(error)) from error
        for one in done:
            self.stdout.write(_was(one))
        if not overwrite_freed_pages():
            self.stderr.write("others keep the database's file busy; run this again to overwrite its freed pages too")


def _would(one: Erased, *, with_company: bool) -> Iterator[str]:
    if not one.is_new:
        yield _was(one)
        return
    yield f"{one.kind} {one.subject} would be erased{_with(one)}"
    if one.kept:
        yield f"  goes: {_BLANKED[one.kind]}, which are kept sealed with the log's values until the key goes too"
        yield f"  {_key_stays(one)}"
    else:
        yield f"  goes: {_BLANKED[one.kind]}; the key of their sealed data, without which no copy of it opens"
    yield "  stays: a row without a name, and the events of the audit log, which name the pseudonym and must verify"
    if not with_company:
        yield (
            f"  stays: their company with its own {_BLANKED['company']}, and everybody else in it, for that is not "
            "this person's; --company erases them too"
        )


def _was(one: Erased) -> str:
    if one.is_new:
        return f"{one.kind} {one.subject} erased{_with(one)}" + (f"; its {_key_stays(one)}" if one.kept else "")
    left = f"its {_key_stays(one)}" if one.kept else "its key is gone" if one.rows else "nothing is left to erase"
    since = _with(one, "; goes, for it came back since:")
    return f"{one.kind} {one.subject} was erased on {one.at:%Y-%m-%d}; {left}{since}"


def _key_stays(one: Erased) -> str:
    return f"key stays: {one.kept}"


def _with(one: Erased, words: str = ", with") -> str:
    rows = ", ".join(f"{name}: {count}" for name, count in one.rows.items() if count)
    return f"{words} {rows}" if rows else ""
