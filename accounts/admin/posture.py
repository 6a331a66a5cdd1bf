"""Runs of the security audit in the admin: what each found, and what changed since the run before. Read-only."""

import re
from typing import Any

from django.contrib import admin
from django.db import transaction
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from accounts.admin.reading import ReadingAdmin, list_link, time_column
from accounts.sessions.models import Session
from accounts.sessions.trail import record_by
from security.audit import Action
from security.posture import Difference, Finding, SecurityAuditRun, difference_to_previous, findings_in

# Subjects that have a page of their own here.
_PAGES = {"person": "accounts_user", "company": "accounts_company", "session": "accounts_session"}
_SUBJECT = re.compile(r"(person|company|session) ([0-9a-f-]{36})", re.ASCII)


@admin.register(SecurityAuditRun)
class SecurityAuditRunAdmin(ReadingAdmin):
    """A run is made by the command or the schedule; nobody edits or deletes one here."""

    list_display = ("started", "environment", "critical", "high", "medium", "low", "not_verified", "version")
    ordering = ("-pk",)
    fieldsets = (
        (None, {"fields": ("started", "ended", "environment", "version", "not_verified_why")}),
        ("Found", {"fields": ("found",)}),
        ("Since the run before", {"fields": ("new", "fixed", "standing", "unknown")}),
    )
    started = time_column("started_at", "Started")
    ended = time_column("ended_at", "Ended")

    def record_view(self, *, by: Session, obj: SecurityAuditRun) -> None:
        with transaction.atomic(durable=True):
            record_by(by, Action.SECURITY_AUDIT_VIEWED, data={"run": str(obj.pk), "surface": "admin"})

    @admin.display(description="Not verified")
    def not_verified(self, run: SecurityAuditRun) -> int:
        return len(run.troubles)

    @admin.display(description="Not verified")
    def not_verified_why(self, run: SecurityAuditRun) -> SafeString | str:
        return _lines((t["id"], t["title"], t["reason"]) for t in run.troubles) if run.troubles else "-"

    @admin.display(description="Findings")
    def found(self, run: SecurityAuditRun) -> SafeString | str:
        return _findings(findings_in(run))

    @admin.display(description="New")
    def new(self, run: SecurityAuditRun) -> SafeString | str:
        return self._changed(run, "new")

    @admin.display(description="Fixed")
    def fixed(self, run: SecurityAuditRun) -> SafeString | str:
        return self._changed(run, "fixed")

    @admin.display(description="Standing")
    def standing(self, run: SecurityAuditRun) -> SafeString | str:
        changes = _changes(run)
        return str(len(changes.standing)) if changes else "-"

    @admin.display(description="Unknown, as their check was not made")
    def unknown(self, run: SecurityAuditRun) -> SafeString | str:
        return self._changed(run, "unknown")

    def _changed(self, run: SecurityAuditRun, group: str) -> SafeString | str:
        changes = _changes(run)
        return _findings(getattr(changes, group)) if changes else "no run before this one"


def _changes(run: SecurityAuditRun) -> Difference | None:
    if not hasattr(run, "_changes"):  # four columns of one page ask for it
        run._changes = difference_to_previous(run)  # type: ignore[attr-defined]
    changes: Difference | None = run._changes  # type: ignore[attr-defined]
    return changes


def _findings(findings: tuple[Finding, ...]) -> SafeString | str:
    if not findings:
        return "-"
    rows = ((f.severity.value, f.id, f.title, f.detail, _link(f.subject), f.remedy) for f in findings)
    listed = format_html_join("", "<li>{} {} {}: {} ({})<br>{}</li>", rows)
    return format_html('<ul class="findings">{}</ul>', listed)


def _lines(rows: Any) -> SafeString:
    return format_html('<ul class="findings">{}</ul>', format_html_join("", "<li>{} {}: {}</li>", rows))


def _link(subject: str) -> SafeString | str:
    """The subject, as a link where it has a page. Who follows it leaves the mark of that page.

    People and companies are named by pseudonym, and found by it in their lists.
    """
    found = _SUBJECT.fullmatch(subject)
    if found is None:
        return subject
    if found[1] == "session":
        url = reverse(f"admin:{_PAGES[found[1]]}_change", args=[found[2]])
        return format_html('<a href="{}">{}</a>', url, subject)
    return list_link(_PAGES[found[1]], subject, q=found[2])
