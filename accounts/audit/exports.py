"""Exports of the audit log at the API: made, listed and downloaded. Making one and each download are events.

Nothing lies on a disk: an export is a recipe, and any host makes its bytes while they are sent.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from uuid import UUID

from django.db import models

from accounts.audit.download import Download
from accounts.audit.models import AuditExport
from accounts.audit.years import COLUMNS, FinancialYear, csv_lines, json_lines, row
from accounts.identity.documents import rfc3339
from accounts.identity.models import Company
from accounts.sessions.models import Session
from accounts.sessions.standing import held
from accounts.sessions.trail import record_by
from security.audit import Action, places, walk
from security.errors import Archived, NotFound, Unavailable
from security.tlog import last_signed, stream_bundle, was_taken

# Form → media type and the end of the file's name.
FORMS = {
    "csv": ("text/csv; charset=utf-8", "csv"),
    "jsonl": ("application/jsonl", "jsonl"),
    "bundle": ("application/zip", "zip"),
}
# Of a company, and of the service's staff: a recipe costs nothing to make again, and a client in a loop makes many.
MOST_KEPT = 500
SEAL_SECONDS = 10  # the schedule's interval


def exports_of(company: Company | None) -> models.QuerySet[AuditExport]:
    """Those of a company, or of the whole log."""
    return AuditExport.objects.filter(company=company).select_related("checkpoint__log", "company__subject")


def create_export(
    *,
    by: Session,
    company: Company | None,
    form: str,
    since: datetime,
    until: datetime,
    year: FinancialYear | None = None,
) -> AuditExport:
    """An export of the events from `since` on and before `until`, as they are signed now; the oldest are forgotten.

    Raises Unavailable while nothing is signed, SessionInvalid.
    """
    checkpoint = last_signed()
    if checkpoint is None:
        raise Unavailable("Nothing is sealed yet. Sealing runs every ten seconds.", retry_after=SEAL_SECONDS)
    with held(by, company=company):
        export = AuditExport.objects.create(
            company=company,
            checkpoint=checkpoint,
            form=form,
            financial_year=str(year) if year else "",
            since=since,
            until=until,
        )
        _record(Action.AUDIT_EXPORT_CREATED, export, by)
        kept = exports_of(company).order_by("-created_at", "-pk").values_list("pk", flat=True)[:MOST_KEPT]
        if len(newest := list(kept)) == MOST_KEPT:
            exports_of(company).exclude(pk__in=newest).delete()
    return export


def find_export(*, company: Company | None, pk: UUID) -> AuditExport:
    """Raises NotFound, also for another company's."""
    export = exports_of(company).filter(pk=pk).first()
    if export is None:
        raise NotFound
    return export


def download_export(*, by: Session, company: Company | None, pk: UUID) -> tuple[AuditExport, Download]:
    """An export and its bytes, to be closed by whoever sends them. Raises NotFound, Archived, RateLimited, Busy."""
    export = find_export(company=company, pk=pk)
    _check_whole(export)
    reader, is_staff = (company.pk, False) if company else (by.user_id, True)
    with (
        Download(pieces(export), session=by, reader=reader, is_staff=is_staff).kept() as download,
        held(by, company=company),
    ):
        _record(Action.AUDIT_EXPORTED, export, by)
    return export, download


def pieces(export: AuditExport) -> Iterator[bytes]:
    """The bytes of an export: the same on every call, on any host, and made while they are read.

    Pseudonyms and no names stand in each form: a name may be another one tomorrow, or erased. Raises Archived in place
    of the last piece where retention came in between: without it no file is whole.
    """
    content = _content(export)
    last = next(content)
    for piece in content:
        yield last
        last = piece
    _check_whole(export)
    yield last


def _check_whole(export: AuditExport) -> None:
    """Raises Archived once retention may have taken events of it out."""
    # A bundle goes by places, and beside them lie events that another host's clock put before the beginning.
    if was_taken(since=export.since, after=export.created_at):
        raise Archived


def _content(export: AuditExport) -> Iterator[bytes]:
    if export.form == "bundle":
        first, end = places(export.wanted(), end=export.checkpoint.size)
        return stream_bundle(export.checkpoint, first=first, end=end, only=export.selection())
    events = walk(export.wanted(), end=export.checkpoint.size)
    if export.form == "csv":
        blank = [""] * (len(COLUMNS) - 2)
        return _summed(csv_lines(events, is_named=False), lambda digest: row(["sha256", digest, *blank]))
    about = {
        "financialYear": export.financial_year or None,
        "from": rfc3339(export.since),
        "to": rfc3339(export.until),
    }
    lines = json_lines(events, about=about, checkpoint=export.checkpoint)
    return _summed(lines, lambda digest: json.dumps({"sha256": digest}).encode() + b"\n")


def _summed(content: Iterable[bytes], last: Callable[[str], bytes]) -> Iterator[bytes]:
    """`content`, and what `last` makes of the SHA-256 of all that was before it: a file without it was cut."""
    digest = hashlib.sha256()
    for piece in content:
        digest.update(piece)
        yield piece
    yield last(digest.hexdigest())


def _record(action: Action, export: AuditExport, by: Session) -> None:
    told = {"export": str(export.pk), "form": export.form, "size": export.checkpoint.size, "surface": "api"}
    told |= {"year": export.financial_year} if export.financial_year else {}
    told |= {"since": rfc3339(export.since), "until": rfc3339(export.until)}
    record_by(by, action, data=told)
