"""Writes a financial year's edit log with its proof, for a statutory auditor."""

import json
from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.audit.pack import PackRefused, record_pack, scope_of, write_pack
from accounts.audit.years import FinancialYear
from security.operator_account import ReasonRefused, check_reason, operator_name
from security.tlog import NotSealed, progress


class Command(BaseCommand):
    help = (
        "Write the auditor pack of a financial year (1 April to 31 March in India) to a new zip file (mode 0600): edit "
        "log, heartbeats, retention, and the proof with the program that checks it. Taking it is itself an event. Ends "
        "with 0, or with 2 where nothing was written."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--fy", type=a_year, required=True, metavar="2026-27", help="the financial year")
        parser.add_argument("--company", default="", metavar="GSTIN|ID", help="of one company alone (all)")
        parser.add_argument("--output", type=Path, metavar="FILE", help="file to create (auditor-pack-2026-27.zip)")
        parser.add_argument("--reason", required=True, help="a ticket's number, say; it stays in the log for ever")
        parser.add_argument("--json", dest="is_json", action="store_true", help="print one JSON document")

    def handle(
        self,
        *args: Any,
        fy: FinancialYear,
        company: str,
        output: Path | None,
        reason: str,
        is_json: bool,
        **options: Any,
    ) -> None:
        path = output or Path(f"auditor-pack-{fy}.zip")
        try:
            check_reason(reason)
            scope = scope_of(year=fy, company=company)
            record_pack(scope, path=path, operator=operator_name(), reason=reason)
            told = write_pack(path, scope, advance=progress(self.stderr, is_shown=not is_json))
        except (NotSealed, PackRefused, ReasonRefused) as refused:
            raise CommandError(str(refused), returncode=2) from refused
        except FileExistsError as error:
            raise CommandError(f"{path} exists; name a new file", returncode=2) from error
        except OSError as error:
            raise CommandError(f"cannot write {path}: {error.strerror}", returncode=2) from error
        if is_json:
            self.stdout.write(json.dumps({**told, "file": str(path)}, ensure_ascii=False))
            return
        self.stdout.write(
            f"{told['financialYear']}, {told['company']}: {told['edits']} events of the edit log, "
            f"heartbeats: {told['heartbeats']}, with missing triggers: {told['shortHeartbeats']}, "
            f"gaps: {told['gaps']}; "
            f"written to {path}."
        )


def a_year(text: str) -> FinancialYear:
    """The financial year that `text` names. Raises ArgumentTypeError for what names none."""
    try:
        return FinancialYear.parse(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error
