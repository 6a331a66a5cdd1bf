"""Has the last signed checkpoint cosigned by the witnesses of AUDIT_WITNESSES, and keeps what they sign.

Runs beside sealing, never inside it: no transaction and no lock is held while a witness is waited for.
"""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from http import HTTPStatus
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models import QuerySet

from security.tlog.models import AuditAnchor, AuditCheckpoint
from security.tlog.note import COSIGNATURE, NoteInvalid, Opened, VerifierKey, open_note
from security.tlog.store import last_signed, stored_nodes
from security.tlog.tiles import TileMissing
from security.tlog.tree import consistency_proof
from security.tlog.witness_client import WitnessUnreachable, submit

logger = logging.getLogger("security.tlog")

# A witness names its size once; once more because another process may have told it of a larger tree meanwhile.
_TRIES = 4
_MOST_LOOKED_AT = 20  # beyond so many that are none, the witness counts as silent
_MOST_AHEAD = timedelta(minutes=10)  # of a witness's clock
_SIZE = re.compile(r"(0|[1-9][0-9]{0,18})\n", re.ASCII)


class WitnessMisnamed(ValueError):  # noqa: N818 - named for what it says
    """An entry of AUDIT_WITNESSES is not a URL and a witness's key."""


@dataclass(frozen=True, slots=True)
class Witness:
    """Where a witness is reached, and the key that only it signs with."""

    url: str
    key: VerifierKey


class Standing(StrEnum):
    """How a witness stands to the log."""

    COSIGNS = "cosigns"
    DIFFERS = "differs"  # it has cosigned a tree that is not the beginning of ours
    REFUSES = "refuses"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Testimony:
    """What one witness said. `what` is a sentence; `anchor` is not saved, and there only if it cosigns."""

    standing: Standing
    what: str = ""
    anchor: AuditAnchor | None = None


def configured_witnesses() -> list[Witness]:
    """The witnesses of AUDIT_WITNESSES, in its order. Raises WitnessMisnamed."""
    witnesses: list[Witness] = []
    for entry in settings.AUDIT_WITNESSES:
        url, _, text = entry.strip().partition(" ")
        try:
            key = VerifierKey.parse(text.strip())
        except NoteInvalid as invalid:
            raise WitnessMisnamed(f"{url or entry!r}: {invalid}") from invalid
        if key.algorithm != COSIGNATURE:
            raise WitnessMisnamed(f"{url}: this is the key of a log, not of a witness")
        if key.name in {witness.key.name for witness in witnesses}:
            raise WitnessMisnamed(f"{url}: {key.name} is named twice")
        witnesses.append(Witness(url, key))
    return witnesses


def witness_checkpoint() -> int:
    """Have each witness cosign the last signed checkpoint, if it did not yet; how many did now. Idempotent.

    A witness that does not is told of in the log when that begins, and when it ends. Raises WitnessMisnamed.
    """
    cosigned = 0
    for witness in configured_witnesses():
        last = last_signed()
        if last is None or newest_cosigned(witness) == last.size:
            continue
        testimony = ask(witness)
        if testimony.anchor is not None:
            AuditAnchor.objects.bulk_create([testimony.anchor], ignore_conflicts=True)  # another process asked too
            cosigned += 1
        _tell(witness, testimony)
    return cosigned


def ask(witness: Witness) -> Testimony:
    """Submit the last signed checkpoint to `witness`, with a proof from the tree that it has. Stores nothing.

    There must be a signed checkpoint.
    """
    newest = newest_cosigned(witness)
    old: int | None = None
    for _ in range(_TRIES):
        last = last_signed()  # anew each time: by now it may be one that the witness has and we had not
        if last is None:
            break
        old = min(newest, last.size) if old is None else old
        if old > last.size:
            return _differs(witness, f"has cosigned {old} events, and the database ends at {last.size}")
        try:
            proof = consistency_proof(stored_nodes(), old=old, new=last.size)
            answer = submit(witness.url, old=old, proof=proof, note=last.note)
        except TileMissing as missing:
            return Testimony(Standing.REFUSES, f"witness {witness.key.name} was not asked: {missing}")
        except WitnessUnreachable as unreachable:
            return Testimony(Standing.SILENT, f"witness {witness.key.name}: {unreachable}")
        if answer.status == HTTPStatus.OK:
            return _cosigned(witness, last, answer.text)
        size = _SIZE.fullmatch(answer.text)
        if answer.status == HTTPStatus.UNPROCESSABLE_ENTITY:
            return _differs(witness, f"has cosigned another tree of {old} events")
        if answer.status != HTTPStatus.CONFLICT or size is None:
            return Testimony(Standing.REFUSES, f"witness {witness.key.name} refuses with {answer.status}")
        if int(size[1]) == old == last.size:
            return _differs(witness, f"has cosigned another tree of {old} events")
        old = int(size[1])
    return Testimony(Standing.REFUSES, f"witness {witness.key.name} names another size at each try")


def witness_lag(now: datetime) -> timedelta:
    """How long the oldest checkpoint that some witness has not cosigned waits, itself or a larger one; zero if none."""
    most = timedelta()
    for witness in configured_witnesses():
        newest = newest_cosigned(witness)
        waiting = AuditCheckpoint.objects.filter(size__gt=newest).exclude(note="").order_by("size")
        since = waiting.values_list("created_at", flat=True).first()
        most = max(most, now - since) if since else most
    return most


def newest_cosigned(witness: Witness) -> int:
    """How many events the largest tree has that `witness` cosigned; 0 where there is none."""
    return next(cosigned_sizes(witness, AuditAnchor.objects.order_by("-size")), 0)


def cosigned_sizes(witness: Witness, anchors: QuerySet[AuditAnchor]) -> Iterator[int]:
    """Of the first few of `anchors`, in their order, the sizes of those that `witness` cosigned.

    Whoever may INSERT can claim one: its signature is asked, and whether it is over our checkpoint.
    """
    for anchor in anchors.filter(sink=witness.key.name)[:_MOST_LOOKED_AT]:
        if is_cosigned(anchor, witness, AuditCheckpoint.objects.select_related("log").filter(size=anchor.size).first()):
            yield anchor.size


def is_cosigned(anchor: AuditAnchor, witness: Witness, checkpoint: AuditCheckpoint | None) -> bool:
    """Whether `witness` signed in `anchor` what `checkpoint` says."""
    try:
        opened, _ = open_cosigned(anchor.note, witness)
    except NoteInvalid:
        return False
    return checkpoint is not None and opened.text == checkpoint.as_checkpoint().text


def open_cosigned(note: str, witness: Witness, *log_keys: VerifierKey) -> tuple[Opened, int]:
    """A note, and the Unix time at which `witness` cosigned it. Raises NoteInvalid."""
    opened = open_note(note, [*log_keys, witness.key])
    seen_at = opened.signers.get(witness.key.name)
    if seen_at is None:
        raise NoteInvalid(f"{witness.key.name} did not cosign it")
    return opened, seen_at


def _cosigned(witness: Witness, last: AuditCheckpoint, lines: str) -> Testimony:
    try:
        log_key = VerifierKey.parse(last.log.verifier_key)
        opened, at = open_cosigned(last.note + lines, witness, log_key)
    except NoteInvalid as invalid:
        return Testimony(Standing.REFUSES, f"what witness {witness.key.name} answers is no cosignature: {invalid}")
    if opened.text != last.as_checkpoint().text:
        return Testimony(Standing.REFUSES, f"witness {witness.key.name} signs more than the checkpoint")
    now = datetime.now(UTC)
    if at > (now + _MOST_AHEAD).timestamp():
        return Testimony(Standing.REFUSES, f"the clock of witness {witness.key.name} is ahead")
    anchor = AuditAnchor(
        sink=witness.key.name, size=last.size, note=opened.note, seen_at=datetime.fromtimestamp(at, UTC)
    )
    return Testimony(Standing.COSIGNS, anchor=anchor)


def _differs(witness: Witness, what: str) -> Testimony:
    return Testimony(Standing.DIFFERS, f"witness {witness.key.name} {what}")


# Of this process: each tells of a change once, and a witness that stays away does not fill the log.
_standings: dict[str, Standing] = {}


def _tell(witness: Witness, testimony: Testimony) -> None:
    name, now = witness.key.name, testimony.standing
    before = _standings.get(name, Standing.COSIGNS)
    _standings[name] = now
    if now is before:
        return
    told = {"witness": name, "host": urlsplit(witness.url).hostname, "standing": now.value, "what": testimony.what}
    if now is Standing.COSIGNS:
        logger.info("audit_witness_cosigns_again", extra=told)
    else:
        logger.error("audit_witness_does_not_cosign", extra=told)
