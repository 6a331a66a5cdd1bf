"""Owns the key ring: which key serves which use, in which state. Does not say how keys are used or rotated.

Imported by the settings, so nothing here may need configured Django at import.
"""

import hashlib
import json
import logging
import re
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn

from django.conf import settings

logger = logging.getLogger("security.crypto")

FORMAT = 1
USES = ("jwt", "kek", "index", "pepper", "audit_mac")
STATES = ("next", "active", "retired", "removed")
_SECRET_BYTES = 32
# No "$", "|" or ".": ids stand inside password hashes, associated data and token headers.
_ID = re.compile(r"[A-Za-z0-9_-]{1,32}", re.ASCII)
_KEK_ID = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)
_MAX_KEK_ID = 65535  # two bytes in a sealed value
_MEMBERS = {"use", "id", "state", "key", "created"}
_OPTIONAL = {"key", "since"}
LOOK_EVERY_SECONDS = 1.0  # how soon a running process learns of a changed ring file


class KeyRingInvalid(ValueError):  # noqa: N818 - named for what is wrong
    """The ring's text is no ring. The message names the entry, never its key."""


class UnknownKey(LookupError):  # noqa: N818 - named for what happened
    """The ring has no such key, or it was removed."""


@dataclass(frozen=True, slots=True)
class Key:
    """One 256-bit key.

    `secret` is empty only for a removed key, whose entry keeps its id from being used again. `since` is when it came
    into its state; None where the ring does not say.
    """

    use: str
    id: str
    state: str
    secret: bytes = field(repr=False)
    created: datetime
    since: datetime | None = None

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        # A pickled key would lie in a cache or a queue, outside everything that guards the ring.
        raise TypeError("keys are never pickled or copied")


@dataclass(frozen=True, slots=True)
class KeyRing:
    """All keys of an installation: exactly one active key for each use."""

    keys: tuple[Key, ...]
    _by_id: dict[tuple[str, str], Key] = field(init=False, repr=False, compare=False)
    _active: dict[str, Key] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Raises KeyRingInvalid for a repeated id or secret, or a use without exactly one active key."""
        by_id = {(key.use, key.id): key for key in self.keys}
        if len(by_id) != len(self.keys):
            raise KeyRingInvalid("two keys share a use and an id")
        in_use = [key.secret for key in self.keys if key.secret]
        if len(set(in_use)) != len(in_use):
            raise KeyRingInvalid("one key stands under two names")
        for use in USES:
            count = sum(key.use == use and key.state == "active" for key in self.keys)
            if count != 1:
                raise KeyRingInvalid(f"use {use} has {count} active keys; it needs exactly one")
        object.__setattr__(self, "_by_id", by_id)
        object.__setattr__(self, "_active", {key.use: key for key in self.keys if key.state == "active"})

    @classmethod
    def parse(cls, text: str) -> "KeyRing":
        """The ring written as JSON (see `generate`). Raises KeyRingInvalid."""
        try:
            document = json.loads(text, object_pairs_hook=_members)
        except (TypeError, ValueError):
            # The parser's own error quotes the text, which is all keys: it must not become our cause.
            raise KeyRingInvalid("the key ring is not JSON, or repeats a member") from None
        if not isinstance(document, dict) or document.keys() != {"format", "keys"}:
            raise KeyRingInvalid("the key ring has exactly the members format and keys")
        if document["format"] != FORMAT or not isinstance(document["keys"], list):
            raise KeyRingInvalid(f"the key ring has format {FORMAT} and a list of keys")
        return cls(tuple(_parse_key(entry, position) for position, entry in enumerate(document["keys"])))

    def active(self, use: str) -> Key:
        """The key that new values are made with. Raises UnknownKey for an unknown use."""
        try:
            return self._active[use]
        except KeyError:
            raise UnknownKey(f"no use {use}") from None

    def get(self, use: str, id: str) -> Key:  # noqa: A002 - the ring's own word
        """The key that made an old value. Raises UnknownKey, also for a removed key."""
        key = self._by_id.get((use, id))
        if key is None or key.state == "removed":
            raise UnknownKey(f"no {use} key of that id")  # the id may come from a client: it is not repeated
        return key

    def all(self, use: str) -> tuple[Key, ...]:
        """Keys of a use that are not removed, in the ring's order."""
        return tuple(key for key in self.keys if key.use == use and key.state != "removed")

    def dump(self) -> str:
        """The ring as JSON, which `parse` reads."""
        return json.dumps({"format": FORMAT, "keys": [_entry(key) for key in self.keys]}, indent=1)

    def fingerprint(self) -> str:
        """16 hex digits that are equal for equal rings and tell nothing of a key."""
        return hashlib.sha256(self.dump().encode()).hexdigest()[:16]

    def is_successor_of(self, older: "KeyRing") -> bool:
        """Whether this ring has each key of `older` unchanged, or marked as removed."""
        for key in older.keys:
            now = self._by_id.get((key.use, key.id))
            if now is None or (now.state != "removed" and now.secret != key.secret):
                return False
        return True


def _members(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(listed := list(pairs))
    if len(members) != len(listed):
        raise ValueError("repeated member")
    return members


def _parse_key(entry: Any, position: int) -> Key:
    where = f"keys[{position}]"
    if (
        not isinstance(entry, dict)
        or not entry.keys() <= _MEMBERS | _OPTIONAL
        or not _MEMBERS - entry.keys() <= _OPTIONAL
    ):
        raise KeyRingInvalid(f"{where} has exactly the members {', '.join(sorted(_MEMBERS))}, and may have since")
    if entry["use"] not in USES or entry["state"] not in STATES:
        raise KeyRingInvalid(f"{where} has an unknown use or state")
    if not _is_id(entry["use"], entry["id"]):
        raise KeyRingInvalid(f"{where} has an unfit id (a kek's is a number from 1 to {_MAX_KEK_ID})")
    return Key(
        use=entry["use"],
        id=entry["id"],
        state=entry["state"],
        secret=_parse_secret(entry, where),
        created=_parse_time(entry["created"], f"{where}: created"),
        since=_parse_time(entry["since"], f"{where}: since") if "since" in entry else None,
    )


def _is_id(use: str, value: Any) -> bool:
    if not isinstance(value, str):
        return False
    if use == "kek":
        return _KEK_ID.fullmatch(value) is not None and int(value) <= _MAX_KEK_ID
    return _ID.fullmatch(value) is not None


def _parse_secret(entry: dict[str, Any], where: str) -> bytes:
    text = entry.get("key", "")
    if text == "" and entry["state"] == "removed":
        return b""
    try:
        secret = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (TypeError, ValueError):
        raise KeyRingInvalid(f"{where}: key is not base64url") from None
    # The decoder skips strangers in silence; only the one text that encodes these bytes is taken.
    if len(secret) != _SECRET_BYTES or _encode(secret) != text.rstrip("="):
        raise KeyRingInvalid(f"{where}: key is not base64url of {_SECRET_BYTES} bytes")
    return secret


def _parse_time(text: Any, what: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise KeyRingInvalid(f"{what} is not an RFC 3339 time") from None
    if moment.tzinfo is None:
        raise KeyRingInvalid(f"{what} has no offset from UTC")
    return moment.astimezone(UTC)


def _encode(secret: bytes) -> str:
    return urlsafe_b64encode(secret).rstrip(b"=").decode()


def _entry(key: Key) -> dict[str, str]:
    entry = {"use": key.use, "id": key.id, "state": key.state, "key": _encode(key.secret)}
    times = {"created": key.created, "since": key.since}
    return entry | {name: _text(moment) for name, moment in times.items() if moment is not None}


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def fresh_key(use: str, *, state: str, at: datetime, taken: Iterable[str] = ()) -> Key:
    """A new random key whose id is none of `taken`. Raises KeyRingInvalid when the ids of a kek are used up."""
    if use == "kek":
        number = max((int(taken_id) for taken_id in taken), default=0) + 1
        if number > _MAX_KEK_ID:
            raise KeyRingInvalid(f"a kek's id ends at {_MAX_KEK_ID}")
        name = str(number)
    else:
        name = secrets.token_hex(4)
        while name in set(taken):
            name = secrets.token_hex(4)
    return Key(use=use, id=name, state=state, secret=secrets.token_bytes(_SECRET_BYTES), created=at, since=at)


def generate() -> str:
    """JSON text of a fresh ring: one active key for each use."""
    now = datetime.now(UTC)
    return KeyRing(tuple(fresh_key(use, state="active", at=now) for use in USES)).dump()


@lru_cache(maxsize=4)
def _parsed(text: str) -> KeyRing:
    return KeyRing.parse(text)


class WatchedRing:
    """The ring of a file, which is looked at again at most once a second: a rotation needs no restart.

    What cannot follow the ring in use (another installation's, an older copy, half a file) is refused and logged, and
    the ring in use stays: it still opens everything it opened before.
    """

    def __init__(self, path: str, text: str) -> None:
        self._path = Path(path)
        self._text = text
        self._seen: tuple[int, int, int] | None = None
        self._next_look = 0.0
        self._complaint = ""

    def text(self) -> str:
        """JSON of the ring in use."""
        if time.monotonic() >= self._next_look:
            self.look()
        return self._text

    def look(self) -> None:
        """Read the file if it changed since it was last read. Two threads at once do the same thing twice."""
        self._next_look = time.monotonic() + LOOK_EVERY_SECONDS
        try:
            stat = self._path.stat()
            stamp = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
            if stamp == self._seen:
                return
            text = self._path.read_text(encoding="ascii").strip()
            if text != self._text and not KeyRing.parse(text).is_successor_of(_parsed(self._text)):
                raise KeyRingInvalid("the file lacks a key of the ring in use, or has another under its name")
        except (OSError, ValueError) as error:
            self._complain(type(error).__name__)
            return
        self._seen, self._complaint = stamp, ""
        if text != self._text:
            self._text = text
            logger.warning("keyring_changed", extra={"fingerprint": _parsed(text).fingerprint()})

    def _complain(self, reason: str) -> None:
        if reason != self._complaint:  # once, not every second
            logger.error("keyring_file_refused", extra={"reason": reason})
        self._complaint = reason


_watched = lru_cache(maxsize=4)(WatchedRing)


def keyring() -> KeyRing:
    """The ring of the running process. Raises KeyRingInvalid where `settings.KEYRING` is none."""
    file = settings.KEYRING_FILE  # each look at a setting costs most of a microsecond, and a request comes by often
    return _parsed(_watched(file, settings.KEYRING).text() if file else settings.KEYRING)


def look_at_keyring_file() -> None:
    """Let this process take up a ring file that it has just written, without waiting for the next look."""
    if settings.KEYRING_FILE:
        _watched(settings.KEYRING_FILE, settings.KEYRING).look()
