"""The auditor pack: one zip file with a financial year's edit log, its proof, and the tool that checks it.

What it says to an auditor stands in `pack_readme.py`; what is recorded, and what proves it, is below in `security`.
"""

import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts.audit.edit_log import Scope, csv_edits, edits, in_bundle
from accounts.audit.labels import Kind, labels_of
from accounts.audit.pack_readme import readme
from accounts.audit.retention_proof import retention_proof
from accounts.audit.services import years_on_record
from accounts.audit.years import BEGINNING, FinancialYear, in_india, json_lines, row
from accounts.identity import gstin
from accounts.identity.models import Company
from security.audit import Action, AuditEvent, places, record
from security.crypto import SubjectKey
from security.tlog import (
    VERIFIER,
    Epochs,
    Heartbeat,
    NotSealed,
    cosigned_notes,
    gaps_between,
    heartbeats,
    member,
    require_signed,
    stream_bundle,
)
from security.whole_files import drafted, sync_folder

Advance = Callable[[int], object]
_BEATS = ("index", "time", "node", "triggers expected", "triggers found", "missing", "tree size", "signed", "hash")
_FINDINGS = ("finding", "from", "to", "minutes", "what")


class PackRefused(ValueError):  # noqa: N818 - the sentence that the operator reads
    """There is no such year or company here."""


def scope_of(*, year: FinancialYear, company: str = "") -> Scope:
    """What a pack of `year` is about, and of the company of this GSTIN, id or pseudonym.

    Raises PackRefused; NotSealed also for a year of which nothing is signed yet, and for one that is over and whose end
    no checkpoint covers.
    """
    checkpoint = require_signed()
    if year not in years_on_record():
        raise PackRefused(f"nothing of the financial year {year} is on record")
    if year.until <= timezone.now():
        of_year = AuditEvent.objects.filter(occurred_at__lt=year.until)
        is_open = of_year.filter(tree_index=None).exists() or of_year.filter(tree_index__gte=checkpoint.size).exists()
        if is_open or checkpoint.created_at < year.until:
            raise NotSealed(f"the end of {year} is not signed yet; audit_seal seals what is recorded")
    elif places(year.wanted(), end=checkpoint.size) == (0, 0):
        raise NotSealed(f"nothing of {year} is signed yet; audit_seal seals what is recorded")
    return Scope(year=year, checkpoint=checkpoint, company=_pseudonym(company) if company else None)


def record_pack(scope: Scope, *, path: Path, operator: str, reason: str) -> None:
    """Mark that the pack is taken, before it is: what cannot be told of is not handed out.

    Raises FileExistsError where `path` is taken: then nothing will be.
    """
    if path.exists():
        raise FileExistsError(path)
    with transaction.atomic(durable=True):
        told = {"year": str(scope.year), "form": "pack", "size": scope.checkpoint.size}
        whose = SubjectKey.objects.filter(pk=scope.company).first() if scope.company else None
        record(Action.AUDIT_EXPORTED, company=whose, data={**told, "operator": operator, "reason": reason})


def write_pack(path: Path, scope: Scope, *, advance: Advance = lambda _: None) -> dict[str, Any]:
    """Write the pack to the new file `path`, mode 0600, whole or not at all; what is in it, in numbers.

    Raises PackRefused while another run writes it, FileExistsError, OSError.
    """
    try:
        with drafted(path) as (draft, file):
            with zipfile.ZipFile(file, "w") as archive:
                told = _fill(_Pack(archive, advance), scope)
            file.flush()
            os.fsync(file.fileno())
            os.link(draft, path)  # a rename would replace what came there meanwhile
    except BlockingIOError as busy:
        raise PackRefused(f"another run is writing {path}") from busy
    sync_folder(path.parent)
    return told


class _Pack:
    """The zip file, and the SHA-256 of each file in it."""

    def __init__(self, archive: zipfile.ZipFile, advance: Advance) -> None:
        self.archive, self.advance = archive, advance
        self.sums: list[str] = []

    def add(self, name: str, pieces: Iterable[bytes]) -> None:
        digest = hashlib.sha256()
        info = member(name, compression=zipfile.ZIP_DEFLATED)
        with self.archive.open(info, "w", force_zip64=True) as file:
            for piece in pieces:
                file.write(piece)
                digest.update(piece)
        self.sums.append(f"{digest.hexdigest()}  {name}\n")

    def counted(self, events: Iterable[AuditEvent], told: dict[str, Any]) -> Iterator[AuditEvent]:
        for event in events:
            told["edits"] += 1
            self.advance(1)
            yield event


def _fill(pack: _Pack, scope: Scope) -> dict[str, Any]:
    checkpoint, year = scope.checkpoint, scope.year
    first = AuditEvent.objects.order_by("id").values_list("occurred_at", flat=True)[0]
    since, until = max(year.since, first), min(year.until, checkpoint.created_at)
    is_first_held = AuditEvent.objects.filter(tree_index=0).exists()
    bundle = in_bundle(scope)
    told: dict[str, Any] = {
        "financialYear": str(year),
        "company": _title(scope.company),
        "isWhole": scope.company is None,
        "recordBegins": in_india(since),
        "recordEnds": in_india(until),
        "isBegunWithin": since > year.since and is_first_held,
        "isBeginningGone": since > year.since and not is_first_held,
        "size": checkpoint.size,
        "checkpointAt": in_india(checkpoint.created_at),
        "firstIndex": bundle["first"],
        "endIndex": bundle["end"],
        "edits": 0,
        "heartbeats": 0,
        "gaps": 0,
        "shortHeartbeats": 0,
    }
    about = {"year": str(year)}
    pack.add("edit-log.csv", csv_edits(scope))
    pack.add("edit-log.jsonl", json_lines(pack.counted(edits(scope), told), about=about, checkpoint=checkpoint))
    pack.add("heartbeats.csv", _beats(scope, told))
    pack.add("continuity.csv", _findings(scope, told, since=since, until=until))
    retention = retention_proof(scope)
    told["pruned"] = len(retention["pruned"])
    pack.add("retention.json", [_json(retention)])
    pack.add("bundle.zip", stream_bundle(checkpoint, **bundle, is_cosigned=True, advance=pack.advance))
    pack.add("checkpoint.txt", [checkpoint.note.encode()])
    pack.add("cosigned-checkpoints.txt", (note.encode() for note in cosigned_notes(checkpoint)))
    pack.add("verify_bundle.py", [VERIFIER.read_bytes()])
    pack.add("summary.json", [_json(told)])
    keys = [log.verifier_key for log in Epochs(end=checkpoint.size).known]
    pack.add("README.txt", [readme(told, keys=keys, retention=retention).encode()])
    sums = "".join(sorted(pack.sums, key=lambda line: line.split()[1]))
    pack.add("SHA256SUMS", [sums.encode()])
    return told


def _beats(scope: Scope, told: dict[str, Any]) -> Iterator[bytes]:
    yield BEGINNING + row(_BEATS)
    for one in _heartbeats(scope):
        told["heartbeats"] += 1
        numbers = (str(one.expected), str(one.found), " ".join(one.missing), str(one.size), one.signed_at)
        yield row((str(one.index), in_india(one.at), one.node, *numbers, one.leaf_hash.hex()))


def _findings(scope: Scope, told: dict[str, Any], **ends: Any) -> Iterator[bytes]:
    yield BEGINNING + row(_FINDINGS)
    for gap in gaps_between(end=scope.checkpoint.size, known_to=scope.checkpoint.created_at, **ends):
        told["gaps"] += 1
        minutes = str(round((gap.end - gap.begin).total_seconds() / 60))
        yield row(("gap", in_india(gap.begin), in_india(gap.end), minutes, "no heartbeat was recorded"))
    for one in _heartbeats(scope):
        if one.is_short:
            told["shortHeartbeats"] += 1
            missing = f"{one.found} of {one.expected} triggers were in place; not: {' '.join(one.missing)}"
            yield row(("triggers", in_india(one.at), in_india(one.at), "0", missing))


def _heartbeats(scope: Scope) -> Iterator[Heartbeat]:
    return heartbeats(since=scope.year.since, until=scope.year.until, end=scope.checkpoint.size)


def _json(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n"


def _title(company: UUID | None) -> str:
    if company is None:
        return "all companies of this installation"
    label = labels_of([company])[company]
    return label.text if label.kind is Kind.COMPANY else f"{company} (erased)"


def _pseudonym(named: str) -> UUID:
    """The pseudonym of the company that `named` means, also of one that was erased."""
    try:
        key = UUID(named)
    except ValueError:
        try:
            company = Company.objects.with_gstin(gstin.parse(named).value).first()
        except gstin.GstinError as wrong:
            raise PackRefused("that is neither a GSTIN nor the id of a company") from wrong
    else:
        company = Company.objects.filter(pk=key).first() or Company.objects.filter(subject=key).first()
        if company is None and AuditEvent.objects.filter(company=key).exists():
            return key
    if company is None:
        raise PackRefused("no company of this GSTIN or id is on record")
    return UUID(str(company.subject_id))
