"""Owns the key ring: which key serves which use, in which state. Does not say how keys are used or rotated.

Imported by the settings, so nothing here may need configured Django at import.
"""

import json
import os
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn

from django.conf import settings

FORMAT = 1
USES = ("jwt", "kek", "index", "pepper", "audit_mac")
STATES = ("next", "active", "retired", "removed")
_SECRET_BYTES = 32
# No "$", "|" or ".": ids stand inside password hashes, associated data and token headers.
_ID = re.compile(r"[A-Za-z0-9_-]{1,32}", re.ASCII)
_KEK_ID = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)
_MAX_KEK_ID = 65535  # two bytes in a sealed value
_MEMBERS = {"use", "id", "state", "key", "created"}


class KeyRingInvalid(ValueError):  # noqa: N818 - named for what is wrong
    """The ring's text is no ring. The message names the entry, never its key."""


class UnknownKey(LookupError):  # noqa: N818 - named for what happened
    """The ring has no such key, or it was removed."""


@dataclass(frozen=True, slots=True)
class Key:
    """One 256-bit key.

    `secret` is empty only for a removed key, whose entry keeps its id from being used again.
    """

    use: str
    id: str
    state: str
    secret: bytes = field(repr=False)
    created: datetime

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


def _members(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(listed := list(pairs))
    if len(members) != len(listed):
        raise ValueError("repeated member")
    return members


def _parse_key(entry: Any, position: int) -> Key:
    where = f"keys[{position}]"
    if not isinstance(entry, dict) or not entry.keys() <= _MEMBERS or not _MEMBERS - entry.keys() <= {"key"}:
        raise KeyRingInvalid(f"{where} has exactly the members {', '.join(sorted(_MEMBERS))}")
    if entry["use"] not in USES or entry["state"] not in STATES:
        raise KeyRingInvalid(f"{where} has an unknown use or state")
    if not _is_id(entry["use"], entry["id"]):
        raise KeyRingInvalid(f"{where} has an unfit id (a kek's is a number from 1 to {_MAX_KEK_ID})")
    return Key(
        use=entry["use"],
        id=entry["id"],
        state=entry["state"],
        secret=_parse_secret(entry, where),
        created=_parse_created(entry["created"], where),
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


def _parse_created(text: Any, where: str) -> datetime:
    try:
        created = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise KeyRingInvalid(f"{where}: created is not an RFC 3339 time") from None
    if created.tzinfo is None:
        raise KeyRingInvalid(f"{where}: created has no offset from UTC")
    return created.astimezone(UTC)


def _encode(secret: bytes) -> str:
    return urlsafe_b64encode(secret).rstrip(b"=").decode()


def generate() -> str:
    """JSON text of a fresh ring: one active key for each use."""
    created = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    keys = [
        {
            "use": use,
            "id": "1" if use == "kek" else secrets.token_hex(4),
            "state": "active",
            "key": _encode(secrets.token_bytes(_SECRET_BYTES)),
            "created": created,
        }
        for use in USES
    ]
    return json.dumps({"format": FORMAT, "keys": keys}, indent=1)


def write_fresh_ring(path: Path) -> None:
    """Write a fresh ring to `path`, readable by its owner only, durable on return.

    Raises FileExistsError rather than replace a ring, without which everything sealed under it is lost, and
    OSError. A file that could not be written whole is taken away again.
    """
    # EXCL also refuses a symbolic link; the mode counts from the first byte on.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "w", encoding="ascii") as file:  # noqa: PTH123 - a descriptor, not a path
            os.fchmod(file.fileno(), 0o600)
            file.write(generate() + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        path.unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)  # the name, too, must survive a crash
    finally:
        os.close(folder)


@lru_cache(maxsize=4)
def _parsed(text: str) -> KeyRing:
    return KeyRing.parse(text)


def keyring() -> KeyRing:
    """The ring of the running process. Raises KeyRingInvalid where `settings.KEYRING` is none."""
    return _parsed(settings.KEYRING)
