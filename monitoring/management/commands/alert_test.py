"""Sends a test by one channel of alerts."""

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from monitoring.alerts import try_channel
from monitoring.channels import CHANNELS, ChannelNotSet
from security.operator_account import operator_name
from security.outbox import DeliveryFailed


class Command(BaseCommand):
    help = (
        "Send a test alert by one channel, now. Ends with 0 when the receiver took it, 1 when it did not, 2 when the "
        "channel is not set up."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("channel", choices=CHANNELS)
        parser.add_argument("--json", dest="is_json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, channel: str, is_json: bool, **options: Any) -> None:
        code, outcome = 0, "the receiver took it"
        try:
            try_channel(channel, operator=operator_name())
        except ChannelNotSet as error:
            code, outcome = 2, str(error)
        except DeliveryFailed as error:
            code, outcome = 1, str(error)
        document = {"channel": channel, "delivered": code == 0, "outcome": outcome}
        self.stdout.write(json.dumps(document) if is_json else f"{channel}: {outcome}")
        if code:
            sys.exit(code)
