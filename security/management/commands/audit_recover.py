"""Lets the log go on after an older database was put back. What was lost is quoted for ever."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from security.operator_account import ReasonRefused, operator_name
from security.tlog import NothingToRecover, SealRefused, SignerUnavailable, recover, seal_pending


class Command(BaseCommand):
    help = (
        "After a restore: begin a new epoch of the audit log on the tree that the database still has. Says what it "
        "would do; --confirm does it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--reason", required=True, help="a ticket's number, say; it stays in the log for ever")
        parser.add_argument("--confirm", action="store_true", help="do it")
        parser.add_argument("--json", dest="is_json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, reason: str, confirm: bool, is_json: bool, **options: Any) -> None:
        try:
            loss = recover(operator=operator_name(), reason=reason, is_dry=not confirm)
            if confirm:
                seal_pending()
        except NothingToRecover as nothing:
            raise CommandError(str(nothing), returncode=1) from nothing
        except (ReasonRefused, SealRefused, SignerUnavailable) as refused:
            raise CommandError(str(refused), returncode=2) from refused
        if is_json:
            signed = {"origin": loss.signed.origin, "size": loss.signed.size}
            told = {"signed": signed, "kept": loss.kept.size, "lost": loss.events, "isDone": confirm}
            self.stdout.write(json.dumps(told))
            return
        self.stdout.write(
            f"Signed last: {loss.signed.size} events ({loss.signed.origin}).\n"
            f"In the database: {loss.kept.size} events ({loss.kept.origin or 'of no log'}).\n"
            f"{loss.events} sealed events are lost, and perhaps later ones."
        )
        if confirm:
            self.stdout.write("A new epoch has begun; its first event quotes the lost tree. Tell your witnesses.")
        else:
            self.stdout.write("Nothing was changed. --confirm begins a new epoch, which cannot be taken back.")
