"""On pages beside the admin (documentation, metrics, deep health) a cookie counts while its stay in the admin lives.

The admin site asks for itself; without this, a session that was ended would still open the other pages until its
cookie ran out.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject

from accounts.admin_site import staff_session
from security.page_paths import is_page

_ADMIN = "/admin"


class StaffPagesMiddleware:
    """Puts nobody in the place of a person whose stay in the admin has ended; looks only when somebody asks."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if is_page(request) and not request.path_info.startswith(_ADMIN):
            request.user = SimpleLazyObject(partial(_present, request, request.user))  # type: ignore[assignment]
        return self.get_response(request)


def _present(request: HttpRequest, user: Any) -> Any:
    ours, request.user = request.user, user
    try:
        return user if staff_session(request) is not None else AnonymousUser()
    finally:
        request.user = ours
