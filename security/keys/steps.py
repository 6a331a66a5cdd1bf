"""The states a key goes through: next, active, retired, removed. Pure: a ring and a time make another ring.

Each state is safe beside the one before it. A process that still has the ring from before a step reads whatever a
process that has the ring from after it writes, and the other way round; two steps apart they do not. So a step may
begin when the ring of the step before has reached every process.
"""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

from security.crypto import Key, KeyRing
from security.crypto.keyring import fresh_key

# Whoever verifies our tokens themselves may keep the published keys for so long (max-age of /.well-known/jwks.json).
PUBLISHED_KEYS_ARE_KEPT = timedelta(seconds=300)


class StepRefused(Exception):  # noqa: N818 - the sentence that the operator reads
    """Why a step may not be done now, and what to do instead."""


def next_key(ring: KeyRing, use: str) -> Key | None:
    """The key of `use` that waits to become active."""
    return next((key for key in ring.all(use) if key.state == "next"), None)


def retired_keys(ring: KeyRing, use: str) -> tuple[Key, ...]:
    """Keys of `use` that only open what was made with them."""
    return tuple(key for key in ring.all(use) if key.state == "retired")


def with_next(ring: KeyRing, use: str, *, at: datetime) -> KeyRing:
    """The ring with a fresh next key. Raises StepRefused where one waits already."""
    waiting = next_key(ring, use)
    if waiting is not None:
        raise StepRefused(f"{use} key {waiting.id} waits as next already; go on with --step activate")
    taken = [key.id for key in ring.keys if key.use == use]
    return KeyRing((*ring.keys, fresh_key(use, state="next", at=at, taken=taken)))


def with_next_active(ring: KeyRing, use: str, *, at: datetime, is_forced: bool = False) -> KeyRing:
    """The ring in which the next key is active and the active one retired.

    Raises StepRefused where none waits, or verifiers may not have a token key yet and `is_forced` is not said.
    """
    waiting = next_key(ring, use)
    if waiting is None:
        raise StepRefused(f"no {use} key waits as next; begin with --step add")
    known_to_all = (waiting.since or waiting.created) + PUBLISHED_KEYS_ARE_KEPT
    if use == "jwt" and at < known_to_all and not is_forced:
        raise StepRefused(
            f"jwt key {waiting.id} was published less than {PUBLISHED_KEYS_ARE_KEPT.seconds} s ago, and verifiers may "
            f"not know it yet; again at {known_to_all:%H:%M:%S} UTC, or now with --force"
        )
    states = {waiting.id: "active", ring.active(use).id: "retired"}
    return _changed(ring, use, states, at=at)


def with_adopted(ring: KeyRing, keys: Collection[Key], *, at: datetime) -> KeyRing:
    """The ring with the keys of another one, retired: they only open what was made with them.

    To this ring they are new, whatever their age: what it can tell of other keys begins with its own oldest.
    """
    return KeyRing((*ring.keys, *(replace(key, state="retired", created=at, since=at) for key in keys)))


def with_removed(ring: KeyRing, use: str, *, ids: Collection[str], at: datetime) -> KeyRing:
    """The ring without the secrets of these keys; their ids stay, never to be used again."""
    return _changed(ring, use, dict.fromkeys(ids, "removed"), at=at)


def _changed(ring: KeyRing, use: str, states: dict[str, str], *, at: datetime) -> KeyRing:
    return KeyRing(
        tuple(_moved(key, states[key.id], at=at) if key.use == use and key.id in states else key for key in ring.keys)
    )


def _moved(key: Key, state: str, *, at: datetime) -> Key:
    # Times before this one are kept to the second; a state must not seem to begin before the one it follows.
    return replace(key, state=state, since=at, secret=b"" if state == "removed" else key.secret)
