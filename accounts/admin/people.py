"""People in the admin: who they are, how they sign in, and the two things staff may do for them here."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Group
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from accounts.admin.lockouts import PERSON_PAGE, VIEW
from accounts.admin.reading import Act, SubjectAdmin, hidden_value, list_link, time_column
from accounts.identity.models import User
from accounts.sessions.models import Session
from accounts.staff import acts
from accounts.twofactor.services import state


def end_all(by: Session, user: User) -> str:
    ended = acts.end_sessions_of(by=by, user=user)
    return f"Sessions ended: {ended}."


def send_link(by: Session, user: User) -> str:
    if acts.send_reset_link(by=by, user=user):
        return "A link to choose a new password is on its way. It is good for ten minutes."
    return "No mail was sent: staff sent three within the hour, or this person is not active."


class SecondFactorFilter(admin.SimpleListFilter):
    """Who has a second factor."""

    title = "second factor"
    parameter_name = "second_factor"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("on", "On"), ("off", "Off")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        if self.value() == "on":
            return queryset.filter(totp_device__confirmed=True)
        if self.value() == "off":
            return queryset.exclude(totp_device__confirmed=True)
        return queryset


@admin.register(User)
class UserAdmin(SubjectAdmin):
    """No field sets, shows or clears a password: a reset link lets its owner choose one (ASVS 6.4.6)."""

    acts = (
        Act("end-sessions", "End all sessions", acts.END_SESSIONS, end_all),
        Act("send-reset-link", "Send a reset link", acts.LET_BACK_IN, send_link, lambda user: user.is_active),
    )
    list_display = ("email", "name", "company", "acts_as", "active", "has_second_factor", "last_sign_in")
    list_filter = ("role", "is_active", "is_staff", SecondFactorFilter)
    lookups = frozenset(
        {"role__exact", "role__isnull", "is_active__exact", "is_staff__exact", "second_factor", "company__id__exact"}
    )  # the filters beside the list, and the link from a company
    search_fields = ("email", "name")
    search_help_text = "Part of an e-mail address or a name, or a whole pseudonym or id."
    ordering = ("-pk",)  # UUIDv7: the newest first, by the index that is there
    fieldsets = (
        (None, {"fields": ("email", "name", "phone_hidden", "company", "role", "staff_roles")}),
        (
            "Sign-in",
            {
                "fields": (
                    "is_active",
                    "second_factor",
                    "living_sessions",
                    "last_sign_in",
                    "password_changed",
                    "registered",
                )
            },
        ),
    )
    last_sign_in = time_column("last_login", "Last sign-in")
    password_changed = time_column("password_changed_at", "Password changed")
    registered = time_column("created_at", "Registered")

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        people: QuerySet[User] = super().get_queryset(request).select_related("totp_device")
        # They are given one; the page of the person names all.
        role = Group.objects.filter(user=OuterRef("pk")).order_by("name").values("name")[:1]
        return people.annotate(staff_role=Subquery(role))

    def links(self, *, by: Session, obj: User) -> list[tuple[str, str]]:
        """To the page that unlocks: it asks for a reason, and is the one place where staff do it."""
        may = by.user.has_perms((VIEW, *acts.rights_needed(acts.LET_BACK_IN, obj)))
        return [("Unlock…", reverse(PERSON_PAGE, args=[obj.pk]))] if may else []

    def record_view(self, *, by: Session, obj: User) -> None:
        acts.record_view_of_person(by=by, user=obj, page="user")

    @admin.display(description="Role", ordering="role")
    def acts_as(self, user: Any) -> str | None:
        """The role in their company; of staff, who have none, theirs in the admin."""
        return user.staff_role if user.is_staff else user.role

    @admin.display(description="Active", boolean=True)
    def active(self, user: User) -> bool:
        return user.is_active

    @admin.display(description="2FA", boolean=True)
    def has_second_factor(self, user: User) -> bool:
        return user.has_second_factor

    @admin.display(description="Phone")
    def phone_hidden(self, user: User) -> str:
        return hidden_value(lambda: user.phone)

    @admin.display(description="Staff roles")
    def staff_roles(self, user: User) -> str:
        return ", ".join(user.groups.values_list("name", flat=True)) if user.is_staff else "not staff"

    @admin.display(description="Second factor")
    def second_factor(self, user: User) -> str:
        stands = state(user=user)
        if not stands.enabled:
            return "off"
        return f"on; recovery codes left: {stands.recovery_codes_left}"

    @admin.display(description="Sessions alive")
    def living_sessions(self, user: User) -> str:
        count = Session.objects.filter(user=user).alive(timezone.now()).count()
        return list_link("accounts_session", str(count), user__id__exact=user.pk)
