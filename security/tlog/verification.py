"""Verifies the whole log against itself, its signer and its witnesses: finds what was changed, and where first.

Writes nothing.
"""

import hmac
import logging
from collections.abc import Sequence

from django.conf import settings
from django.db.models import Count, Max, Min, Sum
from django.db.models.functions import Length

from security.audit import NO_KEY, AuditEvent
from security.crypto import UnknownKey, keyring
from security.tlog.findings import Kind, Report
from security.tlog.looking import READ, check_row, worthwhile
from security.tlog.models import AuditCheckpoint, AuditLog, AuditTile
from security.tlog.note import Checkpoint, VerifierKey
from security.tlog.published import check_published
from security.tlog.signer import Signed, SignerUnavailable, read_signed
from security.tlog.store import last_checkpoint, load_tile
from security.tlog.testimony import check_witnesses
from security.tlog.tiles import FULL_BYTES, HEIGHT, WIDTH, perfect_root
from security.tlog.tree import EMPTY_ROOT, HASH_BYTES
from security.tlog.walk import CHUNK, Advance, Walk
from security.trail import triggers_not_in_place

logger = logging.getLogger("security.tlog")


def verify_log(
    *,
    since: int = 0,
    advance: Advance = lambda _: None,
    pinned: VerifierKey | None = None,
    witnessed: Sequence[Checkpoint] = (),
    processes: int | None = 1,
) -> Report:
    """Verify all events from index `since` on, everything signed, and what is not sealed yet.

    `pinned` is a verifier key that the caller keeps himself; else the signer's folder says which is ours.
    `witnessed` are checkpoints that the caller brings from witnesses' hosts, beside what those answer. So many
    `processes` share the events, this one among them; others see what is committed. None: as many as the log is worth.
    """
    report = Report(since=since)
    try:
        _verify(report, advance, pinned=pinned, processes=processes)
        check_witnesses(report, witnessed)
    except (TypeError, ValueError, AttributeError, OverflowError) as junk:
        logger.exception("audit_verification_ended")
        what = f"a row of the log holds what no column of ours does, and ended the verification: {type(junk).__name__}"
        report.fault(Kind.EDITED, what)
    if missing := triggers_not_in_place():
        report.fault(Kind.TRIGGER, f"the database does not guard what was recorded: {', '.join(missing)}")
    return report


def _verify(report: Report, advance: Advance, *, pinned: VerifierKey | None, processes: int | None) -> None:
    """All but the witnesses. Raises whatever comes of junk: SQLite keeps in a column what is put there."""
    # The signer first: what it has signed is committed, and the log may be sealed meanwhile.
    signed = _signed(report)
    last = last_checkpoint()
    report.size, report.root = (last.size, bytes(last.root).hex()) if last else (0, EMPTY_ROOT.hex())
    _check_signer(report, signed, last, pinned=pinned)
    if signed is not None:
        check_published(report, settings.AUDIT_SIGNER_DIR)
    if report.since > report.size:  # a slip of who asks; or the database is an older one, which the signer told
        report.not_verified.append(f"there is no event from {report.since} on: {report.size} are sealed")
    else:
        processes = processes or worthwhile(report.size - report.since)
        Walk(report, end=report.size, advance=advance, processes=processes).run()
    _check_tiles(report)
    _check_pending(report)


def _signed(report: Report) -> Signed | None:
    try:
        return read_signed(settings.AUDIT_SIGNER_DIR)
    except SignerUnavailable as unavailable:
        report.not_verified.append(str(unavailable))
        return None


def _check_signer(
    report: Report, signed: Signed | None, end: AuditCheckpoint | None, *, pinned: VerifierKey | None
) -> None:
    """The signer's memory lies outside the database: it knows what a rewritten database cannot.

    `end` is the database's last checkpoint: its log and the last one must both be the signer's, and it no larger than
    what was signed, unless it has no note.
    """
    log, size = AuditLog.objects.order_by("-epoch").first(), report.size
    named = {(one.origin, one.verifier_key) for one in (log, end and end.log) if one}
    if pinned is not None and named != {(pinned.name, str(pinned))}:
        report.fault(Kind.KEY, "the database names another key than the one you gave")
    if signed is None:
        if pinned is None and size:
            report.not_verified.append(f"no signer in {settings.AUDIT_SIGNER_DIR}: give the key you keep, with --key")
        return
    if named != {(signed.checkpoint.origin, str(signed.key))}:
        report.fault(Kind.KEY, f"the signer's folder belongs to {signed.checkpoint.origin}, and the database does not")
    last = signed.checkpoint
    same_size = AuditCheckpoint.objects.filter(size=last.size).first()
    if size < last.size:
        report.fault(Kind.ROLLED_BACK, f"the database ends at {size} events, and {last.size} were signed", index=size)
    elif end and end.note and size > last.size and not _has_signed(report, size):
        what = f"the database has a checkpoint of {size} events, and the signer has signed {last.size}"
        report.fault(Kind.FORKED, what, index=last.size)
    elif same_size is None or not hmac.compare_digest(bytes(same_size.root), last.root):
        report.fault(Kind.FORKED, f"the signer signed another tree of {last.size} events")


def _has_signed(report: Report, size: int) -> bool:
    """Whether the signer has got there now: it remembers each note before the database has it."""
    now = _signed(report)
    return now is not None and now.checkpoint.size >= size


def _check_tiles(report: Report) -> None:
    """The tiles hold each hash that the tree has and no other; level 0 was compared with the events."""
    by_level = AuditTile.objects.order_by().values("level").annotate(bytes=Sum(Length("hashes")))
    by_level = by_level.annotate(tiles=Count("*"), first=Min("index"), last=Max("index"), widest=Max(Length("hashes")))
    held = {row["level"]: row for row in by_level}
    last = last_checkpoint()  # after them: the log may be sealed meanwhile
    least, most = report.size, last.size if last else 0
    for level in sorted({*held, *range(-(-least.bit_length() // HEIGHT))}):
        row = held.get(level, {"tiles": 0, "first": 0, "last": -1, "widest": 0, "bytes": 0})
        is_whole = least >> HEIGHT * level <= row["bytes"] / HASH_BYTES <= most >> HEIGHT * level
        if (row["first"], row["last"]) != (0, row["tiles"] - 1) or row["widest"] > FULL_BYTES or not is_whole:
            report.fault(Kind.TILE, f"the tiles of level {level} lack hashes, or hold some that no tree has")
    _check_upper_tiles(report)


def _check_upper_tiles(report: Report) -> None:
    """Each entry above level 0 is the root of the tile below it."""
    for tile in AuditTile.objects.filter(level__gt=0).order_by("level", "index").iterator(chunk_size=64):
        hashes = bytes(tile.hashes)
        for at in range(len(hashes) // HASH_BYTES):
            below = load_tile(tile.level - 1, tile.index * WIDTH + at)
            root = perfect_root(below) if len(below) == FULL_BYTES else b""
            if not hmac.compare_digest(root, hashes[at * HASH_BYTES : (at + 1) * HASH_BYTES]):
                report.fault(Kind.TILE, f"{tile} has a wrong hash at {at}")
                return


def _check_pending(report: Report) -> None:
    """Events that no tree has yet: their mark guards them."""
    rows = AuditEvent.objects.filter(tree_index=None).order_by("id").values_list(*READ)
    for row in rows.iterator(chunk_size=CHUNK):
        report.pending += 1
        told = dict(zip(READ, row, strict=True))
        try:
            keyring().get("audit_mac", told["mac_key"])
        except UnknownKey:
            report.fault(Kind.UNMARKED, f"event {told['event_id']} {NO_KEY.format(told['mac_key'])}")
        check_row(report, row, keyring())
