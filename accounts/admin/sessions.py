"""Sessions in the admin: who is signed in where, and the button that ends it."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts.admin.reading import Act, ReadingAdmin, hidden_value, time_column
from accounts.sessions.models import Session
from accounts.staff import acts


def end(by: Session, session: Session) -> str:
    return "Session ended." if acts.end_session(by=by, session=session) else "This session had ended already."


def is_alive(session: Session) -> bool:
    return session.is_alive(timezone.now())


class AliveFilter(admin.SimpleListFilter):
    """Sessions that may still be used, or not."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("alive", "Alive"), ("ended", "Ended")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Session]) -> QuerySet[Session]:
        alive = Session.objects.alive(timezone.now())
        if self.value() == "alive":
            return queryset & alive
        if self.value() == "ended":
            return queryset.exclude(pk__in=alive.values("pk"))
        return queryset


@admin.register(Session)
class SessionAdmin(ReadingAdmin):
    """Read-only: a session is opened by signing in and ended by a button."""

    acts = (Act("end", "End this session", acts.END_SESSIONS, end, is_alive, lambda session: session.user),)
    list_display = ("program", "person", "state", "created", "last_used")
    list_filter = (AliveFilter,)
    lookups = frozenset({"state", "user__id__exact"})  # the page of a person links to their sessions
    list_select_related = ("user",)
    search_fields = ("user__email",)
    search_help_text = "Part of a person's e-mail address."
    ordering = ("-created_at", "-pk")  # by the start: stays in the admin end days before those of people
    fields = (
        "user",
        "program",
        "address_hidden",
        "factors",
        "state",
        "created",
        "last_used",
        "ends_unused",
        "ends_anyway",
        "ended",
    )
    created = time_column("created_at", "Created")
    last_used = time_column("rotated_at", "Last used")
    ends_unused = time_column("idle_until", "Ends unused")
    ends_anyway = time_column("absolute_until", "Ends in any case")
    ended = time_column("revoked_at", "Ended")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Session]:
        sessions: QuerySet[Session] = super().get_queryset(request)
        return sessions.select_related("user__subject", "user__company__subject")

    def record_view(self, *, by: Session, obj: Session) -> None:
        acts.record_view_of_person(by=by, user=obj.user, page="session")

    @admin.display(description="Program", ordering="client_label")
    def program(self, session: Session) -> str:
        return session.client_label

    @admin.display(description="Person", ordering="user__email")
    def person(self, session: Session) -> str:
        return session.user.email

    @admin.display(description="State")
    def state(self, session: Session) -> str:
        if session.revoked_at is not None:
            return session.get_end_reason_display() or "ended"
        return "alive" if is_alive(session) else "over"

    @admin.display(description="Proved by")
    def factors(self, session: Session) -> str:
        # The names of RFC 8176 §2, in words.
        return session.amr.replace("pwd", "password").replace("otp", "code").replace(" ", " and ")

    @admin.display(description="Address")
    def address_hidden(self, session: Session) -> str:
        return hidden_value(lambda: session.address)
