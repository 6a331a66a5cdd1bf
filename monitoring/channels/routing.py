"""Who is told: every channel that is set up, each by a row of the outbox; and another one where a channel gave up.

Rows go out in any order, and what waits in them is kept true.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings

from monitoring.channels.senders import PAGERDUTY, SLACK, WEBHOOK
from monitoring.channels.wording import plain_text, subject_line
from monitoring.metrics import metrics
from security.outbox import OutboxMessage, enqueue, send_now

logger = logging.getLogger("monitoring.channels")

MAIL = "mail"
KIND = "alert"


class ChannelNotSet(LookupError):  # noqa: N818 - named for what it is
    """This channel is not set up."""


def configured_channels() -> list[str]:
    """The channels that are set up, in the order in which one stands in for another."""
    wanted = {
        PAGERDUTY: settings.ALERT_PAGERDUTY_KEY,
        WEBHOOK: settings.ALERT_WEBHOOK_URL,
        SLACK: settings.ALERT_SLACK_URL,
        MAIL: settings.ALERT_MAIL_TO,
    }
    return [name for name, is_set in wanted.items() if is_set]


def queue_everywhere(said: Mapping[str, Any]) -> int:
    """Queue `said` on every channel within the open transaction; how many messages that made."""
    _restate(said)
    return sum(_queue(channel, said, tried=[channel]) for channel in configured_channels())


def queue_instead(message: OutboxMessage, **_signal: Any) -> None:
    """Receiver of `message_given_up`: an alert goes to the next channel that has not been tried."""
    if message.kind != KIND or message.payload is None:
        return
    payload = json.loads(message.payload)
    tried = payload["tried"]
    left = [channel for channel in configured_channels() if channel not in tried]
    if not left:
        logger.error("alert_undeliverable", extra={"outbox_id": str(message.pk), "channels": ",".join(tried)})
        return
    _queue(left[0], payload["said"], tried=[*tried, left[0]], is_instead=True)


def count_try(message: OutboxMessage, outcome: str, **_signal: Any) -> None:
    """Receiver of `delivery_tried`, for alerts alone."""
    if message.kind == KIND:
        metrics().alert_deliveries.labels(message.channel, outcome).inc()


def tell_at_once(channel: str, said: Mapping[str, Any]) -> None:
    """Hand `said` to one channel now, past the outbox. Raises ChannelNotSet, DeliveryFailed."""
    if channel not in configured_channels():
        raise ChannelNotSet(f"not set up; there are: {', '.join(configured_channels()) or 'none'}")
    for payload in _payloads(channel, said, tried=[channel], is_instead=True):
        send_now(channel=channel, payload=payload)


def _restate(said: Mapping[str, Any]) -> None:
    """Let what still waits say of these alerts what is said now.

    A receiver that was away gets the old after the new: the end of an alert that fires again would close its incident,
    and the begin of one that is over would open one that nobody closes.
    """
    newest = {alert["fingerprint"]: alert for alert in said["alerts"]}
    waiting = OutboxMessage.objects.waiting().filter(kind=KIND).select_related("subject")
    for message in waiting.select_for_update(of=("self",)):
        payload = json.loads(message.payload or "{}")
        before = payload["said"]["alerts"]
        now = [newest.get(one["fingerprint"], one) for one in before]
        if [one["status"] for one in now] == [one["status"] for one in before]:
            continue
        now.sort(key=lambda one: one["status"] != "firing")
        said_now = {
            **payload["said"],
            "type": f"alert.{now[0]['status']}",
            "severity": now[0]["severity"],
            "at": said["at"],
            "alerts": now,
        }
        payload |= {"said": said_now} | (_words(said_now) if message.channel == MAIL else {})
        message.payload = json.dumps(payload, ensure_ascii=False)
        message.save(update_fields=["payload"])


def _queue(channel: str, said: Mapping[str, Any], *, tried: Sequence[str], is_instead: bool = False) -> int:
    payloads = _payloads(channel, said, tried=tried, is_instead=is_instead)
    for payload in payloads:
        enqueue(channel=channel, kind=KIND, subject=None, payload=payload)
    return len(payloads)


def _payloads(channel: str, said: Mapping[str, Any], *, tried: Sequence[str], is_instead: bool) -> list[dict[str, Any]]:
    whole: dict[str, Any] = {"said": said, "tried": list(tried)}
    if channel == MAIL:
        return [whole | _words(said) | {"to": to} for to in settings.ALERT_MAIL_TO]
    if channel == PAGERDUTY:
        # One incident for one alert; what can wait for the morning pages nobody.
        alerts = [one for one in said["alerts"] if is_instead or one["severity"] != "info"]
        return [whole | {"said": {**said, "alerts": [alert]}} for alert in alerts]
    return [whole]


def _words(said: Mapping[str, Any]) -> dict[str, str]:
    return {"subject": subject_line(said), "body": plain_text(said)}
