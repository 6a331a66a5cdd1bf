"""When which alerts are told: together where they belong together, soon where it burns, and not again and again. Pure.

Alertmanager's figures: 30 s from the first of a family to its message (none for critical ones), 5 minutes to the next
that is no worse, 4 hours until what still fires is told again; 5 minutes where each event counts and another person's
came.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitoring.alerts.machine import Standing, Status
from monitoring.alerts.rules import Rule, Severity

WAIT = timedelta(seconds=30)
INTERVAL = timedelta(minutes=5)
REPEAT = timedelta(hours=4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Events of a firing rule of which none may be missed, since it began; and how many pairs of who and whom."""

    since: datetime
    events: int
    subjects: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert, what was last told of it (`told`: None, FIRING or RESOLVED) and when, and whether it is muted now.

    `seen` where each event counts; `told_subjects` is of how many the last message told. `about` names which ones of
    many it is, where the rule looks at the worst of them.
    """

    rule: Rule
    standing: Standing
    told: Status | None = None
    told_at: datetime | None = None
    is_muted: bool = False
    seen: Seen | None = None
    told_subjects: int | None = None
    about: tuple[str, ...] = ()

    @property
    def is_new(self) -> bool:
        """It fires, and nobody was told."""
        return self.standing.status is Status.FIRING and self.told is not Status.FIRING and not self.is_muted

    @property
    def is_over(self) -> bool:
        """It is over, and whoever was told that it fires is still waiting to hear so, muted or not."""
        return self.standing.status is Status.RESOLVED and self.told is Status.FIRING

    @property
    def is_unheard(self) -> bool:
        """It fired and was over before its turn came."""
        fired_at = self.standing.fired_at
        return (
            self.standing.status is Status.RESOLVED
            and self.told is not Status.FIRING
            and fired_at is not None
            and (self.told_at is None or self.told_at < fired_at)
        )

    def is_to_repeat(self, now: datetime) -> bool:
        """It still fires, and was told long ago, or meanwhile somebody else is in it."""
        has_grown = self.seen is not None and self.seen.subjects > (self.told_subjects or 0)
        after = INTERVAL if has_grown else REPEAT
        is_told = self.standing.status is Status.FIRING and self.told is Status.FIRING and self.told_at is not None
        return is_told and not self.is_muted and now - (self.told_at or now) >= after


def to_tell(family: Sequence[Alert], now: datetime) -> list[Alert]:
    """Those of one family that are told now, in one message; mostly none."""
    changed = [alert for alert in family if alert.is_new or alert.is_over or (alert.is_unheard and not alert.is_muted)]
    repeated = [alert for alert in family if alert.is_to_repeat(now)]
    if changed and not any(alert.rule.severity is Severity.CRITICAL for alert in changed):
        first = min(alert.standing.since or now for alert in changed)
        # What is worse than all that was told waits for nothing that was: a new kind of failure (info) is told at the
        # first request that fails, and held back for five minutes that one in five does.
        worst = max(alert.rule.severity.rank for alert in changed)
        last = max((a.told_at for a in family if a.told_at and a.rule.severity.rank >= worst), default=None)
        if now < first + WAIT or (last is not None and now < last + INTERVAL):
            changed = []
    return changed + repeated


def inhibited(alerts: Iterable[tuple[Rule, Standing]], now: datetime) -> set[str]:
    """Names of the rules that are not told because another one explains them: it fires, or did so lately.

    Lately is as far back as the rule that is not told looks: it sees the same fault for so long.
    """
    alerts = list(alerts)
    rules = {rule.name: rule for rule, _ in alerts}
    return {
        name
        for rule, standing in alerts
        for name in rule.inhibits
        if name in rules and _explains(standing, rules[name], now)
    }


def _explains(standing: Standing, other: Rule, now: datetime) -> bool:
    if standing.status is Status.RESOLVED and standing.since is not None:
        return (now - standing.since).total_seconds() < other.looks_back_seconds
    return standing.status is Status.FIRING
