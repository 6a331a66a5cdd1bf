"""How alerts reach people: webhook, Slack, PagerDuty and mail, through the outbox."""

from monitoring.channels.guarded import post_guarded
from monitoring.channels.routing import (
    MAIL,
    ChannelNotSet,
    configured_channels,
    count_try,
    queue_everywhere,
    queue_instead,
    tell_at_once,
)
from monitoring.channels.senders import PAGERDUTY, SLACK, WEBHOOK, send_pagerduty, send_slack, send_webhook
from security.outbox import delivery_tried, message_given_up, register_channel

CHANNELS = (MAIL, WEBHOOK, SLACK, PAGERDUTY)

__all__ = [
    "CHANNELS",
    "PAGERDUTY",
    "ChannelNotSet",
    "configured_channels",
    "connect",
    "post_guarded",
    "queue_everywhere",
    "tell_at_once",
]


def connect() -> None:
    """Let the outbox send by these channels; a second call changes nothing."""
    register_channel(WEBHOOK, send_webhook)
    register_channel(SLACK, send_slack)
    register_channel(PAGERDUTY, send_pagerduty)
    message_given_up.connect(queue_instead, dispatch_uid="monitoring.channels")
    delivery_tried.connect(count_try, dispatch_uid="monitoring.channels")
