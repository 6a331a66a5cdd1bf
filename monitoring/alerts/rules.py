"""What a rule of alerting is: typed data, checked when it is made. No rule holds code. Pure.

A rule is true while its value is above its threshold, and over once its value was at most `clear` for long enough.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from monitoring.rollups import Selector


class Family(StrEnum):
    """What a rule is about; alerts of one family that fire together are told together."""

    ERRORS = "errors"
    PERFORMANCE = "performance"
    SECURITY = "security"
    DATABASE = "database"
    OPERATION = "operation"


class Severity(StrEnum):
    """CRITICAL and WARNING want somebody now; INFO can wait for the morning and goes to no pager."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for the least."""
        return tuple(Severity).index(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """`part` of `whole` in each of `windows` (seconds) at once: the long one shows that it matters, the short one that
    it goes on. 0 while fewer than `least` of `part` stand in the longest. Of both, `less` is left out.

    It is over by the ratio in `calm` seconds: longer than the pauses of a fault that comes and goes.
    """

    part: Selector
    whole: Selector
    windows: tuple[int, ...]
    calm: int
    least: int = 1
    less: Selector | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How many were counted in `seconds`."""

    of: Selector
    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantile:
    """The `q`-quantile (0 to 1) of a histogram's `_bucket` series over `seconds`; 0 for fewer than `least`."""

    of: Selector
    q: float
    seconds: int
    least: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """The largest value that any process told of a gauge in `seconds`."""

    of: Selector
    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """By how much a number that only grows has grown in `seconds`."""

    of: Selector
    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowthRatio:
    """By how much `part` has grown in `seconds`, of what `whole` has; 0 while that is less than `least`."""

    part: Selector
    whole: Selector
    seconds: int
    least: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """What the evaluator measures itself, by its name in `gauges.py`."""

    name: str


class Scope(StrEnum):
    """Of whose events the most count."""

    ALL = "all"
    ADDRESS = "address"
    ACCOUNT = "account"  # to whom it was done
    READER = "reader"  # who did it


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """Audit events of these types in `seconds`, of the address, account or reader that has most, or all together.

    They are read where they were written with the act, so that no crash loses one. `is_each`: none may be missed, so
    after a pause of the evaluator the window reaches back to its last run.
    """

    types: tuple[str, ...]
    seconds: int
    scope: Scope = Scope.ALL
    is_each: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """1 while nothing at all was counted in `seconds`, else 0."""

    of: Selector
    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """Seconds for which the database takes nothing. The processes that serve measure and tell it past the database."""


Expression = Ratio | Rate | Quantile | Peak | Growth | GrowthRatio | Gauge | Events | Absence | Outage
_NAME = re.compile(r"[a-z][a-z0-9_]{2,39}")
_LONGEST_SECONDS = 30 * 24 * 3600


class RuleInvalid(ValueError):  # noqa: N818 - named for what it is
    """A rule contradicts itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule. `title` is the sentence people read; its runbook is `docs/runbooks/<name>.md`.

    `for_seconds` is how long it must be true before it fires. It resolves once its value was at most `clear` (the
    threshold itself where it is not given) for `clear_after_seconds`. While it fires, the rules in `inhibits` are not
    told. It is evaluated at most every `every_seconds`. `is_never_silent`: no silence reaches it and no rule inhibits
    it, because whoever changes records past the product would begin with that. Raises RuleInvalid.
    """

    name: str
    family: Family
    severity: Severity
    title: str
    expression: Expression
    threshold: float
    clear: float | None = None
    for_seconds: int = 0
    clear_after_seconds: int = 300
    every_seconds: int = 15
    inhibits: tuple[str, ...] = ()
    is_never_silent: bool = False

    def __post_init__(self) -> None:
        problems = [problem for problem, is_there in self._problems() if is_there]
        if problems:
            raise RuleInvalid(f"{self.name}: {', '.join(problems)}")

    def _problems(self) -> list[tuple[str, bool]]:
        windows = windows_of(self.expression)
        q = getattr(self.expression, "q", 0.5)
        types = getattr(self.expression, "types", ("any",))
        return [
            ("a name is snake_case of at most 40 letters", not _NAME.fullmatch(self.name)),
            ("a title is a sentence of at most 100 characters", not 0 < len(self.title) <= 100),
            ("it would clear above its threshold", self.clears_at > self.threshold),
            ("a threshold is not negative", self.threshold < 0),
            ("times are not negative", min(self.for_seconds, self.clear_after_seconds, self.every_seconds - 1) < 0),
            ("a window is from 10 seconds to 30 days", any(not 10 <= w <= _LONGEST_SECONDS for w in windows)),
            ("a ratio has two windows", isinstance(self.expression, Ratio) and len(self.expression.windows) != 2),
            ("a quantile lies between 0 and 1", not 0 < q < 1),
            ("events have types", not types),
            ("it inhibits itself", self.name in self.inhibits),
        ]

    @property
    def clears_at(self) -> float:
        return self.threshold if self.clear is None else self.clear

    @property
    def looks_back_seconds(self) -> int:
        """How long after a fault that is over it may still be true, or not yet over."""
        return getattr(self.expression, "calm", 0) + self.clear_after_seconds


def windows_of(expression: Expression) -> tuple[int, ...]:
    """Every window of it, in seconds."""
    if isinstance(expression, Ratio):
        return (*expression.windows, expression.calm)
    return () if isinstance(expression, Gauge | Outage) else (expression.seconds,)


def check_rules(rules: tuple[Rule, ...]) -> None:
    """Raises RuleInvalid where two have one name, or one inhibits what is not there or may never be silent."""
    names = [rule.name for rule in rules]
    loud = {rule.name for rule in rules if rule.is_never_silent}
    for rule in rules:
        if names.count(rule.name) > 1:
            raise RuleInvalid(f"{rule.name}: there are two of this name")
        for name in rule.inhibits:
            if name not in names:
                raise RuleInvalid(f"{rule.name}: inhibits {name}, which is no rule")
            if name in loud:
                raise RuleInvalid(f"{rule.name}: inhibits {name}, which is never silent")
