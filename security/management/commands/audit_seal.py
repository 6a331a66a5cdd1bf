"""Seals the audit log now, as the schedule does every ten seconds."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from security.tlog import LogForked, SealRefused, SignerUnavailable, seal_pending


class Command(BaseCommand):
    help = "Give each recorded event its place in the tree and sign the tree. Does nothing where nothing waits."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", dest="is_json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, is_json: bool, **options: Any) -> None:
        try:
            sealed = seal_pending()
        except (LogForked, SealRefused) as refused:
            raise CommandError(f"{refused}; nothing was sealed: run audit_verify", returncode=1) from refused
        except SignerUnavailable as unavailable:
            raise CommandError(str(unavailable), returncode=2) from unavailable
        if is_json:
            self.stdout.write(json.dumps({"events": sealed.events, "size": sealed.size}))
        else:
            self.stdout.write(f"{sealed.events} events sealed; the signed tree has {sealed.size}.")
