"""Base of the admin's pages: they are read, never edited; each page opened leaves its mark; acts are buttons.

A page that has no address cannot be opened: of Django's routes only the list and the object are there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import quote
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import Model, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.timezone import localtime

from accounts.admin_site import staff_session
from accounts.identity.documents import masked
from accounts.identity.models import User
from accounts.sessions.models import Session
from accounts.staff.acts import RightMissing, record_view_of_list, rights_needed
from security.crypto import KeyDestroyed
from security.errors import MethodNotAllowed

PAGE_SIZE = 50


@dataclass(frozen=True, slots=True)
class Act:
    """A button: `run(by, object)` calls one service and answers with the sentence that staff read.

    `right`, asked for upon `person(object)` or upon nobody, only decides whether the button is shown; the service asks
    again.
    """

    name: str
    label: str
    right: str
    run: Callable[[Session, Any], str]
    is_offered: Callable[[Any], bool] = lambda _: True
    person: Callable[[Any], User | None] = lambda obj: obj


class ReadingAdmin(admin.ModelAdmin):
    """A model that staff may read. Subclasses list every column they show; a new one never shows by itself."""

    acts: ClassVar[tuple[Act, ...]] = ()
    actions = None
    list_per_page = PAGE_SIZE
    show_full_result_count = False  # a second count of the whole table on each filtered list
    change_form_template = "admin/read_only.html"
    change_list_template = "admin/read_only_list.html"
    # Everything a list's address may filter by. Django itself would take any lookup on any column of the model:
    # `password__regex` reads a hash letter by letter, and a pattern made for it stops the process.
    lookups: ClassVar[frozenset[str]] = frozenset()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return lookup in self.lookups and "\x00" not in str(value)

    def record_view(self, *, by: Session, obj: Any) -> None:
        """Mark that `obj` was read. Every subclass says how."""
        raise NotImplementedError

    def links(self, *, by: Session, obj: Any) -> list[tuple[str, str]]:
        """Label and address of pages that ask before they act, shown beside the buttons."""
        return []

    def get_urls(self) -> list[Any]:
        guard = self.admin_site.admin_view
        name = f"{self.opts.app_label}_{self.opts.model_name}"
        return [
            path("", guard(self.changelist_view), name=f"{name}_changelist"),
            path("<uuid:object_id>/change/", guard(self.change_view), name=f"{name}_change"),
            path("<uuid:object_id>/<slug:act>/", guard(self.act_view), name=f"{name}_act"),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """The list, once the mark of it stands: who looked at whom is not told by the single pages alone."""
        title = {"title": capfirst(str(self.opts.verbose_name_plural))}
        response = super().changelist_view(request, title | (extra_context or {}))
        shown = (getattr(response, "context_data", None) or {}).get("cl")
        if shown is not None:  # a bad page number leads elsewhere and shows nobody
            record_view_of_list(
                by=session_of(request),
                model=str(self.opts.model_name),
                search=shown.query,
                filters={name: str(value) for name, value in shown.params.items() if name in self.lookups},
                page=max(1, min(shown.page_num, shown.paginator.num_pages)),  # `p` may say anything
                rows=len(shown.result_list),  # read here, kept for the template
            )
        return response

    def change_view(self, request: HttpRequest, object_id: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().change_view(request, str(object_id), *args, **kwargs)

    def render_change_form(  # noqa: PLR0917
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,  # noqa: FBT001, FBT002 - Django's signature
        change: bool = False,  # noqa: FBT001, FBT002
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        by = session_of(request)
        self.record_view(by=by, obj=obj)
        offered = [
            act
            for act in self.acts
            if by.user.has_perms(rights_needed(act.right, act.person(obj))) and act.is_offered(obj)
        ]
        context["acts"] = [(act.label, self._act_url(obj, act.name)) for act in offered]
        context["links"] = self.links(by=by, obj=obj)
        return super().render_change_form(request, context, add, change, form_url, obj)

    def act_view(self, request: HttpRequest, object_id: Any, act: str) -> HttpResponse:
        """Press a button. POST only, with the CSRF token of the page it stood on."""
        if request.method != "POST":
            raise MethodNotAllowed(headers={"Allow": "POST"})
        obj = self.get_object(request, str(object_id))
        found = next((offer for offer in self.acts if offer.name == act), None)
        if obj is None or found is None:
            raise Http404
        messages.success(request, found.run(self.staff(request, obj), obj))
        return HttpResponseRedirect(self.object_url(obj))

    def object_url(self, obj: Model) -> str:
        """Address of the page of `obj`."""
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[obj.pk])

    def staff(self, request: HttpRequest, obj: Any = None) -> Session:
        """The stay of who asks for a page that is not Django's. Raises RightMissing for who may not see the model."""
        if not self.has_view_permission(request, obj):
            raise RightMissing(f"{self.opts.app_label}.view_{self.opts.model_name}")
        return session_of(request)

    def page(self, request: HttpRequest, name: str, **context: Any) -> HttpResponse:
        """The template admin/`name`.html within the frame of the admin."""
        return TemplateResponse(request, f"admin/{name}.html", {**self.admin_site.each_context(request), **context})

    def _act_url(self, obj: Model, act: str) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_act", args=[obj.pk, act])


class SubjectAdmin(ReadingAdmin):
    """People or companies: found by the pseudonym that audit events and our commands name, also once erased.

    No page tells it of its own: whoever kept it together with a name could still read an erased person's events.
    """

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        try:
            wanted = UUID(search_term)
        except ValueError:
            return super().get_search_results(request, queryset, search_term)
        # Or the id that clients of the API know, which runs of the security audit named too, once.
        return queryset.filter(Q(subject=wanted) | Q(pk=wanted)), False


def hidden_value(read: Callable[[], str | None]) -> str:
    """What `read` returns, masked; "-" where nothing is, "erased" when the key that opens it is gone."""
    try:
        return masked(read()) or "-"
    except KeyDestroyed:
        return "erased"


def time_column(field: str, description: str) -> Callable[[Any, Any], str]:
    """Method of an admin class: the moment in `field`, in the time zone of staff, short enough for a list."""

    @admin.display(description=description, ordering=field)
    def shown(_: Any, obj: Any) -> str:
        moment: datetime | None = getattr(obj, field)
        return date_format(localtime(moment), "j M Y, H:i") if moment is not None else "-"

    return shown


def list_link(list_name: str, text: str, **filters: Any) -> SafeString:
    """A link to another list of the admin, filtered."""
    query = "&".join(f"{name}={quote(str(value))}" for name, value in filters.items())
    return format_html('<a href="{}?{}">{}</a>', reverse(f"admin:{list_name}_changelist"), query, text)


def session_of(request: HttpRequest) -> Session:
    """The stay in the admin of who asks for a page."""
    session = staff_session(request)
    if session is None:  # the site let nobody past without one
        raise RightMissing("admin")
    return session
