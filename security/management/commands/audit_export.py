"""Writes a bundle of audit events that anybody can verify without this installation."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from security.audit import Action, record
from security.operator_account import ReasonRefused, check_reason, operator_name
from security.tlog import NotSealed, progress, require_signed, write_bundle


class Command(BaseCommand):
    help = (
        "Write audit events with their proof to a new zip file (mode 0600). Check it with security/tlog/"
        "verify_bundle.py, which needs nothing else of ours. The export is itself an event."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path, help="file to create")
        parser.add_argument("--since", type=int, default=0, metavar="INDEX", help="first event (0)")
        parser.add_argument("--until", type=int, default=None, metavar="INDEX", help="first event left out (none)")
        parser.add_argument("--disclose", action="store_true", help="add the personal values that are not erased")
        parser.add_argument("--reason", required=True, help="a ticket's number, say; it stays in the log for ever")
        parser.add_argument("--json", dest="is_json", action="store_true", help="print one JSON document")

    def handle(
        self,
        *args: Any,
        path: Path,
        since: int,
        until: int | None,
        disclose: bool,
        reason: str,
        is_json: bool,
        **options: Any,
    ) -> None:
        if since < 0 or (until is not None and until < since):
            raise CommandError("--since and --until are indexes, the second not below the first", returncode=2)
        try:
            _check_is_new(path)
            check_reason(reason)
            require_signed()
            # The event first: what cannot be told of is not handed out.
            with transaction.atomic(durable=True):
                told = {"operator": operator_name(), "reason": reason, "first": since, "end": until}
                record(Action.AUDIT_EXPORTED, data=told | {"disclosing": disclose})
            written = write_bundle(
                path,
                first=since,
                end=until,
                is_disclosing=disclose,
                advance=progress(self.stderr, is_shown=not is_json),
            )
        except (NotSealed, ReasonRefused) as nothing:
            raise CommandError(str(nothing), returncode=2) from nothing
        except FileExistsError as error:
            raise CommandError(f"{path} exists; name a new file", returncode=2) from error
        except BlockingIOError as busy:
            raise CommandError(f"another run is writing {path}", returncode=2) from busy
        except OSError as error:
            raise CommandError(f"cannot write {path}: {error.strerror}", returncode=2) from error
        if is_json:
            counted = {"size": written.size, "events": written.events, "disclosures": written.disclosures}
            self.stdout.write(json.dumps(counted))
        else:
            self.stdout.write(
                f"{written.events} of {written.size} signed events written to {path}, "
                f"{written.disclosures} personal values disclosed."
            )


def _check_is_new(path: Path) -> None:
    """Before the event: an export that cannot be is not told of. Raises FileExistsError, OSError."""
    if path.exists():
        raise FileExistsError(path)
