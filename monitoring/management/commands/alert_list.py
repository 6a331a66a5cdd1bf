"""Lists what fires, and what is silenced."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from monitoring.alerts import active_alerts, standing_silences, told_all_the_same


class Command(BaseCommand):
    help = "List the alerts that are pending or firing, the worst first, and the silences that stand."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", dest="is_json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, is_json: bool, **options: Any) -> None:
        alerts = [
            {
                "rule": alert.rule.name,
                "severity": alert.rule.severity.value,
                "status": alert.status.value,
                "since": alert.since.isoformat(timespec="seconds") if alert.since else None,
                "value": None if alert.value is None else round(alert.value, 4),
                "threshold": alert.rule.threshold,
                "muted": alert.is_muted,
                "told": alert.is_told,
                "title": alert.rule.title,
            }
            for alert in active_alerts()
        ]
        silences = [
            {
                "id": str(one.pk),
                "what": one.what,
                "until": one.until.isoformat(timespec="seconds"),
                "author": one.author,
                "reason": one.reason,
                "neverSilent": told_all_the_same(one),
            }
            for one in standing_silences(timezone.now())
        ]
        if is_json:
            self.stdout.write(json.dumps({"alerts": alerts, "silences": silences}))
            return
        for alert in alerts:
            muted = ", muted" if alert["muted"] else ""
            self.stdout.write(
                "{status} {severity} {rule}: {title} (value {value}, threshold {threshold}, since {since}".format(
                    **alert
                )
                + f"{muted})"
            )
        for one in silences:
            spared = f"; never silent: {', '.join(one['neverSilent'])}" if one["neverSilent"] else ""
            self.stdout.write("silence {id}: {what} until {until}, by {author}: {reason}".format(**one) + spared)
        if not alerts:
            self.stdout.write("nothing fires")
