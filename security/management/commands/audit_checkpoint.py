"""Prints what the log has signed last: paper or a mail to the auditor is an anchor that no database holds."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from security.tlog import NotSealed, require_signed


class Command(BaseCommand):
    help = "Print the last signed checkpoint of the audit log, and the key that checks it. Keep both elsewhere."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", dest="is_json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, is_json: bool, **options: Any) -> None:
        try:
            last = require_signed()
        except NotSealed as nothing:
            raise CommandError(str(nothing), returncode=2) from nothing
        key = last.log.verifier_key
        if is_json:
            told = {"size": last.size, "root": bytes(last.root).hex(), "note": last.note, "verifierKey": key}
            self.stdout.write(json.dumps(told))
        else:
            self.stdout.write(f"{last.note}\nkey: {key}")
