"""The page of the locks that stand now, and the two acts that lift one. Lists and rules are `accounts.staff`'s."""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import path, reverse

from accounts.admin.reading import ReadingAdmin
from accounts.identity.models import User
from accounts.staff import acts
from accounts.staff.forms import UnlockAddressForm, UnlockForm
from accounts.staff.locks import MOST_EVENTS, list_locks
from security.lockout import CredentialCounter

VIEW = "security.view_credentialcounter"
VIEW_PEOPLE = "accounts.view_user"
PERSON_PAGE = "admin:security_credentialcounter_person"
_LIST = "admin:security_credentialcounter_changelist"

# What the overview calls the page. In the model's Meta it would be a migration that changes no table.
CredentialCounter._meta.verbose_name_plural = "locked accounts"


@admin.register(CredentialCounter)
class LockedAccountsAdmin(ReadingAdmin):
    """No list of rows: a counter's row is digests, and most counters lock nobody."""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """It names people, so that the right to the counters is not enough."""
        return request.user.has_perms((VIEW, VIEW_PEOPLE))

    def get_urls(self) -> list[Any]:
        guard = self.admin_site.admin_view
        name = "security_credentialcounter"
        return [
            path("", guard(self.changelist_view), name=f"{name}_changelist"),
            path("person/<uuid:user_id>/", guard(self.person_view), name=f"{name}_person"),
            path("address/", guard(self.address_view), name=f"{name}_address"),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """The locks, once the mark of having looked stands."""
        by = self.staff(request)
        listed = list_locks()
        acts.record_view_of_list(
            by=by, model=str(self.opts.model_name), search="", filters={}, page=1, rows=len(listed.locks)
        )
        may = {
            "may_unlock": by.user.has_perm(acts.LET_BACK_IN),
            "may_act_on_staff": by.user.has_perm(acts.ACT_ON_STAFF),
        }
        shown = {"listed": listed, **may, "most_events": MOST_EVENTS, "title": "Locked accounts"}
        return self.page(request, "locked_accounts", **shown)

    def person_view(self, request: HttpRequest, user_id: UUID) -> HttpResponse:
        """Asks why, then lifts every lock of a person."""
        by = self.staff(request)
        user = get_object_or_404(User, pk=user_id)
        acts.check_may_unlock(by=by, user=user)
        form = UnlockForm(request.POST or None)
        if form.is_valid():
            return _told(request, acts.unlock(by=by, user=user, **form.cleaned_data), user.email)
        acts.record_view_of_person(by=by, user=user, page="unlock")
        return self._confirm(request, form, person=user, title=f"Unlock {user.email}")

    def address_view(self, request: HttpRequest) -> HttpResponse:
        """Asks which and why, then lifts the lock of an address as a whole."""
        by = self.staff(request)
        acts.check_may_unlock(by=by)
        form = UnlockAddressForm(request.POST or None)
        if form.is_valid():
            address = form.cleaned_data["address"]
            return _told(request, acts.unlock_address(by=by, **form.cleaned_data), address)
        return self._confirm(request, form, title="Unlock an address")

    def _confirm(self, request: HttpRequest, form: UnlockForm, **context: Any) -> HttpResponse:
        return self.page(request, "unlock", form=form, **context)


def _told(request: HttpRequest, counters: int, what: str) -> HttpResponse:
    if counters:
        messages.success(request, f"The lock-out of {what} is lifted.")
    else:
        messages.warning(request, f"No failed sign-ins stood against {what}.")
    return HttpResponseRedirect(reverse(_LIST))
