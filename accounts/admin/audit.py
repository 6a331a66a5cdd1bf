"""The audit log in the admin: searched, read, proved and taken away by auditors. What they may: `accounts.audit`."""

import re
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.urls import path, reverse

from accounts.admin.reading import ReadingAdmin
from accounts.audit import services
from accounts.audit.changes import as_text, changes_in
from accounts.audit.forms import ReasonForm, SearchForm
from accounts.audit.labels import Kind, Label, operator_in, with_names
from accounts.audit.parameters import row_id
from accounts.audit.years import FORMATS, FinancialYear, data_of
from security.audit import MOST_LOOKED_AT, AuditEvent, LeafRefused
from security.crypto import DecryptionFailed, UnknownKey
from security.errors import Archived, MethodNotAllowed
from security.tlog import NotSealed, ProofWrong

_NAME = "security_auditevent"
_PAGES = {Kind.PERSON: "admin:accounts_user_change", Kind.COMPANY: "admin:accounts_company_change"}
_ROLES = {"actor": "Who did it", "target": "To whom", "company": "Company"}
_JOINTS = re.compile(r"(?<=[._@])")


@admin.register(AuditEvent)
class AuditEventAdmin(ReadingAdmin):
    """No list of Django's: its counts and offsets read the whole log, and its filters any column."""

    ordering = ("-pk",)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perms(services.RIGHTS)

    def get_urls(self) -> list[Any]:
        guard = self.admin_site.admin_view
        return [
            path("", guard(self.changelist_view), name=f"{_NAME}_changelist"),
            path("years/", guard(self.years_view), name=f"{_NAME}_years"),
            path("years/<int:start>/<slug:form>/", guard(self.year_view), name=f"{_NAME}_year"),
            path("<int:object_id>/change/", guard(self.event_view), name=f"{_NAME}_change"),
            path("<int:object_id>/disclose/", guard(self.disclose_view), name=f"{_NAME}_disclose"),
            path("<int:object_id>/proof/", guard(self.proof_view), name=f"{_NAME}_proof"),
            path("<int:object_id>/event/", guard(self.leaf_view), name=f"{_NAME}_leaf"),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """The search and one page of what it finds; nothing is searched for while the form is wrong."""
        by = self.staff(request)
        form = SearchForm(request.GET)
        context: dict[str, Any] = {"form": form, "title": "Audit events", "most": f"{MOST_LOOKED_AT:,}"}
        if form.is_valid():
            before = row_id(request.GET.get("before", ""))  # what is none is as if not said
            listing = services.list_events(by=by, wanted=form.wanted(), sought=form.sought(), before=before)
            question = {name: text for name, text in request.GET.items() if name in form.fields and text}
            context |= {
                "listing": listing,
                "rows": [_cells(_shown(event, listing.labels)) for event in listing.found.events],
                "about": "" if listing.about is None else f"{listing.about:,}",
                "is_first": before is None,
                "first_page": f"?{urlencode(question)}",
                "next_page": f"?{urlencode({**question, 'before': listing.found.next})}",
            }
        return self.page(request, "audit_events", **context)

    def event_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """One event, its personal values closed."""
        return self._event_page(request, self._event(object_id), ReasonForm())

    def disclose_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """The same with its personal values, in this answer alone, once a reason is given."""
        if request.method != "POST":
            raise MethodNotAllowed(headers={"Allow": "POST"})
        by, event = self.staff(request), self._event(object_id)
        form = ReasonForm(request.POST)
        if not form.is_valid():
            return self._event_page(request, event, form)
        try:
            disclosed = services.disclose(by=by, event=event, reason=form.cleaned_data["reason"])
        except (DecryptionFailed, LeafRefused, UnknownKey):
            form.add_error(None, "A stored value is not the one that the event commits to. Run audit_verify.")
            return self._event_page(request, event, form)
        return self._event_page(request, event, ReasonForm(), disclosed=disclosed)

    def proof_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """The proof as a file."""
        by, event = self.staff(request), self._event(object_id)
        try:
            proof = services.take_proof(by=by, event=event)
        except (NotSealed, ProofWrong) as missing:
            messages.error(request, f"There is no proof: {missing}.")
            return HttpResponseRedirect(self.object_url(event))
        return _file(proof.text.encode(), f"{event.event_id}.tlog-proof", "text/plain; charset=utf-8")

    def leaf_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """The event as a file."""
        by, event = self.staff(request), self._event(object_id)
        return _file(services.take_leaf(by=by, event=event), f"{event.event_id}.json", "application/json")

    def years_view(self, request: HttpRequest) -> HttpResponse:
        """Which financial years can be taken away."""
        self.staff(request)
        context = {"title": "Financial years", "years": services.years_on_record(), "forms": list(FORMATS)}
        return self.page(request, "audit_years", **context)

    def year_view(self, request: HttpRequest, start: int, form: str) -> Any:
        """A financial year as a file, streamed."""
        by, year = self.staff(request), FinancialYear(start)
        if form not in FORMATS or year not in services.years_on_record():
            raise Http404
        try:
            lines = services.take_year(by=by, year=year, form=form)
        except NotSealed:
            messages.error(request, "Nothing is sealed yet: sealing runs every ten seconds.")
            return HttpResponseRedirect(reverse(f"admin:{_NAME}_years"))
        name = f"audit-{year}.{'txt' if form == 'checkpoint' else form}"
        return _file(lines, name, FORMATS[form])

    def _event_page(self, request: HttpRequest, event: AuditEvent, form: ReasonForm, **more: Any) -> HttpResponse:
        reading = services.read_event(by=self.staff(request), event=event)
        leaf, row = reading.leaf, _shown(event, reading.labels)
        data = with_names(dict(leaf.data), reading.labels) if leaf else {}
        changes = changes_in(data.get("changes"))
        if changes is not None:
            del data["changes"]
        context = {
            "title": f"{event.type}",
            "reading": reading,
            "row": row,
            "roles": [(label, row[name], name) for name, label in _ROLES.items()],
            "data": [(name, text := as_text(value), reading.events.get(text)) for name, value in data.items()],
            "changes": changes or [],
            "personal": _personal(leaf.pii if leaf else (), reading.held, more.get("disclosed")),
            "can_disclose": bool(reading.held) and "disclosed" not in more,
            "form": form,
        }
        return self.page(request, "audit_event", **context)

    def _event(self, object_id: int) -> AuditEvent:
        pk = row_id(str(object_id))
        event = None if pk is None else AuditEvent.objects.filter(pk=pk).first()
        if event is None:
            raise Archived if services.is_from_archived_time(object_id) else Http404
        return event


def _shown(event: AuditEvent, labels: Any) -> dict[str, Any]:
    """An event for a template, which cannot look a label up: with each of its three names as (label, its page).

    Where nobody is its actor, `operator` is who gave the command, "" where none was given.
    """
    operator = operator_in(data_of(event)) if event.actor is None else ""
    return {"event": event, "operator": operator} | {role: _linked(labels.get(getattr(event, role))) for role in _ROLES}


def _cells(row: dict[str, Any]) -> dict[str, Any]:
    """The row with its words for a narrow column: they break behind a dot, an underscore or an @, not in a word."""
    words = {role: row[role][0].text if row[role] else "–" for role in _ROLES} | {"type": row["event"].type}
    if row["operator"]:
        words["actor"] = f"{row['operator']} (command)"
    return row | {"words": {name: _JOINTS.split(text) for name, text in words.items()}}


def _linked(label: Label | None) -> tuple[Label, str] | None:
    if label is None:
        return None
    page = _PAGES.get(label.kind)
    return label, reverse(page, args=[label.id]) if page else ""


def _personal(named: Any, held: frozenset[str], disclosed: dict[str, Any] | None) -> list[tuple[str, str]]:
    """(name, what the page shows of it) of each personal value that the event commits to."""
    if disclosed is None:
        return [(name, "••••••" if name in held else "erased") for name in sorted(named)]
    return [(name, as_text(disclosed[name]) if name in disclosed else "erased") for name in sorted(named)]


def _file(content: Any, name: str, content_type: str) -> Any:
    kind = HttpResponse if isinstance(content, bytes) else StreamingHttpResponse
    return kind(content, content_type=content_type, headers={"Content-Disposition": f'attachment; filename="{name}"'})
