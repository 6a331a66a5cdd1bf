"""What is suspicious, and how much: every pattern of the tables, compiled. It decides nothing; `score.py` adds up.

Weights are those of the OWASP Core Rule Set: 5 is an attack and hardly anything else, 4 most likely one, 3 a piece of
one that honest people write now and then, 2 a hint that counts only beside another.

Patterns are searched in lower case, in at most MAX_VALUE_CHARACTERS that `decoding.py` has brought into one plain form.
No repetition in them is without an upper bound and none stands inside another but for a few of fixed small size, so
that the work at each character is bounded (no ReDoS); a test reads the patterns and holds that.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import Any

from security.screening.tables import command, disguise, log, nosql, path, script, sql, template


class Kind(StrEnum):
    """What an attack aims at: a label of events and metrics."""

    SQL = "sql"
    NOSQL = "nosql"
    SCRIPT = "script"
    PATH = "path"
    TEMPLATE = "template"
    LOG = "log"
    COMMAND = "command"
    PADDING = "padding"  # of no table: more that is suspicious than is read


class Form(Enum):
    """Which form of the text a pattern is about."""

    AS_SENT = auto()  # before decoding: the disguise itself
    LINES = auto()  # decoded, line breaks kept
    FLAT = auto()  # decoded, line breaks are blanks


@dataclass(frozen=True, slots=True)
class Pattern:
    """`reason` says in words what a match means; it is for people who read the table, and is recorded nowhere."""

    kind: Kind
    weight: int
    reason: str
    expression: re.Pattern[str]
    form: Form


def _patterns(kind: Kind, rows: Iterable[tuple[Any, ...]], form: Form = Form.FLAT) -> Iterator[Pattern]:
    for weight, reason, *alternatives in rows:
        yield Pattern(kind, weight, reason, re.compile("|".join(alternatives)), form)


PATTERNS: tuple[Pattern, ...] = (
    *_patterns(Kind.SQL, sql.ROWS),
    *_patterns(Kind.NOSQL, nosql.ROWS),
    *_patterns(Kind.SCRIPT, script.ROWS),
    *_patterns(Kind.PATH, path.ROWS),
    *_patterns(Kind.TEMPLATE, template.ROWS),
    *_patterns(Kind.LOG, log.ROWS, Form.LINES),
    *_patterns(Kind.COMMAND, command.ROWS, Form.LINES),
    *(pattern for kind, *row in disguise.ROWS for pattern in _patterns(Kind(kind), [tuple(row)], Form.AS_SENT)),
)
