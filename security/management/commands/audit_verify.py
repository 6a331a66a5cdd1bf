"""Verifies the audit log: every event, hash, signature and mark, against what was signed outside the database."""

import json
import sys
from concurrent.futures.process import BrokenProcessPool
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from security.tlog import (
    Report,
    WitnessMisnamed,
    keep_verification,
    progress,
    read_witness_note,
    verify_bundle,
    verify_log,
)
from security.tlog.note import NoteInvalid, VerifierKey

MOST_PROCESSES = 32
_NOT_VERIFIED = (
    "nothing was verified ({}): the database did not answer, or a process was ended while it looked at events, which "
    "--processes 1 does without"
)


class Command(BaseCommand):
    help = (
        "Prove that no event was changed, removed, added or back-dated. Ends with 0 when it is proved, 1 when "
        "something was changed (the first bad index is told) or the database's guards are off, 2 when something could "
        "not be looked at. What was found is kept, for the admin and health."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--full", action="store_true", help="from the first event on (the default)")
        what.add_argument("--since", type=int, default=0, metavar="INDEX", help="only the events from this index on")
        what.add_argument("--bundle", metavar="FILE", help="an exported bundle, instead of the database")
        parser.add_argument("--key", metavar="KEY", help="the key you keep yourself (of audit_checkpoint)")
        parser.add_argument(
            "--witness-note",
            type=Path,
            action="append",
            default=[],
            metavar="FILE",
            help="what audit_witness --show prints on a witness's own host; once for each witness",
        )
        parser.add_argument(
            "--processes",
            type=int,
            metavar="N",
            help="how many look at events at once (by default, what a log is worth)",
        )
        parser.add_argument("--json", dest="is_json", action="store_true", help="print one JSON document")

    def handle(
        self,
        *args: Any,
        full: bool,
        since: int,
        bundle: str | None,
        key: str | None,
        witness_note: list[Path],
        processes: int | None,
        is_json: bool,
        **options: Any,
    ) -> None:
        if bundle is not None:
            if witness_note or processes is not None:
                raise CommandError("--bundle goes with --key and --json alone", returncode=2)
            sys.exit(self._verify_bundle([bundle, *([f"--key={key}"] if key else [])], is_json=is_json))
        try:
            pinned = VerifierKey.parse(key) if key else None
        except NoteInvalid as invalid:
            raise CommandError(f"--key: {invalid}", returncode=2) from invalid
        try:
            witnessed = [read_witness_note(path.read_text(encoding="utf-8")) for path in witness_note]
        except (NoteInvalid, WitnessMisnamed, UnicodeDecodeError) as invalid:
            raise CommandError(f"--witness-note: {invalid}", returncode=2) from invalid
        except OSError as error:
            raise CommandError(f"--witness-note: {error.filename}: {error.strerror}", returncode=2) from error
        if since < 0:
            raise CommandError("--since: an index is 0 or more", returncode=2)
        if processes is not None and not 1 <= processes <= MOST_PROCESSES:
            raise CommandError(f"--processes: 1 to {MOST_PROCESSES}", returncode=2)
        try:
            report = verify_log(
                since=since,
                pinned=pinned,
                witnessed=witnessed,
                processes=processes,
                advance=progress(self.stderr, is_shown=not is_json),
            )
        except (BrokenProcessPool, DatabaseError) as error:
            # Not 1, which says that the log was changed.
            raise CommandError(_NOT_VERIFIED.format(type(error).__name__), returncode=2) from error
        self.stdout.write(json.dumps(report.as_json()) if is_json else _as_text(report))
        try:
            keep_verification(report)
        except DatabaseError as error:  # a copy that may only be read can be verified too
            self.stderr.write(f"This run is not kept for the pages of the admin: {type(error).__name__}.")
        if report.exit_code:
            sys.exit(report.exit_code)

    def _verify_bundle(self, arguments: list[str], *, is_json: bool) -> int:
        """As verify_bundle.py does, which is what a stranger has; its exit code."""
        said = StringIO()
        with redirect_stdout(said), redirect_stderr(said):
            code = verify_bundle.main(arguments)
        told = said.getvalue().strip()
        self.stdout.write(json.dumps({"verified": code == 0, "said": told.splitlines()}) if is_json else told)
        return code


def _as_text(report: Report) -> str:
    lines = [
        f"{report.events} events from index {report.since} on, {report.pruned} archived, "
        f"{report.checkpoints} checkpoints, {report.pending} events not sealed yet.",
        f"Tree of {report.size}, root {report.root}.",
    ]
    lines += [f"WRONG  {fault}" for fault in report.faults]
    lines += [f"NOT VERIFIED  {what}" for what in report.not_verified]
    if report.first_bad_index is not None:
        lines.append(f"First bad index: {report.first_bad_index}")
    changed = "The log is not guarded." if report.is_unchanged else "The log was changed."
    lines.append({0: "Proved.", 1: changed, 2: "Not everything could be verified."}[report.exit_code])
    return "\n".join(lines)
