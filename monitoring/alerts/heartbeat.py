"""Tells a watcher outside that the evaluator lives: it is the watcher that speaks up when this stops.

healthchecks, gatus and their like take a request each minute and alert by themselves when none comes.
"""

import logging
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from monitoring.alerts.services import evaluated_at
from monitoring.channels import post_guarded
from security.exchange import ExchangeFailed

logger = logging.getLogger("monitoring.alerts")

_FRESH = timedelta(seconds=90)


def ping_watcher() -> bool:
    """Ping ALERT_HEARTBEAT_URL if the evaluator was through lately; whether the watcher took that."""
    if not settings.ALERT_HEARTBEAT_URL:
        return False
    last = evaluated_at()
    if last is None or abs(timezone.now() - last) > _FRESH:  # ahead: the clock was put back
        logger.error("alert_evaluator_silent")
        return False
    try:
        reply = post_guarded(settings.ALERT_HEARTBEAT_URL, b"", headers={"Content-Type": "text/plain"})
    except ExchangeFailed as error:
        logger.warning("alert_heartbeat_failed", exc_info=error)
        return False
    if not 200 <= reply.status < 300:
        logger.warning("alert_heartbeat_refused", extra={"status": reply.status})
        return False
    return True
