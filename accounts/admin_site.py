"""The admin's door: staff only, behind a second factor that the first sign-in sets up. What is inside is `admin/`.

Password, then code (or set-up), then the pages. Between the steps the browser holds nothing but a cookie: what was
proved so far stands in the server's own session, and opens no page.
"""

import re
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.auth import login, logout, update_session_auth_hash
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django_otp import login as keep_device

from accounts.identity.models import User
from accounts.passwords.services import change_password
from accounts.sessions.models import Session
from accounts.sessions.services import log_out
from accounts.staff.admin_sessions import (
    check_staff_password,
    finish_enrolment,
    living_admin_session,
    living_enrolment,
    note_use,
    open_admin_session,
    open_enrolment,
)
from accounts.staff.forms import CodeForm, OwnPasswordForm, RefusableForm, SignInForm
from accounts.staff.roles import OUR_APPS
from accounts.twofactor.challenge import answer_kept_challenge, open_challenge
from accounts.twofactor.models import TotpDevice
from accounts.twofactor.services import Setup, confirm_setup, start_setup
from security.audit import Action, record_refusal
from security.errors import ChallengeInvalid, InvalidCredentials, MethodNotAllowed

# Members of Django's session. The challenge token opens nothing without a code, and lives five minutes.
_CHALLENGE, _ENROLMENT, _SESSION, _NEXT = "admin_challenge", "admin_enrolment", "admin_session", "admin_next"
# What may follow the sign-in, after the admin's own address: the plain words that our addresses are made of. No form of
# "..", "//", a backslash, a scheme or an escape fits in; and not the door itself, which would ask again or show out.
_INSIDE = re.compile(r"(?!log(?:in|out)/)(?:[A-Za-z0-9_-]+/)*(?:\?[A-Za-z0-9_.~%&=+,:@*!()-]*)?")
_LONGEST_NEXT = 2000
_BACKEND = "accounts.login.backends.PasswordBackend"
# No form of ours chooses among rows; the page would praise a change to whoever opens it; and no row of ours has a page
# on a site, while the way to one asks any table, of any app, whether it has the row that is named.
_NOT_OURS = ("autocomplete", "password_change_done", "view_on_site")
# A page that asks for itself says so by this word, and is no use: a screen that nobody watches must not stay signed in.
# Whoever adds it by hand only ends their own stay sooner.
_AUTOMATIC = "auto"
_SHOWN_AS_STATUS = (429, 503)  # locked, busy: a program that knocks here must see it without reading HTML


def staff_session(request: HttpRequest) -> Session | None:
    """The session of a staff member who passed the door and is still within both ends; read once a request."""
    if not hasattr(request, "_staff_session"):
        request._staff_session = _find_session(request)  # type: ignore[attr-defined]
    session: Session | None = request._staff_session  # type: ignore[attr-defined]
    return session


def _find_session(request: HttpRequest) -> Session | None:
    user, session_id = request.user, request.session.get(_SESSION)
    if not isinstance(user, User) or not user.is_active or not user.is_staff or session_id is None:
        return None
    if getattr(user, "otp_device", None) is None:  # put there by django-otp: the device that proved this sign-in
        return None
    return living_admin_session(user=user, session_id=UUID(session_id))


class KoshFlowAdminSite(AdminSite):
    """Django's admin with our door in front, our models inside, and a mark for every refusal."""

    site_header = "KoshFlow administration"
    site_title = "KoshFlow"
    index_title = "Overview"

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Take our own models only: what a package registers was never judged by who may see it."""
        models: Iterable[type[Model]] = (
            [model_or_iterable] if isinstance(model_or_iterable, type) else model_or_iterable
        )
        ours = [model for model in models if model._meta.app_label in OUR_APPS]
        super().register(ours, admin_class, **options)

    def has_permission(self, request: HttpRequest) -> bool:
        return staff_session(request) is not None

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Any:  # noqa: FBT001, FBT002 - Django's
        """Django's guard of every page, which here also notes use and marks each refusal."""
        inner = super().admin_view(view, cacheable)

        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            session = staff_session(request)
            if session is not None and _AUTOMATIC not in request.GET and note_use(session):
                request.session.modified = True  # the cookie moves with the row
            try:
                return inner(request, *args, **kwargs)
            except PermissionDenied as refusal:
                _mark(request, refusal)
                raise

        return guarded

    def get_urls(self) -> list[Any]:
        return [
            path("login/code/", self.second_factor, name="second-factor"),
            path("login/setup/", self.second_factor_setup, name="second-factor-setup"),
            # Completion would show people ten at a time and leave no mark; no form of ours asks for it.
            *(route for route in super().get_urls() if getattr(route, "name", None) not in _NOT_OURS),
        ]

    @method_decorator([never_cache, csrf_protect])
    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """The password. A right one leads to the code, or to the set-up of a second factor."""
        if self.has_permission(request):
            return HttpResponseRedirect(_next(request))
        if request.user.is_authenticated:
            logout(request)
            messages.warning(request, "Your session has ended. Sign in again.")
        form = SignInForm(request.POST or None)
        if form.is_valid():
            user = form.attempt(lambda: check_staff_password(**form.cleaned_data))
            if user is not None:
                request.session.cycle_key()
                request.session[_NEXT] = _next(request)
                if user.has_second_factor:
                    request.session[_CHALLENGE] = str(open_challenge(user=user).pk)
                    return HttpResponseRedirect(reverse("admin:second-factor"))
                begun = form.attempt(lambda: _begin_enrolment(user, form.cleaned_data["password"]))
                if begun is not None:
                    enrolment, setup = begun
                    request.session[_ENROLMENT] = str(enrolment.pk)
                    # In this very answer: the secret is kept nowhere that a second page could read it from.
                    return self._page(request, "second_factor_setup", CodeForm(), setup=setup)
        return self._page(request, "login", form, next=_next(request))

    @method_decorator([never_cache, csrf_protect])
    def second_factor(self, request: HttpRequest) -> HttpResponse:
        """The code that follows a right password."""
        kept = request.session.get(_CHALLENGE)
        if kept is None:
            return HttpResponseRedirect(reverse("admin:login"))
        form = CodeForm(request.POST or None)
        if form.is_valid():
            session = form.attempt(lambda: _answered(UUID(kept), form))
            if session is not None:
                return HttpResponseRedirect(_enter(request, session))
            if isinstance(form.refusal, ChallengeInvalid | InvalidCredentials):
                del request.session[_CHALLENGE]
                messages.error(request, form.refusal.detail)
                return HttpResponseRedirect(reverse("admin:login"))
        return self._page(request, "second_factor", form)

    @method_decorator([never_cache, csrf_protect])
    def second_factor_setup(self, request: HttpRequest) -> HttpResponse:
        """The first code of a new authenticator app; then the recovery codes, this once."""
        enrolment_id = request.session.get(_ENROLMENT)
        enrolment = living_enrolment(UUID(enrolment_id)) if enrolment_id is not None else None
        if enrolment is None or request.method != "POST":
            return HttpResponseRedirect(reverse("admin:login"))
        form = CodeForm(request.POST)
        if form.is_valid():
            codes = form.attempt(lambda: _end_enrolment(enrolment, form))
            if codes is not None:
                next_url = _enter(request, enrolment)
                return self._page(request, "recovery_codes", CodeForm(), codes=codes, next=next_url)
        return self._page(request, "second_factor_setup", form)

    def logout(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:  # type: ignore[override]
        """End the session, in the database first."""
        if request.method != "POST":
            raise MethodNotAllowed(headers={"Allow": "POST"})
        session = staff_session(request)
        if session is not None:
            log_out(session=session, all_devices=False)
        logout(request)
        response = HttpResponseRedirect(reverse("admin:login"))
        response["Clear-Site-Data"] = '"cache", "cookies", "storage"'
        return response

    def password_change(  # type: ignore[override]
        self, request: HttpRequest, extra_context: Any = None
    ) -> HttpResponse:
        """One's own password, by the API's service and rules. There is no such page for anybody else's."""
        session = staff_session(request)
        form = OwnPasswordForm(request.POST or None)
        if session is not None and form.is_valid():
            given = form.cleaned_data
            form.attempt(
                lambda: change_password(
                    session=session,
                    current_password=given["current_password"],
                    new_password=given["new_password"],
                )
            )
            if form.refusal is None:
                session.user.refresh_from_db(fields=["password"])
                update_session_auth_hash(request, session.user)
                messages.success(request, "Password changed. Your other sessions were ended.")
                return HttpResponseRedirect(reverse("admin:index"))
        return self._page(request, "own_password", form, title="Change your password")

    def _page(self, request: HttpRequest, name: str, form: RefusableForm, **context: Any) -> HttpResponse:
        shown = {**self.each_context(request), "form": form, **context}
        response = TemplateResponse(request, f"admin/{name}.html", shown)
        refusal = form.refusal
        if refusal is not None and refusal.code.status in _SHOWN_AS_STATUS:
            response.status_code = refusal.code.status
            response["Retry-After"] = str(refusal.retry_after or 1)
        return response


def _begin_enrolment(user: User, password: str) -> tuple[Session, Setup]:
    enrolment = open_enrolment(user=user)
    return enrolment, start_setup(session=enrolment, password=password)


def _end_enrolment(enrolment: Session, form: CodeForm) -> list[str]:
    codes = confirm_setup(session=enrolment, token=form.factor().get("code", ""))
    finish_enrolment(session=enrolment)
    return codes


def _answered(challenge_id: UUID, form: CodeForm) -> Session:
    return open_admin_session(user=answer_kept_challenge(challenge_id=challenge_id, **form.factor()))


def _enter(request: HttpRequest, session: Session) -> str:
    """Let the person of `session` in; the address of the page they came for."""
    next_url = request.session.get(_NEXT) or reverse("admin:index")
    for member in (_CHALLENGE, _ENROLMENT, _NEXT):
        request.session.pop(member, None)
    login(request, session.user, backend=_BACKEND)  # a new session key: one planted before the sign-in is void
    keep_device(request, TotpDevice.objects.of(session.user))
    request.session[_SESSION] = str(session.pk)
    request._staff_session = session  # type: ignore[attr-defined]
    return str(next_url)


def _next(request: HttpRequest) -> str:
    """The admin page that was asked for before the sign-in; nothing outside the admin."""
    index = reverse("admin:index")
    wanted = request.POST.get("next") or request.GET.get("next") or request.session.get(_NEXT) or index
    inside = str(wanted).removeprefix(index)
    is_here = inside != wanted and len(inside) <= _LONGEST_NEXT and _INSIDE.fullmatch(inside)
    return str(wanted) if is_here else index


def _mark(request: HttpRequest, refusal: PermissionDenied) -> None:
    session = staff_session(request)
    match = request.resolver_match
    record_refusal(
        Action.PERMISSION_DENIED,
        actor=session.user.subject if session is not None else None,
        target=getattr(refusal, "target", None),
        session_id=session.pk if session is not None else None,
        data={
            "surface": "admin",
            "page": match.view_name if match is not None else "",
            "permission": getattr(refusal, "right", ""),
        },
    )
