"""Seals what the audit log has recorded: gives events their place in the tree, and signs what the tree has become.

In two transactions. The first makes events of what the database noted by itself, and extends the tree; the second
signs it, and a crash in between leaves a tree that the next run signs. The signature comes after the commit, since a
signer that has signed a tree which was rolled back would refuse every other one. What a run did not make itself it
believes only after a look at each event: whoever writes into the database can leave an unsigned tree too.
"""

import hmac
import logging
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from security.audit import AuditEvent, MarkWrong, check_mark
from security.crypto import KeyRing, keyring
from security.tlog.models import AuditCheckpoint, AuditLog
from security.tlog.note import Checkpoint
from security.tlog.signer import LogForked, Signer, SignerElsewhere, hold_signer
from security.tlog.store import (
    Pending,
    assign_indexes,
    hold_tree,
    last_checkpoint,
    load_tile,
    misplaced,
    oldest_waiting,
    placed,
    save_tiles,
    stored_nodes,
)
from security.tlog.tiles import RightEdge, TileMissing
from security.tlog.tree import EMPTY_ROOT, CompactRange, Nodes, consistency_proof, root_of
from security.trail import maintenance
from security.trail.folding import tell_changes

logger = logging.getLogger("security.tlog")

BATCH = 10_000
FULL = 1_000
MISPLACED = "has a place that no checkpoint covers"
NEVER_SIGNED = "which the signer never signed: it ends at {}"


class SealRefused(RuntimeError):  # noqa: N818 - named for what happened
    """What should be sealed is not what was recorded. Nothing was sealed; `audit_verify` says more."""


@dataclass(slots=True)
class Sealed:
    """How many events a run sealed, and the size of the signed tree after it."""

    events: int = 0
    size: int = 0


def seal_pending(*, batch: int = BATCH) -> Sealed:
    """Seal all events that have no place yet, in batches. Idempotent; one at a time in a cluster, others do nothing.

    Raises SealRefused, LogForked, SignerUnavailable.
    """
    sealed = Sealed()
    is_first = not AuditLog.objects.exists()
    host = urlsplit(settings.PUBLIC_URL).netloc
    made: Checkpoint | None = None
    with hold_signer(settings.AUDIT_SIGNER_DIR, host=host, may_create=is_first) as signer:
        while True:
            # What an earlier run left unsigned comes first: nothing may be built on a tree the signer would refuse.
            sealed.size = _sign(signer, made) or sealed.size
            made = _extend(signer, limit=batch)
            if made is None:
                return sealed
            sealed.events += made.size - signer.last.checkpoint.size


def seal_on_schedule() -> None:
    """`seal_pending` for the clock, on any host: those without the signer leave it to the one that has it.

    That nobody has it shows in health, as events that wait. Raises as `seal_pending`, which the schedule logs.
    """
    try:
        seal_pending()
    except SignerElsewhere as elsewhere:
        logger.debug("audit_seal_elsewhere", extra={"reason": str(elsewhere)})


def first_of_full_batch() -> int | None:
    """Row id of the oldest of 1,000 events that wait to be sealed; None where fewer do. A look at an index alone."""
    waiting = oldest_waiting(FULL)
    return waiting[0] if len(waiting) == FULL else None


def _extend(signer: Signer, *, limit: int) -> Checkpoint | None:
    with transaction.atomic(durable=True):
        if not hold_tree():
            return None
        log, last = _log_of(signer), last_checkpoint()
        size, root = (last.size, bytes(last.root)) if last else (0, EMPTY_ROOT)
        _check_standing(signer, size=size, root=root, is_signed=last is None or bool(last.note))
        tell_changes(limit=BATCH, check=partial(_check, ring=keyring()))
        return append_to_tree(log, size=size, root=root, limit=limit)


def append_to_tree(
    log: AuditLog, *, size: int, root: bytes, limit: int = 1, only: int | None = None
) -> Checkpoint | None:
    """Give events that wait their places after the tree of `size` and `root`; the tree after it, not signed yet.

    None where none waits. Needs an open transaction that holds the tree. `only` is the row id of the one event to add.
    Raises SealRefused.
    """
    try:
        events = assign_indexes(first=size, limit=limit, only=only)
    except IntegrityError as taken:
        raise SealRefused(f"an event {MISPLACED}") from taken
    if not events:
        return None
    if (strange := misplaced(size + len(events))) is not None:
        raise SealRefused(f"event {strange.event_id} {MISPLACED}")
    try:
        edge = RightEdge(size, load_tile)
        if not hmac.compare_digest(root_of(stored_nodes(), size), root):
            raise SealRefused(f"the tiles do not give the root of checkpoint {size}")
    except TileMissing as missing:
        raise SealRefused(str(missing)) from missing
    ring = keyring()
    for event in events:
        _check(event, ring)
        edge.append(event.leaf_hash)
    # The guard lets whoever may UPDATE put hashes behind the last one; what the signed root is over, `edge` began with.
    with maintenance():
        save_tiles(edge.changed().items())
    extended = AuditCheckpoint.objects.create(size=edge.size, log=log, root=root_of(stored_nodes(), edge.size))
    return extended.as_checkpoint()


def _log_of(signer: Signer) -> AuditLog:
    log = AuditLog.objects.order_by("-epoch").first()
    if log is None:
        return AuditLog.objects.create(epoch=1, origin=signer.origin, verifier_key=str(signer.key))
    if log.origin != signer.origin and not signer.last.note:
        # Two hosts met an empty database: the other one was first.
        raise SignerElsewhere(f"the log {log.origin} is signed elsewhere")
    if log.origin != signer.origin:
        raise LogForked(f"the database belongs to the log {log.origin}, the signer's folder to {signer.origin}")
    return log


def _check_standing(signer: Signer, *, size: int, root: bytes, is_signed: bool) -> None:
    """Raises LogForked where the database's last tree is not the one that was signed last."""
    last = signer.last.checkpoint
    if not is_signed:
        raise SealRefused(f"checkpoint {size} could not be signed")
    if size > last.size and last.size:
        raise LogForked(f"the database ends at {size} events, {NEVER_SIGNED.format(last.size)}: run audit_verify")
    if last.size != size or not hmac.compare_digest(last.root, root):
        raise LogForked(f"the database ends at {size} events, and {last.size} were signed: was an older one put back?")


def _check(event: Pending | AuditEvent, ring: KeyRing) -> None:
    """Raises SealRefused unless the row is what `record` wrote."""
    try:
        check_mark(event, ring)
    except MarkWrong as wrong:
        raise SealRefused(f"event {UUID(str(event.event_id))} {wrong}") from wrong


def _sign(signer: Signer, made: Checkpoint | None) -> int:
    """Sign the last tree if it is not; its size, 0 where there is none or another process is at it.

    `made` is the tree that this run has just made of events that it has checked.
    """
    with transaction.atomic(durable=True):
        last = last_checkpoint() if hold_tree() else None
        if last is None:
            return 0
        if last.note:
            return last.size
        checkpoint, nodes = last.as_checkpoint(), stored_nodes()
        try:
            if checkpoint != made:
                _check_unsigned(signer.last.checkpoint.size, checkpoint, nodes)
            note = signer.sign(checkpoint, proof=lambda old, new: consistency_proof(nodes, old=old, new=new))
        except TileMissing as missing:
            raise SealRefused(str(missing)) from missing
        last.note = note
        last.save(update_fields=["note"])
    signer.publish(note)
    logger.info("audit_checkpoint", extra={"note": note})
    return last.size


def _check_unsigned(signed: int, checkpoint: Checkpoint, nodes: Nodes) -> None:
    """Raises SealRefused unless the events beyond the `signed` ones are ours and give the root of `checkpoint`.

    Only the signer can tell which those are: each row of the database, and each note, may be somebody else's.
    """
    if checkpoint.size <= signed:
        return  # the signer compares it with what it has signed
    tree, ring = CompactRange.of(nodes, signed), keyring()
    for event in placed(signed, checkpoint.size):
        _check(event, ring)
        tree.append(event.leaf_hash)
    if tree.size != checkpoint.size or not hmac.compare_digest(tree.root(), checkpoint.root):
        raise SealRefused(f"the events up to checkpoint {checkpoint.size} do not give its root")
