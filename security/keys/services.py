"""Does the steps of a rotation: changes the ring where it lies, brings rows along, and leaves an event of each."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from django.conf import settings
from django.db import transaction

from security.audit import Action, record
from security.crypto import KeyRing, keyring
from security.crypto.keyring import USES, look_at_keyring_file
from security.crypto.ring_file import replace_ring
from security.keys.rewrap import Progress, reindex_columns, rewrap_subject_keys
from security.keys.steps import (
    StepRefused,
    next_key,
    retired_keys,
    with_adopted,
    with_next,
    with_next_active,
    with_removed,
)
from security.keys.usage import KeyStanding, standings, unsealed_by_key
from security.whole_files import held, write_whole

STEPS = ("add", "activate", "rewrap", "remove", "adopt")
_OTHER_WORDS = {"field": "kek", "audit": "audit_mac"}
ALIASES = {use: use for use in USES} | _OTHER_WORDS
# As docs/keys.md and the status name them, each with its other word.
USES_IN_WORDS = ", ".join(
    use + "".join(f" (or {word})" for word, full in _OTHER_WORDS.items() if full == use) for use in USES
)
_HAVE_ROWS: dict[str, Callable[..., Iterator[None]]] = {"kek": rewrap_subject_keys, "index": reindex_columns}
# What can be made good again when it goes early: tokens and passwords. A lost wrapping or mark cannot.
_MAY_BE_FORCED = frozenset({"jwt", "pepper"})

ENVIRONMENT_HINT = (
    "the key ring comes from the environment (KEYRING), where no command can change it; write the new ring to a file "
    "with --out FILE, and give its text to every process"
)


@dataclass(frozen=True, slots=True)
class Done:
    """What a step did, in one sentence; `is_change` is False where there was nothing to do."""

    sentence: str
    is_change: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """The rotation of the keys of `use`, done by the system account `operator`.

    `out` is a new file for the changed ring, which otherwise goes to where it came from. `other` is the file of another
    ring, for `adopt`. With `is_dry` everything is checked and nothing changed.
    """

    use: str
    operator: str
    out: Path | None = None
    other: Path | None = None
    is_dry: bool = False
    is_forced: bool = False

    def add(self) -> Done:
        """Give the ring a next key. Raises StepRefused, OSError."""
        ring = self._change(Action.KEYS_ADDED, lambda ring: with_next(ring, self.use, at=_now()))
        added = ", ".join(key.id for key in ring.all(self.use) if key.state == "next")
        return Done(f"{self.use} key {added} added as next")

    def activate(self) -> Done:
        """Make the next key the active one. Raises StepRefused, OSError."""
        ring = self._change(
            Action.KEYS_ACTIVATED,
            lambda ring: with_next_active(ring, self.use, at=_now(), is_forced=self.is_forced),
        )
        return Done(f"{self.use} key {ring.active(self.use).id} is active, the one before it retired")

    def rewrap(self, *, batch: int, tell: Callable[[Progress], None]) -> Done:
        """Bring rows under the active key; `tell` is called after each batch. Raises StepRefused for stuck rows."""
        if self.use not in _HAVE_ROWS:
            return Done(f"no row holds anything that a change of the {self.use} key rewrites", is_change=False)
        active = keyring().active(self.use)
        if self.is_dry:
            left = sum(s.rows or 0 for s in standings(keyring(), uses=(self.use,)) if s.id != active.id)
            return Done(f"{left} rows would be brought under {self.use} key {active.id}", is_change=False)
        progress = Progress()
        try:
            for _ in _HAVE_ROWS[self.use](batch=batch, progress=progress):
                tell(progress)
        finally:
            # Also of a run that is broken off: what it has committed, it has done.
            if progress.changed:
                with transaction.atomic(durable=True):
                    self._record(Action.KEYS_REWRAPPED, [active.id], rows=progress.changed)
        if progress.stuck:
            raise StepRefused(
                f"{progress.changed} rows were brought under {self.use} key {active.id}, and {len(progress.stuck)} "
                f"could not be: {', '.join(progress.stuck[:5])}; see Rows that do not open in docs/keys.md"
            )
        return Done(f"{progress.changed} rows brought under {self.use} key {active.id}", bool(progress.changed))

    def remove(self) -> Done:
        """Take the secrets of retired keys that nothing needs any more out of the ring. Raises StepRefused, OSError."""
        ring = self.ring()
        retired = {key.id for key in retired_keys(ring, self.use)}
        if not retired:
            raise StepRefused(f"no {self.use} key is retired; there is nothing to remove")
        standing = [s for s in standings(ring, uses=(self.use,)) if s.id in retired]
        kept = {s.id: why for s in standing if (why := self._why_kept(s))}
        free = sorted(retired - kept.keys())
        if not free:
            raise StepRefused("; ".join(f"{self.use} key {key_id} stays: {why}" for key_id, why in kept.items()))
        self._change(Action.KEYS_REMOVED, lambda ring: with_removed(ring, self.use, ids=free, at=_now()), ids=free)
        return Done(f"{self.use} key {', '.join(free)} removed")

    def adopt(self) -> Done:
        """Take over, as retired, the keys of the other ring that events wait under. Raises StepRefused, OSError."""
        if self.use != "audit_mac" or self.other is None:
            raise StepRefused("only audit keys are adopted, out of the ring in the file that --from names")
        try:
            other = KeyRing.parse(self.other.read_text(encoding="ascii"))
        except (OSError, ValueError) as error:
            raise StepRefused(f"{self.other} is no key ring that can be read: {error}") from error
        foreign = unsealed_by_key().keys() - {key.id for key in self.ring().keys if key.use == self.use}
        keys = [key for key in other.all(self.use) if key.id in foreign]
        if not keys:
            raise StepRefused(f"no event waits under an audit_mac key of {self.other} that this ring lacks")
        ids = [key.id for key in keys]
        self._change(Action.KEYS_ADDED, lambda ring: with_adopted(ring, keys, at=_now()), ids=ids)
        return Done(f"{self.use} key {', '.join(ids)} adopted as retired")

    def ring(self) -> KeyRing:
        """The ring as it lies in its file now, or as the environment gave it. Raises KeyRingInvalid, OSError."""
        if settings.KEYRING_FILE:
            return KeyRing.parse(Path(settings.KEYRING_FILE).read_text(encoding="ascii"))
        return keyring()

    def _why_kept(self, standing: KeyStanding) -> str:
        if self.is_forced and self.use in _MAY_BE_FORCED:
            return ""
        return standing.why_kept(now=_now())

    def _change(self, action: Action, change: Callable[[KeyRing], KeyRing], *, ids: list[str] | None = None) -> KeyRing:
        """The ring after `change`, written where it belongs together with its event: both or neither."""
        if self.is_dry:
            return change(self.ring())
        if self.out is not None:
            write = partial(write_whole, self.out)
            return self._write(action, change(self.ring()), ids, write)
        if not settings.KEYRING_FILE:
            raise StepRefused(ENVIRONMENT_HINT)
        path = Path(settings.KEYRING_FILE).resolve()  # a link stays one: what it points to is replaced
        with held(path):
            ring = self._write(action, change(self.ring()), ids, partial(replace_ring, path))
        look_at_keyring_file()
        return ring

    def _write(self, action: Action, ring: KeyRing, ids: list[str] | None, write: Callable[[str], None]) -> KeyRing:
        touched = next_key(ring, self.use) or ring.active(self.use)
        with transaction.atomic(durable=True):
            self._record(action, ids or [touched.id], fingerprint=ring.fingerprint())
            # Last: a disk that is full takes the event back too.
            write(ring.dump() + "\n")
        return ring

    def _record(self, action: Action, ids: list[str], **facts: int | str) -> None:
        data = {"use": self.use, "keys": ids, "operator": self.operator, "forced": self.is_forced}
        record(action, data=data | facts)


def _now() -> datetime:
    return datetime.now(UTC)
