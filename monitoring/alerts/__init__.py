"""Alerts: which rules there are, where each stands, who is told when, and who wants not to be."""

from monitoring.alerts.catalogue import RULES
from monitoring.alerts.heartbeat import ping_watcher
from monitoring.alerts.machine import Status
from monitoring.alerts.models import AlertSilence, AlertState
from monitoring.alerts.outage import OutageWatch
from monitoring.alerts.rules import Family, Rule, RuleInvalid, Severity
from monitoring.alerts.services import active_alerts, evaluate_alerts, evaluated_at
from monitoring.alerts.silences import (
    SilenceRefused,
    SilenceUnknown,
    end_silence,
    silence,
    standing_silences,
    told_all_the_same,
)
from monitoring.alerts.trying import try_channel

__all__ = [
    "RULES",
    "AlertSilence",
    "AlertState",
    "Family",
    "OutageWatch",
    "Rule",
    "RuleInvalid",
    "Severity",
    "SilenceRefused",
    "SilenceUnknown",
    "Status",
    "active_alerts",
    "end_silence",
    "evaluate_alerts",
    "evaluated_at",
    "ping_watcher",
    "silence",
    "standing_silences",
    "told_all_the_same",
    "try_channel",
]
