"""Compares the log with what witnesses have cosigned: finds a history that was written anew with every key of ours.

The witnesses' signatures are kept in the database, where they can be deleted but not made; so each is asked too, and
a note that the operator brings from a witness's own host counts whatever this host says.
"""

import hmac
from collections.abc import Sequence

from security.tlog.anchoring import (
    Standing,
    Witness,
    WitnessMisnamed,
    ask,
    configured_witnesses,
    is_cosigned,
    open_cosigned,
)
from security.tlog.findings import Kind, Report
from security.tlog.models import AuditAnchor, AuditCheckpoint, AuditLog
from security.tlog.note import Checkpoint, NoteInvalid
from security.tlog.store import last_signed, stored_nodes
from security.tlog.tiles import TileMissing
from security.tlog.tree import root_of


def read_witness_note(text: str) -> Checkpoint:
    """What a witness of AUDIT_WITNESSES cosigned in the note `text`. Raises NoteInvalid, WitnessMisnamed."""
    for witness in configured_witnesses():
        try:
            return Checkpoint.parse(open_cosigned(text, witness)[0].text)
        except NoteInvalid:
            continue
    raise NoteInvalid("no witness of AUDIT_WITNESSES cosigned it")


def check_witnesses(report: Report, brought: Sequence[Checkpoint]) -> None:
    """Compare the database's checkpoints with what witnesses cosigned: as kept here, as `brought`, as they say."""
    try:
        witnesses = configured_witnesses()
    except WitnessMisnamed as misnamed:
        report.not_verified.append(f"AUDIT_WITNESSES: {misnamed}")
        witnesses = []
    for checkpoint in brought:
        _compare(report, checkpoint, by="the witness whose note you gave")
    for witness in witnesses:
        _check_kept(report, witness)
        if last_signed() is None:
            continue
        testimony = ask(witness)
        if testimony.standing is Standing.DIFFERS:
            report.fault(Kind.WITNESS, testimony.what)
        elif testimony.standing is not Standing.COSIGNS:
            report.not_verified.append(testimony.what)


def _check_kept(report: Report, witness: Witness) -> None:
    """Each kept cosignature is one, over the checkpoint of its size."""
    name, last_good = witness.key.name, 0
    checkpoints = AuditCheckpoint.objects.select_related("log")
    for anchor in AuditAnchor.objects.filter(sink=name).order_by("size").iterator(chunk_size=500):
        checkpoint = checkpoints.filter(size=anchor.size).first()
        if checkpoint is None:
            what = f"witness {name} has cosigned {anchor.size} events, and the database has no such checkpoint"
            report.fault(Kind.WITNESS, what, index=last_good)
            continue
        if is_cosigned(anchor, witness, checkpoint):
            last_good = anchor.size
        else:
            report.fault(Kind.WITNESS, f"checkpoint {anchor.size} is not what {name} cosigned", index=last_good)


def _compare(report: Report, seen: Checkpoint, *, by: str) -> None:
    """Raise the alarm unless the database's tree has `seen` as its beginning."""
    log = AuditLog.objects.filter(origin=seen.origin).first()
    if log is None:
        report.fault(Kind.WITNESS, f"{by} has cosigned the log {seen.origin}, which this database is not")
        return
    last = log.checkpoints.order_by("-size").first()
    end = last.size if last else 0
    if seen.size > end:
        what = f"{by} has cosigned {seen.size} events of {seen.origin}, and the database has {end} of them"
        if AuditLog.objects.filter(epoch__gt=log.epoch).exists():
            # Lost by the recovery that began the next epoch, whose first event says so.
            report.not_verified.append(f"{what}; compare the event audit_log.recovered")
        else:
            report.fault(Kind.WITNESS, what, index=end)
        return
    try:
        root = root_of(stored_nodes(), seen.size)
    except TileMissing as missing:
        report.not_verified.append(str(missing))
        return
    if not hmac.compare_digest(root, seen.root):
        report.fault(Kind.WITNESS, f"{by} has cosigned another tree of {seen.size} events")
