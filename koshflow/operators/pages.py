"""Base of the operators' pages: one right to look, no mark of having looked.

What the other pages of the admin mark is who read whose data. Here there is nobody's: names of routes and functions,
statements without their values, numbers. Acts leave their marks by the services that they call.
"""

from typing import Any

from django.http import HttpRequest
from django.urls import path

from accounts.admin.reading import ReadingAdmin, session_of
from accounts.sessions.models import Session
from accounts.staff.acts import RightMissing


class OperatorsAdmin(ReadingAdmin):
    """A page in the place of Django's list. Subclasses say in `changelist_view` what it shows."""

    @property
    def route(self) -> str:
        """Beginning of the names of this page's routes, as Django makes them."""
        return f"{self.opts.app_label}_{self.opts.model_name}"

    def get_urls(self) -> list[Any]:
        return [path("", self.admin_site.admin_view(self.changelist_view), name=f"{self.route}_changelist")]

    def staff(self, request: HttpRequest, obj: Any = None) -> Session:
        """Whose page this is. Raises RightMissing without the right to look at it."""
        return self.permitted(request, f"{self.opts.app_label}.view_{self.opts.model_name}")

    def permitted(self, request: HttpRequest, right: str) -> Session:
        """The same with another right."""
        if not request.user.has_perm(right):
            raise RightMissing(right)
        return session_of(request)
