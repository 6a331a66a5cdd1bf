"""What no sink may hold: the names whose values are secret or personal, and the shapes such values have in free text.

Logs, error groups and alerts all ask here. It decides nothing about audit events, which encrypt instead.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

from security.errors.codes import CODES

REDACTED = "[redacted]"
_MAX_DEPTH = 6

# Compared word by word, so that `company` does not hide for its "pan".
_WORDS = frozenset(
    {
        "password", "passwd", "passphrase", "pwd", "token", "jwt", "bearer", "authorization", "cookie", "secret",
        "credential", "otp", "totp", "code", "pin", "csrf", "csrfmiddlewaretoken", "sessionid", "apikey", "signature",
        "salt", "pepper", "seed", "dsn",
        "email", "mail", "phone", "mobile", "tel", "pan", "gstin", "gst", "aadhaar", "ifsc", "address", "addresses",
        "addr", "ip", "birthday", "dob", "username", "surname",
    }
)  # fmt: skip
# Harmless words that become personal or secret side by side.
_PAIRS = frozenset(
    {
        ("api", "key"), ("private", "key"), ("signing", "key"), ("encryption", "key"), ("data", "key"),
        ("company", "name"), ("admin", "name"), ("full", "name"), ("first", "name"), ("last", "name"),
        ("user", "name"), ("person", "name"), ("display", "name"), ("manual", "entry"), ("qr", "code"),
        ("otpauth", "url"), ("session", "key"), ("database", "url"), ("redis", "url"), ("forwarded", "for"),
    }
)  # fmt: skip
# Whole names: as a part of another name they are harmless (`query_count`).
_WHOLE = frozenset({"query", "querystring", "query_string", "body", "payload", "login", "params", "parameters", "data"})
# Names that hold a forbidden word and yet are ours to log: the word is a kind of thing there, not a value.
_HARMLESS = frozenset({"status_code", "code_name", "errorcode", "error_code", "sqlstate", "exit_code"})

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

# The driver quotes whole rows and parameters after these labels (PostgreSQL's message fields).
_DATABASE_TAIL = re.compile(
    r"\b(DETAIL|CONTEXT|QUERY|STATEMENT|LINE \d+|Failing row contains|Key \([^)]*\)=):?\s*\S.*", re.DOTALL
)
_SHAPES = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?<=://)[^/\s@]+(?=@)",  # user:password of a URL
        r"[^\s@<>\"'(),;:=\[\]{}]{1,64}@[^\s@<>\"'(),;:=\[\]{}]{1,255}",  # e-mail address
        r"\beyJ[\w-]{5,}(?:\.[\w-]+){0,2}",  # JWT
        r"(?i:\b(?:bearer|basic|token)\s+)[\w.~+/=-]{8,}",
        r"(?i:\b(?:password|passwd|pwd|secret|token|api[_-]?key|authorization|cookie)\b[\"']?\s*[=:]\s*)\S+",
        r"(?i:\botpauth://)\S+",
        r"\b(?:\d{2})?[A-Z]{5}\d{4}[A-Z](?:[0-9A-Z]{3})?\b",  # PAN, GSTIN
        r"(?<![\w.])\+\d(?:[ -]?\d){7,13}(?!\w|\.\d)",  # E.164 phone
        r"(?<![\w.])[6-9]\d{9}(?!\w|\.\d)",  # Indian mobile without its country
        r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?!\w|\.\d)",  # IPv4 address
        r"(?<![\w:])(?:[0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}(?![\w:])",  # IPv6 address
        r"(?<![\w:])(?:[0-9a-fA-F]{1,4}(?::[0-9a-fA-F]{1,4})*)?::(?:[0-9a-fA-F]{1,4}(?::[0-9a-fA-F]{1,4})*)?(?![\w:])",
    )
)
# What a library quotes. repr() and JSON escape a quote inside, others do not: one that a letter follows closes nothing.
# One that is never closed hides the rest, for its end was cut off. No group here is possessive: Python 3.11.2, that of
# Debian 12, then finds nothing, and what was quoted stood in the log. It is linear without: nothing is tried twice.
_QUOTED = re.compile(
    r"""\"(?:[^\"\\]|\\.|\"(?=\w))*(?:\"|\\?\Z)|(?<!\w)'(?:[^'\\]|\\.|'(?=\w))*(?:'|\\?\Z)""", re.DOTALL
)
# Names, words, route templates, hashes and ids can be none of the shapes (a JWT is looked for besides); most texts are
# one of these, and skip a dozen searches.
_is_plain = re.compile(
    r"(?:[A-Za-z_.-]|/\d?|<(?:[a-z]+:)?[a-z_]+>){0,256}|[0-9a-f]{64}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
).fullmatch


def is_any_word(name: str, words: frozenset[str]) -> bool:
    """Whether a word of `name` (snake_case, camelCase or Header-Case) is one of `words`, or the plural of one."""
    return any(word in words or word.removesuffix("s") in words for word in words_of(name))


def words_of(name: str) -> list[str]:
    """What `name` is made of, in small letters."""
    return [word.lower() for word in _WORD.findall(name)]


@lru_cache(maxsize=2048)
def is_sensitive(name: str) -> bool:
    """Whether a value under `name` (snake_case, camelCase or Header-Case) must never be written down."""
    lowered = name.lower()
    if lowered in _HARMLESS or lowered in _WHOLE:
        return lowered in _WHOLE
    return is_any_word(name, _WORDS) or any(pair in _PAIRS for pair in pairwise(words_of(name)))


def redact_value(name: str, value: Any) -> Any:
    """What may be written under `name` instead of `value`.

    Sensitive values, at any depth, read "[redacted]", and free text is scrubbed. Booleans and null pass under any name,
    and so does a refusal's code from the catalogue under `code`.
    """
    # The two kinds that nearly every field of an access line is.
    kind = type(value)
    if (kind is int or kind is float or (kind is str and _is_plain(value) and "eyJ" not in value)) and not is_sensitive(
        name
    ):
        return value
    return _redacted(name, value, depth=0)


def scrub(text: str) -> str:
    """`text` without e-mail and IP addresses, tokens, tax numbers, phones, URL credentials and database rows."""
    if _is_plain(text) and "eyJ" not in text:
        return text
    text = _DATABASE_TAIL.sub(lambda match: f"{match[1]}: {REDACTED}", text)
    for shape in _SHAPES:
        text = shape.sub(REDACTED, text)
    return text


def scrub_error(error: BaseException) -> str:
    """One line about `error` that quotes nothing: libraries quote the value they could not read."""
    return scrub(" ".join(_QUOTED.sub("'…'", _DATABASE_TAIL.sub(r"\1: " + REDACTED, str(error))).split()))[:500]


def _redacted(name: str, value: Any, *, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if is_sensitive(name) and not (name == "code" and isinstance(value, str) and value in CODES):
        return REDACTED
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, Mapping):
        if depth >= _MAX_DEPTH:
            return REDACTED
        return {scrub(str(key)): _redacted(str(key), item, depth=depth + 1) for key, item in value.items()}
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, bytes | bytearray | memoryview):
        # The list's own name was harmless; its members have none.
        return REDACTED if depth >= _MAX_DEPTH else [_redacted("", item, depth=depth + 1) for item in value]
    return value
