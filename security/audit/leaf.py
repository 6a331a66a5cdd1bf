"""Bytes and hashes of one audit event: canonical JSON, commitments to personal values, leaf hash, window MAC.

Pure functions of their arguments. What is recorded, and where it is stored, is decided elsewhere.
"""

import hashlib
import hmac
import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any, NoReturn, Self
from uuid import UUID

FORMAT_VERSION = 1
MAX_LEAF_BYTES = 8192  # an eighth of what an entry bundle of tlog-tiles may hold for one entry
SALT_BYTES = 16
_MAX_DEPTH = 16
# All of them, always.
_MEMBERS = {"v", "id", "ts", "class", "type", "outcome", "actor", "target", "company", "sid", "request_id", "node"}
_MEMBERS |= {"data", "pii"}
_words = itemgetter("id", "ts", "class", "type", "outcome", "request_id", "node")
_words_or_null = itemgetter("actor", "target", "company", "sid")
_WORD, _WORD_OR_NULL = {str}, {str, type(None)}
_SAFE_INTEGER = 2**53  # RFC 8785 §3.2.2.3: beyond it other languages' parsers lose digits

_encode = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False
).encode


def _refuse_number(_: str) -> NoReturn:
    raise ValueError("a leaf has neither floats nor NaN")


def _whole_number(digits: str) -> int:
    number = int(digits)
    if abs(number) >= _SAFE_INTEGER:
        raise ValueError("a number that other languages cannot hold")
    return number


_decode = json.JSONDecoder(parse_float=_refuse_number, parse_constant=_refuse_number, parse_int=_whole_number).decode


class LeafRefused(ValueError):  # noqa: N818 - named for what happened
    """The event has no canonical form; the caller built it from something the log does not take."""


def canonical(value: Any) -> bytes:
    """UTF-8 JSON of `value` in the one form everybody gets (the subset of RFC 8785 without floats).

    Takes None, bool, int below 2^53 in magnitude, str, list, tuple, and mappings whose keys are ASCII text.
    Raises LeafRefused for anything else: floats print differently in other languages, and a lone surrogate
    has no UTF-8 at all.
    """
    _check(value, 0)
    try:
        return _encode(value).encode()
    except UnicodeEncodeError as exc:
        raise LeafRefused("text holds a lone surrogate") from exc


def _check(value: Any, depth: int) -> None:
    if value is None or isinstance(value, str):
        return
    if isinstance(value, int):
        if not -_SAFE_INTEGER < value < _SAFE_INTEGER:
            raise LeafRefused("an integer of 2^53 or more in magnitude")
        return
    if depth >= _MAX_DEPTH:
        raise LeafRefused(f"nested deeper than {_MAX_DEPTH}")
    if isinstance(value, dict):
        for key, member in value.items():
            # ASCII keys sort alike by code point (Python) and by UTF-16 unit (RFC 8785 §3.2.3).
            if not isinstance(key, str) or not key.isascii():
                raise LeafRefused("a member's name is not ASCII text")
            _check(member, depth + 1)
        return
    if isinstance(value, (list, tuple)):
        for member in value:
            _check(member, depth + 1)
        return
    raise LeafRefused(f"a value of type {type(value).__name__}")


def commitment(*, name: str, value: Any, salt: bytes) -> str:
    """Base64 of HMAC-SHA256(salt, name || 0x00 || canonical(value)): binds the log to a value it does not
    hold.

    `salt` is 16 fresh random bytes a field (the idea of RFC 9901's disclosures). Without the salt not even
    the few billion IPv4 addresses can be tried against it, so erasing salt and value erases the datum and
    leaves every hash above it valid.
    """
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt has {SALT_BYTES} bytes")
    return _committed(name, canonical(value), salt).decode()


def is_opened_by(committed: str, *, name: str, text: bytes, salt: bytes) -> bool:
    """Whether `committed` was made from exactly this name, salt, and value of which `text` is the canonical JSON."""
    return hmac.compare_digest(committed.encode(), _committed(name, text, salt))


def _committed(name: str, text: bytes, salt: bytes) -> bytes:
    return b64encode(hmac.digest(salt, name.encode() + b"\0" + text, "sha256"))


def leaf_hash(leaf: bytes) -> bytes:
    """SHA-256(0x00 || leaf), 32 bytes (RFC 6962 §2.1)."""
    return hashlib.sha256(b"\0" + leaf).digest()


def window_mac(*, key: bytes, digest: bytes, node: str) -> bytes:
    """HMAC-SHA256(key, leaf hash || node name): guards an event until the tree seals it."""
    return hmac.digest(key, digest + node.encode(), "sha256")


def members_of(leaf: bytes) -> dict[str, Any]:
    """What a leaf's bytes say, as JSON has it; LeafRefused for bytes that are none.

    Two spellings of one event would be two leaves with two hashes: only the canonical one is a leaf. Values that are
    text in JSON (ids, times) are not looked into.
    """
    try:
        members = _decode(leaf.decode())
        is_leaf = (
            members.keys() == _MEMBERS
            and members["v"] == FORMAT_VERSION
            and _encode(members).encode() == leaf
            and {*map(type, _words(members)), *map(type, members["pii"].values())} == _WORD
            and {*map(type, _words_or_null(members))} <= _WORD_OR_NULL
            and type(members["data"]) is dict
        )
    except (ValueError, AttributeError, RecursionError) as exc:
        raise LeafRefused("not a leaf of this log") from exc
    if not is_leaf or len(leaf) > MAX_LEAF_BYTES:
        raise LeafRefused("not in canonical form")
    return dict(members)


def id_and_node_of(leaf: bytes) -> tuple[str, str]:
    """The id of a leaf, and the node that recorded it; LeafRefused for bytes that are none.

    Another spelling of one is not looked for.
    """
    try:
        event_id, node = itemgetter("id", "node")(_decode(leaf.decode()))
    except (ValueError, TypeError, LookupError, RecursionError) as exc:
        raise LeafRefused("not a leaf of this log") from exc
    if not (isinstance(event_id, str) and isinstance(node, str)):
        raise LeafRefused("not a leaf of this log")
    return event_id, node


def timestamp(moment: datetime) -> str:
    """RFC 3339 text in UTC with microseconds: always 27 characters."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """What one event says. Every key is always there, null where it says nothing, so one parser reads them
    all.

    `actor`, `target`, `company` are per-subject pseudonyms. `data` is open text and must not hold personal
    values; those are `pii`, each as its commitment only.
    """

    id: UUID
    occurred_at: datetime
    audit_class: str
    type: str
    outcome: str
    actor: UUID | None
    target: UUID | None
    company: UUID | None
    session_id: str | None
    request_id: str
    node: str
    data: Mapping[str, Any] = field(default_factory=dict)
    pii: Mapping[str, str] = field(default_factory=dict)

    def encode(self) -> bytes:
        """Canonical bytes. Raises LeafRefused when they would exceed 8192 or have no canonical form."""
        leaf = canonical(self._members())
        if len(leaf) > MAX_LEAF_BYTES:
            raise LeafRefused(f"{len(leaf)} bytes, more than {MAX_LEAF_BYTES}")
        return leaf

    def _members(self) -> dict[str, Any]:
        return {
            "v": FORMAT_VERSION,
            "id": str(self.id),
            "ts": timestamp(self.occurred_at),
            "class": self.audit_class,
            "type": self.type,
            "outcome": self.outcome,
            "actor": _text(self.actor),
            "target": _text(self.target),
            "company": _text(self.company),
            "sid": self.session_id,
            "request_id": self.request_id,
            "node": self.node,
            "data": dict(self.data),
            "pii": dict(self.pii),
        }

    @classmethod
    def parse(cls, leaf: bytes) -> Self:
        """The leaf that encodes to exactly these bytes; LeafRefused for any others."""
        keys = members_of(leaf)
        try:
            parsed = cls(
                id=UUID(keys["id"]),
                occurred_at=datetime.fromisoformat(keys["ts"]),
                audit_class=keys["class"],
                type=keys["type"],
                outcome=keys["outcome"],
                actor=_uuid(keys["actor"]),
                target=_uuid(keys["target"]),
                company=_uuid(keys["company"]),
                session_id=keys["sid"],
                request_id=keys["request_id"],
                node=keys["node"],
                data=keys["data"],
                pii=keys["pii"],
            )
        except (ValueError, TypeError, AttributeError) as exc:
            raise LeafRefused("not a leaf of this log") from exc
        if parsed._members() != keys:  # a UUID or a time in another spelling
            raise LeafRefused("not in canonical form")
        return parsed


def _text(pseudonym: UUID | None) -> str | None:
    return None if pseudonym is None else str(pseudonym)


def _uuid(text: str | None) -> UUID | None:
    return None if text is None else UUID(text)
