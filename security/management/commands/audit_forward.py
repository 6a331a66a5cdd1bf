"""Forwards the sealed audit log to the SIEM now, says how far it is, or sends it again from a place."""

import json
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from security.operator_account import ReasonRefused, check_reason, operator_name
from security.siem import (
    Busy,
    CertificatesUnreadable,
    ForwardingOff,
    NoSuchEvent,
    ReceiverUnavailable,
    forward_sealed,
    go_on_from,
    require_standing,
)
from security.syslog_url import DestinationMisnamed


class Command(BaseCommand):
    help = (
        "Send the signed events that the receiver of AUDIT_SYSLOG did not get yet, as the schedule does every ten "
        "seconds. Ends with 1 where it does not take them, with 2 where nothing could be tried."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--status", action="store_true", help="send nothing; say how far the log was sent")
        parser.add_argument(
            "--from", dest="first", type=int, metavar="INDEX", help="send again, or skip, from this place"
        )
        parser.add_argument("--reason", help="with --from: a ticket's number, say; it stays in the log for ever")
        parser.add_argument("--json", dest="is_json", action="store_true", help="print one JSON document")

    def handle(
        self, *args: Any, status: bool, first: int | None, reason: str | None, is_json: bool, **options: Any
    ) -> None:
        sent = 0
        try:
            if first is not None:
                check_reason(reason or "")
                require_standing(timezone.now())
                go_on_from(first, operator=operator_name(), reason=reason or "")
            if not status:
                sent = forward_sealed(is_hurried=True)
            told = require_standing(timezone.now())
        except ReceiverUnavailable as unavailable:
            raise CommandError(f"{settings.AUDIT_SYSLOG}: {unavailable}", returncode=1) from unavailable
        except (
            ForwardingOff,
            Busy,
            NoSuchEvent,
            ReasonRefused,
            CertificatesUnreadable,
            DestinationMisnamed,
        ) as reason_:
            raise CommandError(str(reason_), returncode=2) from reason_
        failing = told.failing_since.isoformat() if told.failing_since else None
        if is_json:
            document: dict[str, Any] = {"sent": sent, "nextIndex": told.next_index, "size": told.size}
            document |= {"lagSeconds": round(told.lag.total_seconds(), 1), "failingSince": failing}
            self.stdout.write(json.dumps(document | {"lastError": told.last_error}))
        else:
            end = f"; fails since {failing}: {told.last_error}" if failing else ""
            done = f"{told.next_index} of {told.size} signed events are forwarded to {settings.AUDIT_SYSLOG}"
            self.stdout.write(f"{sent} events sent; {done}{end}.")
        if failing:
            sys.exit(1)
