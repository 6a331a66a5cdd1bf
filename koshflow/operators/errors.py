"""Failures in groups, newest first, and two buttons."""

from typing import Any

from django.contrib import admin
from django.db import transaction
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from accounts.admin.reading import Act, ReadingAdmin, time_column
from accounts.sessions.models import Session
from accounts.staff.acts import RightMissing
from monitoring.errors import ErrorGroup, ErrorState, acknowledge_error, resolve_error
from security.audit import Action, record

RIGHT = "monitoring.change_errorgroup"


def _acknowledge(by: Session, group: ErrorGroup) -> str:
    _check(by)
    is_moved = acknowledge_error(group=group, actor=by.user.subject, session_id=by.pk)
    return "Acknowledged." if is_moved else "It was acknowledged already."


def _resolve(by: Session, group: ErrorGroup) -> str:
    _check(by)
    is_moved = resolve_error(group=group, actor=by.user.subject, session_id=by.pk)
    return "Resolved. If it happens again it says regressed." if is_moved else "It was resolved already."


def _upon_nobody(_: ErrorGroup) -> None:
    return None


def _check(by: Session) -> None:
    if not by.user.has_perm(RIGHT):
        raise RightMissing(RIGHT)


@admin.register(ErrorGroup)
class ErrorGroupAdmin(ReadingAdmin):
    """A group is made by what fails; nobody edits or deletes one here."""

    list_display = ("last", "state", "count", "exception", "place", "route", "last_release")
    lookups = frozenset({"state__exact"})
    list_filter = ("state",)
    ordering = ("-last_seen_at",)
    fieldsets = (
        (None, {"fields": ("state", "changed", "count", "first", "last", "first_release", "last_release")}),
        ("What", {"fields": ("exception", "message", "place", "fingerprint", "route", "requests", "where")}),
    )
    acts = (
        Act(
            "acknowledge",
            "Acknowledge",
            RIGHT,
            _acknowledge,
            lambda g: g.state != ErrorState.ACKNOWLEDGED,
            _upon_nobody,
        ),
        Act("resolve", "Resolve", RIGHT, _resolve, lambda g: g.state != ErrorState.RESOLVED, _upon_nobody),
    )
    first = time_column("first_seen_at", "First seen")
    last = time_column("last_seen_at", "Last seen")
    changed = time_column("state_changed_at", "State since")

    def record_view(self, *, by: Session, obj: ErrorGroup) -> None:
        with transaction.atomic(durable=True):
            data = {"group": obj.fingerprint, "surface": "admin"}
            record(Action.ERROR_VIEWED, actor=by.user.subject, session_id=by.pk, data=data)

    @admin.display(description="Last requests")
    def requests(self, group: ErrorGroup) -> str:
        return ", ".join(group.request_ids) or "-"

    @admin.display(description="Traceback, innermost last")
    def where(self, group: ErrorGroup) -> SafeString:
        rows: Any = ((place,) for place in group.traceback)
        return format_html('<ul class="findings">{}</ul>', format_html_join("", "<li>{}</li>", rows))
