"""How far one event is proved: sealed, witnessed, verified; and its proof as a file (c2sp.org/tlog-proof)."""

from dataclasses import dataclass

from security.audit import AuditEvent
from security.audit.leaf import leaf_hash
from security.tlog.anchoring import (
    Witness,
    WitnessMisnamed,
    configured_witnesses,
    cosigned_sizes,
    newest_cosigned,
)
from security.tlog.history import last_verification, verification_of
from security.tlog.models import AuditAnchor, AuditCheckpoint, AuditVerification
from security.tlog.note import to_base64
from security.tlog.store import NotSealed, last_signed, signed_tree, stored_nodes
from security.tlog.tiles import TileMissing
from security.tlog.tree import inclusion_proof, verify_inclusion

HEAD = "c2sp.org/tlog-proof@v1"


class ProofWrong(RuntimeError):  # noqa: N818 - named for what happened
    """The event does not lead to the root that was signed: something was changed. `audit_verify` says more."""


@dataclass(frozen=True, slots=True)
class Proof:
    """`text` is the file; `size` that of the checkpoint in it."""

    text: str
    size: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the log is proved, or one event of it.

    Of the log: `sealed` and `witnessed` are how many events the last checkpoint, and the last cosigned one, have. Of an
    event: the sizes of the first that have it. None where there is none. `verification` is the newest run over it;
    where no run looked at it, `before` is the newest of those that were over before it was sealed.
    """

    sealed: int | None
    witnessed: int | None
    verification: AuditVerification | None
    before: AuditVerification | None = None


def log_standing() -> Standing:
    """Of the whole log."""
    last = signed_tree.read()
    witnessed = max((newest_cosigned(witness) for witness in _witnesses()), default=0)
    return Standing(last["size"] if last else None, witnessed or None, last_verification())


def standing_of(event: AuditEvent) -> Standing:
    """Of one event."""
    index = event.tree_index
    if index is None or index < 0:
        return Standing(None, None, None)
    signed = AuditCheckpoint.objects.filter(size__gt=index).exclude(note="").order_by("size")
    anchors = AuditAnchor.objects.filter(size__gt=index).order_by("size")
    witnessed = [next(cosigned_sizes(witness, anchors), None) for witness in _witnesses()]
    run = verification_of(index)
    return Standing(
        sealed=signed.values_list("size", flat=True).first(),
        witnessed=min((size for size in witnessed if size), default=None),
        verification=run if run is not None and run.since <= index < run.size else None,
        before=run if run is not None and run.size <= index else None,
    )


def prove(event: AuditEvent) -> Proof:
    """The proof of `event` under the newest checkpoint that a witness cosigned, else under the newest.

    It is checked before it is handed out. Raises NotSealed, ProofWrong.
    """
    checkpoint = _checkpoint_for(event.tree_index)
    if checkpoint is None or event.tree_index is None:
        raise NotSealed(f"event {event.event_id} is in no signed checkpoint yet")
    index, size = event.tree_index, checkpoint.size
    try:
        path = inclusion_proof(stored_nodes(), index=index, size=size)
        verify_inclusion(
            leaf_hash=leaf_hash(bytes(event.leaf)), index=index, size=size, proof=path, root=bytes(checkpoint.root)
        )
    except (TileMissing, ValueError) as wrong:  # a place before the first is one
        raise ProofWrong(f"event {event.event_id} does not lead to checkpoint {size}: {wrong}") from wrong
    lines = [HEAD, f"index {index}", *map(to_base64, path), "", _cosigned_note(checkpoint)]
    return Proof(text="\n".join(lines), size=size)


def _checkpoint_for(index: int | None) -> AuditCheckpoint | None:
    if index is None:
        return None
    cosigned = max((newest_cosigned(witness) for witness in _witnesses()), default=0)
    signed = AuditCheckpoint.objects.exclude(note="")
    checkpoint = signed.filter(size=cosigned).first() if cosigned > index >= 0 else last_signed()
    return checkpoint if checkpoint is not None and checkpoint.size > index else None


def _cosigned_note(checkpoint: AuditCheckpoint) -> str:
    """The log's note with the line of each witness."""
    note = checkpoint.note
    for anchor in AuditAnchor.objects.filter(size=checkpoint.size, sink__in=[w.key.name for w in _witnesses()]):
        for line in anchor.note.rpartition("\n\n")[2].splitlines(keepends=True):
            note += "" if line in note else line
    return note


def _witnesses() -> list[Witness]:
    try:
        return configured_witnesses()
    except WitnessMisnamed:  # health says so; a page of an event is no place for it
        return []
