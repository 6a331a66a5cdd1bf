"""Adds up how suspicious texts are. A pure function of them: what follows from a finding is decided elsewhere."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from security.screening.decoding import decoded
from security.screening.patterns import PATTERNS, Form, Kind, Pattern

MAX_VALUES = 64
# All patterns over one character cost 3 to 4 µs: this many, in however many values, are 8 ms of CPU.
MAX_CHARACTERS = 2_048
# An attack stands behind it, or would have; no form of ours holds so much.
PADDING_WEIGHT = 5
# Below it a finding is no finding: hints alone are how honest people write.
NOTICED_FROM = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """`total` is the score of the worst single value; `kinds` and `places` are sorted names from closed lists.

    The worst value and not the sum of all: an attack stands in one place, and a long honest form would add up.
    """

    total: int = 0
    kinds: tuple[str, ...] = ()
    places: tuple[str, ...] = ()


NOTHING = Finding()

# What no pattern can begin to match without. Indian scripts are safe bytes; other non-ASCII text may be letters in
# disguise (fullwidth, mathematical), and is looked at.
_HARMLESS = (
    b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 -_.,@:/+~^!?[]{}"
    + bytes(range(0x80, 0xC0))
    + b"\xe0"
)
_HARMLESS_IN_JSON = _HARMLESS + b'"\n\r\t'
# What harmless characters can still say. Each alternative begins with a mark that is rare in text, so that the search
# skips from mark to mark; a query of SQL always has one of the words behind a blank.
_WORDS = rb"(?:select|from|union|into|table|database|by|set|delay|having|-[a-z]|(?:or|and)[ +][\dtn])"
_telling = re.compile(
    rb"\.(?:\.|exe|ini|php|env|git|proto|asp|jsp|sql|bak|cgi|py|config)"
    rb"|/(?:[.?]|etc|proc|bin|usr|dev|var|root|home|wp-|cgi-|actuator|vendor|server-|solr|jenkins|manager|phpmy|web-inf"
    rb"|hnap|boaform)"
    rb"|--|__|\[\[|\{\{|\?[?*]|:[a-z/(]"
    rb"| " + _WORDS + rb"|\+" + _WORDS
).search


def score(values: Iterable[tuple[str, str | None]]) -> Finding:
    """What `values`, pairs of (place, text), amount to; None stands for a text that nobody has read.

    Of those that are not plain it reads MAX_VALUES and MAX_CHARACTERS at most: what a stranger can make us do is
    bounded. Whatever suspicious is left unread is a finding itself.
    """
    total = 0
    kinds: set[str] = set()
    places: set[str] = set()
    left = MAX_CHARACTERS
    looked_at = 0
    for place, text in values:
        if text is not None and is_plain(text):
            continue
        is_unread = text is None or looked_at == MAX_VALUES
        if text is not None and not is_unread:
            looked_at += 1
            found, read = _matches(text, left)
            is_unread = read == left
            left -= read
            weight = sum(pattern.weight for pattern in found)
            if weight >= NOTICED_FROM:
                total = max(total, weight)
                kinds.update(pattern.kind.value for pattern in found)
                places.add(place)
        if is_unread:
            total = max(total, PADDING_WEIGHT)
            kinds.add(Kind.PADDING.value)
            places.add(place)
            break
    return Finding(total, tuple(sorted(kinds)), tuple(sorted(places))) if total else NOTHING


def is_plain(text: str) -> bool:
    """Whether `text` holds nothing that any pattern needs. A few hundred nanoseconds; most texts end here."""
    raw = text.encode("utf-8", "surrogatepass")
    return not raw.translate(None, _HARMLESS) and _telling(raw.lower()) is None


def is_plain_json(raw: bytes) -> bool:
    """is_plain() of all names and texts of a JSON document at once, without parsing it."""
    return not raw.translate(None, _HARMLESS_IN_JSON) and _telling(raw.lower()) is None


def _matches(text: str, most: int = MAX_CHARACTERS) -> tuple[list[Pattern], int]:
    """What matches in the first `most` characters, and how many were read: some are eighteen in their plain form."""
    text = text[:most]
    lines = decoded(text)[:most]
    seen = {Form.AS_SENT: text.lower(), Form.LINES: lines, Form.FLAT: lines.replace("\n", " ")}
    found = [pattern for pattern in PATTERNS if pattern.expression.search(seen[pattern.form])]
    return found, max(len(text), len(lines))
