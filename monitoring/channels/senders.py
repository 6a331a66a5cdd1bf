"""The ways out for alerts, in the words of each receiver. They are tried by the outbox, again and again if need be."""

import json
import time
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.conf import settings

from monitoring.channels.guarded import AddressRefused, post_guarded
from monitoring.channels.signing import signed_headers
from monitoring.channels.wording import plain_text, subject_line
from security.exchange import ExchangeFailed
from security.outbox import ChannelDown, DeliveryFailed, Undeliverable

WEBHOOK, SLACK, PAGERDUTY = "webhook", "slack", "pagerduty"
_JSON = {"Content-Type": "application/json"}


def send_webhook(message: UUID, payload: Mapping[str, Any]) -> None:
    """Signed by Standard Webhooks. Raises DeliveryFailed; 410 is the receiver's word for never again."""
    said = payload["said"]
    body = json.dumps({"type": said["type"], "timestamp": said["at"], "data": said}).encode()
    signed = signed_headers(
        body, message_id=str(message), timestamp=int(time.time()), secrets=settings.ALERT_WEBHOOK_SECRETS
    )
    _post(settings.ALERT_WEBHOOK_URL, body, headers=_JSON | signed, for_good=(410,))


def send_slack(_message: UUID, payload: Mapping[str, Any]) -> None:
    """As an incoming webhook of Slack, Mattermost or another that takes `{"text": …}`. Raises DeliveryFailed."""
    text = f"*{subject_line(payload['said'])}*\n{plain_text(payload['said'])}"
    # Three characters are Slack's control characters; nothing else is escaped.
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    _post(settings.ALERT_SLACK_URL, json.dumps({"text": text}).encode(), headers=_JSON, for_good=(400, 410))


def send_pagerduty(_message: UUID, payload: Mapping[str, Any]) -> None:
    """One event of the Events API v2 for the one alert in the message: its fingerprint puts both ends together."""
    said = payload["said"]
    (alert,) = said["alerts"]
    event: dict[str, Any] = {
        "routing_key": settings.ALERT_PAGERDUTY_KEY,
        "event_action": "trigger" if alert["status"] == "firing" else "resolve",
        "dedup_key": alert["fingerprint"],
        "client": "KoshFlow",
        "payload": {
            "summary": alert["title"],
            "source": said["installation"],
            "severity": alert["severity"],
            "group": said["family"],
            "class": alert["rule"],
            "timestamp": said["at"],
            "custom_details": alert,
        },
    }
    if alert["runbook"].startswith("https://"):
        event["links"] = [{"href": alert["runbook"], "text": "Runbook"}]
    _post(settings.ALERT_PAGERDUTY_URL, json.dumps(event).encode(), headers=_JSON, for_good=(400,))


def _post(url: str, body: bytes, *, headers: Mapping[str, str], for_good: tuple[int, ...]) -> None:
    if not url:
        raise ChannelDown("nothing is set for this channel any more")
    try:
        reply = post_guarded(url, body, headers=headers)
    except AddressRefused as error:
        raise ChannelDown(str(error)) from None
    except ExchangeFailed as error:
        raise ChannelDown(str(error)) from error
    if 200 <= reply.status < 300:
        return
    if reply.status in for_good:
        raise Undeliverable(f"the receiver refused it for good ({reply.status})")
    # A redirect too: whoever answers at the address must not choose another for us.
    raise DeliveryFailed(f"the receiver answered {reply.status}")
