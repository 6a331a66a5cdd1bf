"""A witness of audit logs: remembers what it cosigned, and cosigns only what grew from that."""

import signal
from pathlib import Path
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError, CommandParser

from security.tlog.note import NoteInvalid, VerifierKey
from security.tlog.witness import WitnessUnavailable, check_is_witness, last_cosigned, make_witness, trust_log
from security.tlog.witness_server import WitnessServer


class Command(BaseCommand):
    help = (
        "Run a witness (c2sp.org/tlog-witness) of audit logs. Needs this repository and a folder, no database and no "
        "key ring: run it on another host, or at least under another account, than the log."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--folder", type=Path, required=True, help="the witness's own folder, with key and memory")
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--init", metavar="NAME", help="make the key of a witness NAME; prints what checks it")
        what.add_argument("--trust", metavar="KEY", help="cosign the log with this key (of audit_checkpoint)")
        what.add_argument("--serve", metavar="HOST:PORT", help="answer logs until stopped")
        what.add_argument("--show", metavar="ORIGIN", help="print the last cosigned checkpoint of this log")

    def handle(
        self,
        *args: Any,
        folder: Path,
        init: str | None,
        trust: str | None,
        serve: str | None,
        show: str | None,
        **options: Any,
    ) -> None:
        try:
            if init is not None:
                self.stdout.write(str(make_witness(folder, name=init)))
            elif trust is not None:
                key = VerifierKey.parse(trust.strip())
                trust_log(folder, key)
                self.stdout.write(f"Checkpoints of {key.name} are cosigned from now on.")
            elif show is not None:
                self.stdout.write(last_cosigned(folder, show), ending="")
            else:
                self._serve(folder, serve or "")
        except (WitnessUnavailable, NoteInvalid, ValueError) as wrong:
            raise CommandError(str(wrong), returncode=2) from wrong

    def _serve(self, folder: Path, address: str) -> None:
        host, _, port = address.rpartition(":")
        if not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
            raise CommandError("--serve: write HOST:PORT, as 127.0.0.1:8790 or [::1]:8790", returncode=2)
        check_is_witness(folder)
        try:
            server = WitnessServer((host.strip("[]"), int(port)), folder)
        except OSError as error:
            raise CommandError(f"cannot listen on {address}: {error.strerror}", returncode=2) from error
        signal.signal(signal.SIGTERM, _stop)
        try:
            with server:
                self.stdout.write(f"Listening on http://{host}:{server.server_port}/add-checkpoint")
                self.stdout.flush()
                server.serve_forever()
        except KeyboardInterrupt:
            self.stdout.write("Stopped.")


def _stop(*_: object) -> NoReturn:
    raise KeyboardInterrupt
