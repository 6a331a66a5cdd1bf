"""Owns the list of what the security audit asks, and how one question is asked. Not what is done with the answers."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, StrEnum
from itertools import islice

from django.conf import settings

logger = logging.getLogger("security.posture")

# Beyond so many subjects a rule names its number and a few examples: a report is read by people.
MOST_NAMED = 100
_EXAMPLES = 5


class Severity(StrEnum):
    """How soon to act: now, today, this month, when convenient."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return list(Severity).index(self)


class Reads(Enum):
    """What a rule looks at. Settings and files are also Django system checks; those never query a database."""

    CONFIGURATION = "configuration"
    INSTALLATION = "installation"  # the database, the running process


class NotVerified(Exception):  # noqa: N818 - named for what happened
    """A rule could not be asked here; its text says why, and holds no secret."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What a rule found: at what, and what is wrong there.

    `subject` is stable from run to run, for it tells a new fault from a standing one. Neither member holds a secret
    or personal data: people and companies are named by id.
    """

    subject: str
    detail: str


Question = Callable[[], Iterable[Fault]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing the audit asks. `why` says what follows from the fault, `remedy` what to do."""

    id: str
    severity: Severity
    title: str
    why: str
    remedy: str
    reads: Reads
    production_only: bool
    question: Question

    @property
    def is_asked(self) -> bool:
        """Whether the rule means anything in this environment."""
        return is_production() or not self.production_only


@dataclass(frozen=True, slots=True)
class Answer:
    """What one rule said; `trouble` says why it could not, and then `faults` tells nothing."""

    rule: Rule
    faults: tuple[Fault, ...] = ()
    trouble: str = ""


_rules: dict[str, Rule] = {}


def finding(
    id: str,  # noqa: A002 - the word of Django's own checks
    *,
    severity: Severity,
    title: str,
    why: str,
    remedy: str,
    reads: Reads = Reads.CONFIGURATION,
    production_only: bool = False,
) -> Callable[[Question], Question]:
    """Register a function that yields the faults it finds. Raises ValueError for an id that is taken."""

    def register(question: Question) -> Question:
        if id in _rules:
            raise ValueError(f"two findings have the id {id}")
        _rules[id] = Rule(id, severity, title, why, remedy, reads, production_only, question)
        return question

    return register


def rules() -> list[Rule]:
    """Every rule, by id."""
    return [_rules[name] for name in sorted(_rules)]


def is_production() -> bool:
    """Whether this installation serves people: the rules that only matter there are asked."""
    return bool(settings.ENVIRONMENT == "production")


def ask(rule: Rule) -> Answer:
    """The rule's answer. A rule that fails, for whatever reason, is an answer too: not verified."""
    try:
        return Answer(rule, _named(iter(rule.question())))
    except NotVerified as reason:
        return Answer(rule, trouble=str(reason))
    except Exception as error:  # reported as not verified, which is a failure of the run
        # The text of the error may quote a value or an address; its type goes into the report, the rest to the log.
        logger.warning("security_audit_rule_failed", extra={"rule": rule.id}, exc_info=True)
        return Answer(rule, trouble=type(error).__name__)


def _named(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    first = tuple(islice(faults, MOST_NAMED + 1))
    if len(first) <= MOST_NAMED:
        return first
    count = len(first) + sum(1 for _ in faults)
    examples = ", ".join(fault.subject for fault in first[:_EXAMPLES])
    return (Fault("many", f"{count} of them, more than are named one by one; for example {examples}"),)
