"""Rules about the product at work: its processes, its schedule, its messages."""

from monitoring.alerts.rules import Absence, Family, Gauge, Rate, Rule, Severity
from monitoring.rollups import BEATS, Selector

_SCHEDULE = "kf_schedule_runs_total"
OPERATION = (
    Rule(
        name="server_silent",
        family=Family.OPERATION,
        severity=Severity.CRITICAL,
        title="No server process has been heard of for a minute",
        expression=Absence(of=Selector(BEATS, having=(("role", "server"),)), seconds=60),
        threshold=0,
        for_seconds=30,
        clear_after_seconds=30,
    ),
    Rule(
        name="schedule_stalled",
        family=Family.OPERATION,
        severity=Severity.CRITICAL,
        title="The schedule has delivered nothing and looked for nothing for 2 minutes",
        expression=Absence(
            of=Selector(_SCHEDULE, having=(("entry", "deliver_due"), ("outcome", "success"))), seconds=120
        ),
        threshold=0,
        for_seconds=60,
        clear_after_seconds=60,
    ),
    Rule(
        name="schedule_failing",
        family=Family.OPERATION,
        severity=Severity.WARNING,
        title="Work of the schedule fails again and again",
        expression=Rate(of=Selector(_SCHEDULE, having=(("outcome", "failed"),)), seconds=600),
        threshold=2,
        clear=0,
    ),
    Rule(
        name="schedule_missed",
        family=Family.OPERATION,
        severity=Severity.WARNING,
        title="A function of the schedule has missed its slots",
        expression=Gauge(name="schedule_overdue"),
        threshold=0,
        for_seconds=60,
        clear_after_seconds=60,
    ),
    Rule(
        name="outbox_late",
        family=Family.OPERATION,
        severity=Severity.WARNING,
        title="A message has waited for more than 10 minutes",
        expression=Gauge(name="outbox_oldest_seconds"),
        threshold=600,
        clear=300,
        clear_after_seconds=60,
    ),
    Rule(
        name="outbox_given_up",
        family=Family.OPERATION,
        severity=Severity.WARNING,
        title="A message was given up within the hour",
        expression=Gauge(name="outbox_given_up"),
        threshold=0,
        clear_after_seconds=0,
    ),
    Rule(
        name="rules_not_evaluated",
        family=Family.OPERATION,
        severity=Severity.WARNING,
        title="Rules could not be evaluated for 5 minutes",
        expression=Gauge(name="rules_not_evaluated"),
        threshold=0,
        for_seconds=300,
        clear_after_seconds=60,
    ),
)
