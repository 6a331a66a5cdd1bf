"""Keeps how many sessions live, for the dashboard: who knows sessions and who keeps numbers never meet but here."""

from django.utils import timezone

from accounts.sessions.models import Session
from monitoring.dashboard import SESSIONS
from monitoring.rollups import keep_gauges


def count_sessions() -> None:
    """Count them, and keep the number. Raises DatabaseError."""
    now = timezone.now()
    keep_gauges({SESSIONS: float(Session.objects.alive(now).count())}, at=now)
