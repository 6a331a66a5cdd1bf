"""Owns what one run found and how two runs differ, as values. Pure: it asks nothing and stores nothing."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from security.posture.registry import Answer, Severity


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault at one subject. `key` is the same in every run that finds it: a ticket may be named for it."""

    id: str
    severity: Severity
    title: str
    subject: str
    detail: str
    remedy: str

    @property
    def key(self) -> str:
        return f"{self.id}:{self.subject}"

    def as_document(self) -> dict[str, str]:
        """The finding as JSON members."""
        return {"key": self.key, **asdict(self), "severity": self.severity.value}

    @classmethod
    def from_document(cls, document: Mapping[str, str]) -> "Finding":
        """The finding that `as_document` wrote."""
        members = {name: document[name] for name in ("id", "title", "subject", "detail", "remedy")}
        return cls(severity=Severity(document["severity"]), **members)


@dataclass(frozen=True, slots=True)
class Trouble:
    """A rule that could not be asked, and why."""

    id: str
    title: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one run found. `verified` are the ids of the rules that answered, `not_asked` those of no meaning here."""

    started_at: datetime
    ended_at: datetime
    version: str
    environment: str
    findings: tuple[Finding, ...]
    troubles: tuple[Trouble, ...]
    verified: tuple[str, ...]
    not_asked: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """Number of findings of each severity, the worst first."""
        found = Counter(finding.severity for finding in self.findings)
        return {severity.value: found[severity] for severity in Severity}

    def exit_code(self, *, fail_on: Severity | None) -> int:
        """2 when something could not be verified, 1 when a finding is as bad as `fail_on` or worse, else 0."""
        if self.troubles:
            return 2
        return int(fail_on is not None and any(f.severity.rank <= fail_on.rank for f in self.findings))


@dataclass(frozen=True, slots=True)
class Difference:
    """How a run differs from the one before.

    `unknown` were found before, and their rule did not answer this time: nobody knows whether they still stand, so
    they do not count as fixed.
    """

    new: tuple[Finding, ...]
    fixed: tuple[Finding, ...]
    standing: tuple[Finding, ...]
    unknown: tuple[Finding, ...]


def findings_of(answers: Iterable[Answer]) -> tuple[Finding, ...]:
    """What the rules found, the worst first, then by id."""
    found = [
        Finding(rule.id, rule.severity, rule.title, fault.subject, fault.detail, rule.remedy)
        for rule, faults in ((answer.rule, answer.faults) for answer in answers)
        for fault in faults
    ]
    return tuple(sorted(found, key=lambda finding: (finding.severity.rank, finding.id)))


def difference(*, before: Iterable[Finding], now: Iterable[Finding], verified: Iterable[str]) -> Difference:
    """What is new, fixed, standing or unknown `now`, when the rules `verified` answered."""
    earlier, later = {f.key: f for f in before}, {f.key: f for f in now}
    gone, answered = [f for key, f in earlier.items() if key not in later], set(verified)
    return Difference(
        new=tuple(f for key, f in later.items() if key not in earlier),
        fixed=tuple(f for f in gone if f.id in answered),
        standing=tuple(f for key, f in later.items() if key in earlier),
        unknown=tuple(f for f in gone if f.id not in answered),
    )
