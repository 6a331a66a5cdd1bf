"""Days of traffic in a second: requests and errors drawn by chance from a fixed seed, looked at by the real rules.

Everything pure is the product's own; what is simulated is the traffic, the five seconds until a flush, and the clock.
"""

import math
import random
from array import array
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from monitoring.alerts.catalogue.requests import ERRORS
from monitoring.alerts.grouping import Alert, inhibited, to_tell
from monitoring.alerts.machine import Standing, Status, advance
from monitoring.alerts.measuring import measure
from monitoring.alerts.rules import Rule
from monitoring.rollups import REQUESTS, STATEMENTS, Selector

START = datetime(2026, 11, 1, tzinfo=UTC)
FLUSH = 5  # seconds
EVERY = 15
USUAL = 0.001
DAY = 24 * 3600


def poisson(chance: random.Random, mean: float) -> int:
    """How many, where `mean` are expected."""
    if mean > 50:
        return max(0, round(chance.gauss(mean, math.sqrt(mean))))
    limit, product, count = math.exp(-mean), chance.random(), 0
    while product > limit:
        product *= chance.random()
        count += 1
    return count


class Traffic:
    """`rps` requests a second for `seconds`, of which the part `share(second)` fails; a `Source` for the rules."""

    def __init__(self, *, rps: float, seconds: int, share: Callable[[int], float] = lambda _: USUAL, seed: int = 1):
        chance = random.Random(seed)
        self._all, self._failed = array("q", [0]), array("q", [0])
        for second in range(0, seconds, FLUSH):
            requests = poisson(chance, rps * FLUSH)
            part = share(second)
            failed = requests if part >= 1 else min(requests, poisson(chance, requests * part))
            self._all.append(self._all[-1] + requests)
            self._failed.append(self._failed[-1] + failed)
        self.now = 0

    def is_heard(self) -> bool:
        return True

    def total(self, selector: Selector, seconds: int) -> float:
        if selector.name == "kf_refusals_total":
            return 0.0
        # What has a name of its own is a part too: slow statements, say.
        is_whole = selector.name in (REQUESTS.name, STATEMENTS.name) and not selector.having
        sums = self._all if is_whole else self._failed
        # As the reader does it: from the interval in which the window began.
        step = 10 if seconds <= 600 else 60 if seconds <= 6 * 3600 else 3600
        start = max(0, self.now - seconds)
        return sums[self.now // FLUSH] - sums[(start - start % step) // FLUSH]


class Evaluator:
    """The evaluator without a database. `fired` and `told` hold what happened, with its second."""

    def __init__(self, traffic: Traffic, rules: tuple[Rule, ...] = ERRORS) -> None:
        self.traffic, self.rules = traffic, rules
        self.standings = {rule.name: Standing() for rule in rules}
        self.memory: dict[str, tuple[Status | None, datetime | None]] = {rule.name: (None, None) for rule in rules}
        self.fired: list[tuple[int, str]] = []
        self.told: list[tuple[int, str, str]] = []
        self.messages = 0

    def run(self, *, since: int = 0, until: int) -> "Evaluator":
        for second in range(since, until, EVERY):
            self.traffic.now = second
            now = START + timedelta(seconds=second)
            for rule in self.rules:
                if second % rule.every_seconds < EVERY:
                    before = self.standings[rule.name]
                    after = advance(rule, before, measure(rule.expression, self.traffic), now)
                    self.standings[rule.name] = after
                    if after.status is Status.FIRING and before.status is not Status.FIRING:
                        self.fired.append((second, rule.name))
            if any(standing.status is not Status.OK for standing in self.standings.values()):
                self._tell(second, now)
        return self

    def _tell(self, second: int, now: datetime) -> None:
        quiet = inhibited([(rule, self.standings[rule.name]) for rule in self.rules], now)
        alerts = []
        for rule in self.rules:
            told, told_at = self.memory[rule.name]
            alert = Alert(
                rule=rule,
                standing=self.standings[rule.name],
                told=told,
                told_at=told_at,
                is_muted=rule.name in quiet,
            )
            if alert.is_muted and alert.is_unheard:
                self.memory[rule.name] = (Status.RESOLVED, now)
            alerts.append(alert)
        chosen = to_tell(alerts, now)
        self.messages += bool(chosen)
        for alert in chosen:
            self.memory[alert.rule.name] = (alert.standing.status, now)
            self.told.append((second, alert.rule.name, alert.standing.status.value))

    def first(self, name: str) -> int | None:
        """Second at which the rule fired first."""
        return next((second for second, fired in self.fired if fired == name), None)
