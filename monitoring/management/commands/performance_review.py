"""Reviews a week's performance against the four weeks before."""

import json
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from monitoring.reviews import NothingCounted, last_week, make_review, plain_text


class Command(BaseCommand):
    help = (
        "Say how long each route took in a week (p95) against the four weeks before, which is slower, and what "
        "changed: release and statements. The schedule does so each Monday and mails it to ALERT_MAIL_TO; this mails "
        "nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--week", type=date.fromisoformat, help="its Monday, such as 2026-11-23 (default: the last)"
        )
        parser.add_argument("--json", dest="is_json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, week: date | None, is_json: bool, **options: Any) -> None:
        try:
            review = make_review(week or last_week(timezone.now()))
        except NothingCounted as nothing:
            raise CommandError(str(nothing), returncode=1) from nothing
        except (ValueError, OverflowError) as error:
            raise CommandError(str(error)) from error
        if is_json:
            self.stdout.write(json.dumps({"week": str(review.week), **review.document}))
        else:
            self.stdout.write(plain_text(review), ending="")
