"""Archives and deletes audit events whose time of keeping is over; alone it only says what could go."""

import json
from argparse import ArgumentTypeError
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.retention.services import REFUSED, approve, check, hold_log, propose, release_log, run, survey_log
from security.audit import AuditClass
from security.retention import Plan, Surveyed, log_holds, open_plans
from security.tlog import SignerUnavailable, progress

_COLUMNS = ("class", "floor", "kept", "oldest", "would go", "held back")


class Command(BaseCommand):
    help = (
        "Say which audit events are older than they must be kept (alone), have two people agree on a plan (--propose, "
        "--approve), and archive and delete what it says (--run). See docs/audit-log.md."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        act = parser.add_mutually_exclusive_group()
        act.add_argument("--propose", action="store_true", help="fix what may go now; an administrator does")
        act.add_argument("--approve", type=_an_id, metavar="PLAN", help="agree, as a second person of staff")
        act.add_argument("--run", type=_an_id, metavar="PLAN", help="archive and delete; may be run again")
        act.add_argument("--hold", metavar="REASON", help="let nothing of the whole log go from now on")
        act.add_argument("--release", type=_an_id, metavar="HOLD", help="end such a hold; needs --reason")
        act.add_argument("--check", type=Path, metavar="ARCHIVE", help="whether a file is what was archived")
        parser.add_argument("--class", dest="classes", action="append", default=[], choices=list(map(str, AuditClass)))
        parser.add_argument("--operator", default="", metavar="EMAIL", help="who proposes or approves")
        parser.add_argument("--code", default="", help="a code of their second factor; asked for where it is left out")
        parser.add_argument("--reason", default="", help="a ticket's number, say; it stays in the log for ever")
        parser.add_argument("--archive", type=Path, metavar="DIR", help="folder of the archives (audit-archive)")
        parser.add_argument("--json", dest="is_json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        acts = ("propose", "approve", "run", "hold", "release", "check")
        act: Callable[[dict[str, Any]], tuple[str, Any]] = self._survey
        for name in acts:
            if options[name] is not None and options[name] is not False:
                act = getattr(self, f"_{name}")
        try:
            text, document = act(options)
        except SignerUnavailable as unavailable:
            raise CommandError(f"{unavailable}; run it on the host that seals", returncode=2) from unavailable
        except OSError as error:
            raise CommandError(f"{error.filename or 'archive'}: {error.strerror}", returncode=2) from error
        except REFUSED as refused:
            raise CommandError(str(refused), returncode=1) from refused
        self.stdout.write(json.dumps(document) if options["is_json"] else text)

    def _survey(self, _options: dict[str, Any]) -> tuple[str, Any]:
        found, plans, holds = survey_log(), open_plans(), log_holds()
        lines = ["Dry run, nothing was changed.", _table(found), *map(_plan_line, plans)]
        lines += [f"hold {hold.id} on the whole log since {hold.at:%Y-%m-%d}: {hold.reason}" for hold in holds]
        document = {
            "classes": [_as_json(one) for one in found],
            "plans": [{"id": str(plan.id), "approved": plan.approved_by is not None} for plan in plans],
            "holds": [{"id": str(hold.id), "reason": hold.reason} for hold in holds],
        }
        return "\n".join(lines), document

    def _propose(self, options: dict[str, Any]) -> tuple[str, Any]:
        plan = propose(
            operator=options["operator"],
            code=self._code(options),
            reason=options["reason"],
            classes=map(AuditClass, options["classes"]),
        )
        cutoffs = {str(one): at.isoformat() for one, at in plan.cutoffs.items()}
        return _plan_line(plan), {"plan": str(plan.id), "size": plan.size, "cutoffs": cutoffs}

    def _approve(self, options: dict[str, Any]) -> tuple[str, Any]:
        plan = approve(plan_id=options["approve"], operator=options["operator"], code=self._code(options))
        return f"plan {plan.id} is approved; --run {plan.id} runs it", {"plan": str(plan.id), "approved": True}

    def _run(self, options: dict[str, Any]) -> tuple[str, Any]:
        folder = options["archive"] or settings.DATA_DIR / "audit-archive"
        shown = progress(self.stderr, is_shown=not options["is_json"])
        done = run(plan_id=options["run"], folder=folder, advance=shown)
        lines = [
            f"{one.pruning}: {one.deleted} events deleted, {one.kept} kept by a hold; archived in {one.path}"
            for one in done
        ]
        document = [
            {"class": one.pruning.audit_class, "deleted": one.deleted, "kept": one.kept, "archive": str(one.path)}
            for one in done
        ]
        return "\n".join(lines) or "nothing was left to go", document

    def _hold(self, options: dict[str, Any]) -> tuple[str, Any]:
        hold = hold_log(reason=options["hold"])
        return f"hold {hold.id}: nothing of the log goes until it is lifted", {"hold": str(hold.id)}

    def _release(self, options: dict[str, Any]) -> tuple[str, Any]:
        release_log(options["release"], reason=options["reason"])
        return f"hold {options['release']} lifted", {"hold": str(options["release"]), "lifted": True}

    def _check(self, options: dict[str, Any]) -> tuple[str, Any]:
        pruning = check(options["check"])
        text = f"{options['check']} is the archive of {pruning}: {pruning.count} events, each as it was sealed."
        return text, {"plan": str(pruning.plan), "class": pruning.audit_class, "events": pruning.count}

    def _code(self, options: dict[str, Any]) -> Callable[[], str]:
        """Asked late: who may not act is not asked, and a code lives for half a minute."""

        def ask() -> str:
            try:
                return options["code"] or input(f"Code of {options['operator']}: ")
            except EOFError as nobody:
                raise CommandError("nobody is there to be asked for a code; give it with --code") from nobody

        return ask


def _an_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text} is no id; it was printed when it was made") from error


def _plan_line(plan: Plan) -> str:
    classes = ", ".join(f"{one} before {at:%Y-%m-%d}" for one, at in plan.cutoffs.items())
    stands = "approved" if plan.approved_by else f"waits for a second person: --approve {plan.id}"
    return f"plan {plan.id}: {classes}; {stands}"


def _table(found: list[Surveyed]) -> str:
    rows = [_COLUMNS]
    for one in found:
        oldest = f"{one.oldest:%Y-%m-%d}" if one.oldest else "-"
        days = (f"{one.floor_days} days", f"{one.kept_days} days")
        rows.append((str(one.audit_class), *days, oldest, str(one.beyond - one.held), str(one.held)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _as_json(one: Surveyed) -> dict[str, Any]:
    return {
        "class": one.audit_class,
        "floorDays": one.floor_days,
        "keptDays": one.kept_days,
        "until": one.until.isoformat(),
        "oldest": one.oldest.isoformat() if one.oldest else None,
        "wouldGo": one.beyond - one.held,
        "heldBack": one.held,
    }
