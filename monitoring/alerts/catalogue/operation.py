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
        expression=Gauge(name="rule_unanswered_seconds"),
        threshold=300,
        clear=0,
        clear_after_seconds=60,
    ),
    Rule(
        name="cache_errors",
        family=Family.OPERATION,
        severity=Severity.WARNING,
        title="The cache does not answer",
        # A process that finds it away asks again every five seconds, so that each counts twelve a minute.
        expression=Rate(of=Selector("kf_cache_errors_total"), seconds=300),
        threshold=10,
        clear=2,
        clear_after_seconds=60,
    ),
    Rule(
        name="series_dropped",
        family=Family.OPERATION,
        severity=Severity.INFO,
        title="Requests were counted under no route: a process had too many series",
        expression=Rate(of=Selector("kf_metrics_dropped_series_total"), seconds=600),
        threshold=0,
        every_seconds=60,
    ),
    Rule(
        name="series_full",
        family=Family.OPERATION,
        severity=Severity.WARNING,
        title="Three quarters of the series that can be kept are there",
        # One process brings up to 4,000 at once, and all of what has no room is left out: told before that.
        expression=Gauge(name="rollup_series_ratio"),
        threshold=0.75,
        clear=0.7,
        every_seconds=300,
    ),
    Rule(
        name="errors_dropped",
        family=Family.OPERATION,
        severity=Severity.INFO,
        title="Failures were logged that no group counts",
        expression=Rate(of=Selector("kf_errors_dropped_total"), seconds=600),
        threshold=0,
        every_seconds=60,
    ),
)
