"""The life of an alert, and when it is told; no store, no clock."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from unittest import TestCase

import pytest

from monitoring.alerts import Family, Rule, Severity, Status
from monitoring.alerts.grouping import Alert, inhibited, to_tell
from monitoring.alerts.machine import Standing, advance
from monitoring.alerts.measuring import Measured, measure
from monitoring.alerts.messages import document
from monitoring.alerts.rules import Absence, Quantile, Rate, Ratio
from monitoring.channels.wording import subject_line
from monitoring.rollups import Selector

pytestmark = pytest.mark.embedded  # no store is asked

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
RULE = Rule(
    name="busy",
    family=Family.ERRORS,
    severity=Severity.WARNING,
    title="Busy",
    expression=Rate(of=Selector("s"), seconds=60),
    threshold=10,
    clear=5,
    for_seconds=30,
    clear_after_seconds=60,
)


def at(seconds):
    return NOON + timedelta(seconds=seconds)


class Life(TestCase):
    """ok → pending → firing → resolved, and no other way."""

    def walk(self, *values, rule=RULE, every=15):
        standing, statuses = Standing(), []
        for number, value in enumerate(values):
            standing = advance(rule, standing, Measured(value, value), at(number * every))
            statuses.append(standing.status.value)
        return statuses

    def test_it_fires_when_it_was_true_for_long_enough(self):
        self.assertEqual(self.walk(0, 11, 11, 11), ["ok", "pending", "pending", "firing"])

    def test_the_threshold_itself_is_not_above_it(self):
        self.assertEqual(self.walk(10, 10, 10, 10), ["ok"] * 4)

    def test_a_pause_while_pending_begins_anew(self):
        self.assertEqual(self.walk(11, 11, 0, 11, 11, 11)[-3:], ["pending", "pending", "firing"])

    def test_without_a_wait_it_fires_at_once(self):
        self.assertEqual(self.walk(11, rule=replace(RULE, for_seconds=0)), ["firing"])

    def test_between_both_thresholds_it_goes_on(self):
        self.assertEqual(self.walk(11, 11, 11, *[7] * 20)[-1], "firing")

    def test_it_resolves_when_it_was_calm_for_long_enough(self):
        statuses = self.walk(11, 11, 11, 5, 5, 5, 5, 5)
        self.assertEqual(statuses[-2:], ["firing", "resolved"])

    def test_one_bad_moment_makes_the_calm_begin_anew(self):
        self.assertEqual(self.walk(11, 11, 11, 5, 5, 5, 5, 7, 5, 5, 5, 5)[-1], "firing")

    def test_it_may_fire_again(self):
        statuses = self.walk(11, 11, 11, 5, 5, 5, 5, 5, 11, 11, 11)
        self.assertEqual(statuses[-3:], ["pending", "pending", "firing"])

    def test_what_is_not_known_changes_nothing(self):
        firing = Standing(status=Status.FIRING, since=NOON, fired_at=NOON)
        self.assertEqual(advance(RULE, firing, Measured(None, None), at(3600)), firing)


class Numbers:
    """A source of one's own."""

    def __init__(self, heard=True, **totals):
        self.heard, self.totals = heard, totals

    def is_heard(self):
        return self.heard

    def total(self, selector, seconds):
        return self.totals.get(f"{selector.name}{seconds}", 0)

    def quantile(self, selector, q, seconds):
        return 3.0


class Measuring(TestCase):
    """What an expression comes to."""

    RATIO = Ratio(part=Selector("p"), whole=Selector("w"), windows=(300, 60), calm=300, least=5)

    def test_a_ratio_holds_in_both_windows_at_once(self):
        now = Numbers(p300=50, w300=100, p60=1, w60=100)
        self.assertEqual(measure(self.RATIO, now), Measured(0.01, 0.5))

    def test_few_events_are_no_ratio(self):
        self.assertEqual(measure(self.RATIO, Numbers(p300=4, w300=4, p60=4, w60=4)).value, 0)
        self.assertEqual(measure(self.RATIO, Numbers(p300=5, w300=5, p60=5, w60=5)).value, 1)

    def test_a_quantile_of_few_is_none(self):
        quantile = Quantile(of=Selector("s"), q=0.95, seconds=60, least=20)
        self.assertEqual(measure(quantile, Numbers(s60=19)).value, 0)
        self.assertEqual(measure(quantile, Numbers(s60=20)).value, 3)

    def test_silence_is_absence_and_never_ok(self):
        absence = Absence(of=Selector("s"), seconds=60)
        self.assertEqual(measure(absence, Numbers(heard=False)).value, 1)
        self.assertEqual(measure(absence, Numbers(heard=False, s60=1)).value, 0)
        for expression in (self.RATIO, RULE.expression, Quantile(of=Selector("s"), q=0.5, seconds=60)):
            self.assertEqual(measure(expression, Numbers(heard=False)), Measured(None, None))


def alert(
    name="busy", status=Status.FIRING, since=0, told=None, told_at=None, *, severity=Severity.WARNING, muted=False
):
    standing = Standing(status=status, since=at(since), fired_at=at(min(since, 0)))
    told_at = None if told_at is None else at(told_at)
    rule = replace(RULE, name=name, severity=severity)
    return Alert(rule=rule, standing=standing, told=told, told_at=told_at, is_muted=muted)


class Telling(TestCase):
    """Together, soon, and not again and again."""

    def names(self, alerts, seconds):
        return [one.rule.name for one in to_tell(alerts, at(seconds))]

    def test_the_first_waits_half_a_minute_for_others(self):
        alerts = [alert("one"), alert("two", since=20)]
        self.assertEqual(self.names(alerts, 29), [])
        self.assertEqual(self.names(alerts, 30), ["one", "two"])

    def test_what_is_critical_does_not_wait_and_takes_the_others_along(self):
        self.assertEqual(self.names([alert("one"), alert("two", severity=Severity.CRITICAL)], 0), ["one", "two"])

    def test_the_next_of_the_family_waits_five_minutes(self):
        alerts = [alert("one", told=Status.FIRING, told_at=0), alert("two", since=60)]
        self.assertEqual(self.names(alerts, 299), [])
        self.assertEqual(self.names(alerts, 300), ["two"])

    def test_one_that_is_worse_than_what_was_told_does_not(self):
        told = alert("new_kind", told=Status.FIRING, told_at=50, severity=Severity.INFO)
        self.assertEqual(self.names([told, alert("failing", since=60)], 89), [])
        self.assertEqual(self.names([told, alert("failing", since=60)], 90), ["failing"])

    def test_what_was_told_is_told_again_after_four_hours(self):
        alerts = [alert(told=Status.FIRING, told_at=0)]
        self.assertEqual(self.names(alerts, 4 * 3600 - 1), [])
        self.assertEqual(self.names(alerts, 4 * 3600), ["busy"])

    def test_its_end_is_told_to_whoever_was_told(self):
        over = {"status": Status.RESOLVED, "since": 600}
        self.assertEqual(self.names([alert(told=Status.FIRING, told_at=0, **over)], 630), ["busy"])
        self.assertEqual(self.names([alert(told=Status.RESOLVED, told_at=610, **over)], 700), [])

    def test_what_came_and_went_before_its_turn_is_told_still(self):
        self.assertEqual(self.names([alert(status=Status.RESOLVED, since=20)], 60), ["busy"])

    def test_what_is_muted_is_not_told_but_its_end_is(self):
        self.assertEqual(self.names([alert(muted=True)], 60), [])
        self.assertEqual(self.names([alert(told=Status.FIRING, told_at=0, muted=True)], 5 * 3600), [])
        ended = alert(status=Status.RESOLVED, since=600, told=Status.FIRING, told_at=0, muted=True)
        self.assertEqual(self.names([ended], 630), ["busy"])

    def test_what_is_explained_is_muted_while_it_is_and_for_as_long_as_it_looks_back(self):
        other = replace(RULE, name="other", clear_after_seconds=60)
        worse = replace(RULE, name="worse", inhibits=("other",))
        for standing, seconds, expected in (
            (Standing(status=Status.FIRING, since=at(0)), 9999, {"other"}),
            (Standing(status=Status.PENDING, since=at(0)), 0, set()),
            (Standing(status=Status.RESOLVED, since=at(0)), 59, {"other"}),
            (Standing(status=Status.RESOLVED, since=at(0)), 60, set()),
        ):
            self.assertEqual(inhibited([(worse, standing), (other, Standing())], at(seconds)), expected)


class Wording(TestCase):
    """A subject line tells of what fires, and of the worst of it; not of what is over."""

    def subject(self, *alerts):
        return subject_line(document(alerts, installation="https://api.example.in", runbooks="docs/", now=NOON))

    def alert(self, title, severity, status):
        rule = replace(RULE, name=title.lower(), title=title, severity=severity)
        return Alert(rule=rule, standing=Standing(status=status, since=NOON, fired_at=NOON, value=1.0))

    def test_it_is_that_of_the_worst_that_fires(self):
        over = self.alert("Over", Severity.CRITICAL, Status.RESOLVED)
        fires = self.alert("Fires", Severity.INFO, Status.FIRING)
        worse = self.alert("Worse", Severity.WARNING, Status.FIRING)
        self.assertEqual(self.subject(over), "[RESOLVED: critical] Over")
        self.assertEqual(self.subject(over, fires), "[FIRING: info] Fires (and 1 more)")
        self.assertEqual(self.subject(over, fires, worse), "[FIRING: warning] Worse (and 2 more)")
