"""Takes out of the database what an approved plan says: archived, told of in the tree, then deleted.

In this order, each step whole before the next begins, so that a run that ends anywhere may be run again: the archive
is on the disk and read back; the event that commits to it is sealed and signed; the rows go, in batches. The tree keeps
each hash. Whose events a hold keeps is a query of the caller's, asked anew for each batch.
"""

import hmac
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Count, Max, Min, Q, QuerySet
from django.utils import timezone

from security.audit import ERASURES, Action, AuditClass, AuditEvent, AuditPii, LeafRefused, record, take_out
from security.audit.leaf import leaf_hash, members_of, timestamp
from security.crypto import SubjectKey
from security.operator_account import operator_name
from security.retention.archive import Archive, ArchiveWrong, Line, indexes_in, read_archive, value_of, write_archive
from security.retention.plans import (
    Plan,
    check_approved,
    check_no_log_hold,
    check_open,
    find_plan,
    sealed_and_witnessed,
)
from security.retention.policy import RetentionRefused, check_cutoffs, kept_days
from security.tlog import (
    AuditCheckpoint,
    AuditPruned,
    Pruning,
    as_bits,
    is_agreed,
    keep_verification,
    leaf_hashes,
    note_taken,
    prove,
    prunings,
    require_signed,
    seal_pending,
    verify_log,
)
from security.tlog.tiles import WIDTH
from security.trail import maintenance

CHUNK = 16 * WIDTH  # places of the tree whose events are read at once
BATCH = 8  # tiles whose events are deleted in one transaction
_ROWS = 500

Held = QuerySet[SubjectKey]
Advance = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Surveyed:
    """One class: days of its floor and days it is kept, its oldest event, and how many are beyond `until`.

    `held` of those stay because a hold names somebody in them.
    """

    audit_class: AuditClass
    floor_days: int
    kept_days: int
    until: datetime
    oldest: datetime | None
    beyond: int
    held: int


@dataclass(frozen=True, slots=True)
class Done:
    """One class of a plan that was run. `kept` are archived events that a hold came to keep before they went."""

    pruning: Pruning
    path: Path
    deleted: int
    kept: int


def survey(*, held: Held) -> list[Surveyed]:
    """What could go now, by class. Raises RetentionRefused for a setting below a floor."""
    now = timezone.now()
    size = sealed_and_witnessed() if AuditCheckpoint.objects.exclude(note="").exists() else 0
    found = []
    for audit_class, days in kept_days().items():
        until = now - timedelta(days=days)
        of_class = AuditEvent.objects.filter(audit_class=audit_class)
        beyond = _beyond(audit_class, until, size=size)
        count = beyond.count()
        found.append(
            Surveyed(
                audit_class=audit_class,
                floor_days=audit_class.retention_days,
                kept_days=days,
                until=until,
                oldest=of_class.order_by("id").values_list("occurred_at", flat=True).first(),
                beyond=count,
                held=count - _but_held(beyond, held).count() if count else 0,
            )
        )
    return found


def run_plan(plan: Plan, *, folder: Path, held: Held, advance: Advance = lambda _: None) -> list[Done]:
    """Archive and delete what the plan says, by class. May be run again until it ends.

    The whole log is verified before: where anything was changed, all of it is evidence. Raises RetentionRefused,
    ArchiveWrong, OSError (nothing was deleted where the archive is not whole), and as `seal_pending` does.
    """
    seal_pending()
    plan = find_plan(plan.id)
    check_open(plan)
    check_approved(plan)
    check_no_log_hold()
    check_cutoffs(plan.cutoffs, now=timezone.now())
    if sealed_and_witnessed() < plan.size:
        raise RetentionRefused("not_witnessed", f"a witness has not cosigned the {plan.size} events of the plan yet")
    report = verify_log(advance=advance, processes=None)
    keep_verification(report)
    if report.faults:
        raise RetentionRefused("changed", "the log was changed: run audit_verify, and keep everything as it is")
    archived = []
    for audit_class in plan.cutoffs:
        path = folder / f"audit-{audit_class}-{plan.id}.jsonl.gz"
        if pruning := _told(plan, audit_class):
            archived.append((_check_archived(pruning, path), path))
        elif pruning := _archive(plan, audit_class, path=path, held=held):
            archived.append((pruning, path))
    seal_pending()
    return [_delete(pruning, path, held=held, advance=advance) for pruning, path in archived]


def check_archive(path: Path) -> Pruning:
    """The pruning whose archive this file is, byte for byte, as the signed tree has it.

    Raises ArchiveWrong, NotSealed, ProofWrong, OSError.
    """
    archive = read_archive(path)
    for pruning in prunings():
        if (str(pruning.plan), pruning.audit_class) == (archive.head.get("plan"), archive.head.get("class")):
            prove(AuditEvent.objects.get(event_id=pruning.event_id))
            _compare(archive, pruning)
            return pruning
    raise ArchiveWrong(f"the log tells of no pruning whose archive {path} is")


def _compare(archive: Archive, pruning: Pruning) -> None:
    if not archive.digest.is_of(pruning):
        raise ArchiveWrong(f"{archive.path} holds other events than were taken out ({pruning}): it was changed")
    if archive.sha256 != pruning.archive:
        raise ArchiveWrong(f"{archive.path} holds the events of {pruning}, and is not the file that was written")


def _beyond(audit_class: AuditClass, until: datetime, *, size: int) -> QuerySet[AuditEvent]:
    """Events that may go. Those that the proof needs never do: what a pruning or an erasure took out would be missing
    without a word, and nothing would tell of the epoch that a recovery began.
    """
    rows = AuditEvent.objects.filter(audit_class=audit_class, occurred_at__lt=until, tree_index__lt=size)
    kept = (Action.AUDIT_PRUNED, Action.AUDIT_LOG_RECOVERED, *ERASURES)
    return rows.exclude(type__in=[action.type for action in kept])


def _but_held(rows: QuerySet[AuditEvent], held: Held) -> QuerySet[AuditEvent]:
    pseudonyms = held.values("pk")
    return rows.exclude(Q(actor__in=pseudonyms) | Q(target__in=pseudonyms) | Q(company__in=pseudonyms))


def _told(plan: Plan, audit_class: AuditClass) -> Pruning | None:
    """What an earlier run of the plan told of."""
    return next((one for one in prunings() if (one.plan, one.audit_class) == (plan.id, audit_class)), None)


def _check_archived(pruning: Pruning, path: Path) -> Pruning:
    """Nothing more is deleted while the archive is not where it was put."""
    _compare(read_archive(path), pruning)
    return pruning


def _archive(plan: Plan, audit_class: AuditClass, *, path: Path, held: Held) -> Pruning | None:
    """Write the archive, then the event that commits to it; None where nothing is to go."""
    rows = _but_held(_beyond(audit_class, plan.cutoffs[audit_class], size=plan.size), held)
    ends = rows.aggregate(count=Count("pk"), first=Min("tree_index"), last=Max("tree_index"))
    if not ends["count"]:
        return None
    until = timestamp(plan.cutoffs[audit_class])
    checkpoint = AuditCheckpoint.objects.select_related("log").get(size=plan.size)
    told: dict[str, Any] = {"plan": str(plan.id), "class": str(audit_class), "until": until}
    head = {"archive": 1, **told, "key": checkpoint.log.verifier_key, "checkpoint": checkpoint.note}
    archive = write_archive(path, head, _lines(rows, first=ends["first"], last=ends["last"], told=told))
    digest = archive.digest
    told |= {"digest": digest.hex(), "archive": archive.sha256, "operator": operator_name()}
    told |= {"count": digest.count, "first": digest.first, "last": digest.last}
    told |= {"proposed_by": str(plan.proposed_by), "approved_by": str(plan.approved_by)}
    try:
        with transaction.atomic(durable=True):
            _store_places(plan, audit_class, path)
            event = record(Action.AUDIT_PRUNED, data=told)
    except IntegrityError as other:
        raise RetentionRefused("running", f"another run of plan {plan.id} was faster; run it again") from other
    return Pruning.of(event)


def _lines(rows: QuerySet[AuditEvent], *, first: int, last: int, told: Mapping[str, Any]) -> Iterator[Line]:
    """Each event in the order of the tree, once it is proved to be the one that was sealed there."""
    for start in range(first, last + 1, CHUNK):
        hashes = leaf_hashes(start, min(start + CHUNK, last + 1))
        chunk = rows.filter(tree_index__gte=start, tree_index__lt=min(start + CHUNK, last + 1)).order_by("tree_index")
        events = list(chunk.values_list("pk", "tree_index", "leaf"))
        values: dict[int, list[dict[str, str]]] = {}
        for row in AuditPii.objects.filter(event__in=[pk for pk, _, _ in events]).order_by("event", "field"):
            values.setdefault(row.event_id, []).append(value_of(row.field, row.subject, bytes(row.ciphertext)))
        for pk, place, stored in events:
            index, leaf = place or 0, bytes(stored)
            if not (hmac.compare_digest(leaf_hash(leaf), hashes[index - start]) and _is_meant(leaf, told)):
                raise RetentionRefused("changed", f"event {index} is not the one that was sealed: run audit_verify")
            yield index, leaf, values.get(pk, [])


def _is_meant(leaf: bytes, told: Mapping[str, Any]) -> bool:
    """Whether the leaf, and not only its columns, is of the class and the time."""
    try:
        members = members_of(leaf)
    except LeafRefused:
        return False
    return bool(members["class"] == told["class"] and members["ts"] < told["until"])


def _store_places(plan: Plan, audit_class: AuditClass, path: Path) -> None:
    by_tile = groupby(indexes_in(path), key=lambda index: index // WIDTH)
    rows = (
        AuditPruned(plan=plan.id, audit_class=audit_class, tile=tile, places=as_bits(indexes))
        for tile, indexes in by_tile
    )
    while some := list(islice(rows, _ROWS)):
        AuditPruned.objects.bulk_create(some)


def _delete(pruning: Pruning, path: Path, *, held: Held, advance: Advance) -> Done:
    """Delete what the sealed event says, batch by batch, but for what a hold has come to keep since."""
    sealed = _told_and_signed(pruning)
    deleted, kept, tiles = 0, 0, sealed.tiles()
    while some := list(islice(tiles, BATCH)):
        rows = AuditEvent.objects.filter(tree_index__in=[index for _, indexes in some for index in indexes])
        with transaction.atomic(durable=True), maintenance():
            check_no_log_hold()
            gone = take_out(_but_held(rows, held))
            if gone:
                note_taken(sealed, [tile for tile, _ in some])
            kept += rows.count()
        if gone:
            # Once more: an export that was made since the first note, and before the commit, saw the events still.
            with transaction.atomic(durable=True), maintenance():
                note_taken(sealed, [tile for tile, _ in some])
        deleted += gone
        advance(gone)
    return Done(sealed, path, deleted, kept)


def _told_and_signed(pruning: Pruning) -> Pruning:
    """As it stands in the signed tree, with the places that it is proved to name. Raises RetentionRefused."""
    event = AuditEvent.objects.get(event_id=pruning.event_id)
    sealed = Pruning.of(event)
    if sealed.index is None or sealed.index >= require_signed().size:
        raise RetentionRefused("not_sealed", "the event that tells of it waits to be sealed; run it again in a minute")
    if not is_agreed(sealed):
        raise RetentionRefused("changed", "the places of the plan were changed: run audit_verify")
    return sealed
