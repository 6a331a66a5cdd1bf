"""Axes' face to the lock-out: its signals and checks read our counters. It counts nothing and lifts nothing.

A check is counted by `reserve` before the hash; counting again on the failure signal would halve the limit.
The client's address is the request context's, never what axes reads from headers.
"""

from typing import Any, NoReturn

from axes.handlers.base import AbstractAxesHandler, AxesBaseHandler
from axes.signals import user_locked_out
from django.core.management.base import CommandError
from django.http import HttpRequest

from security.context import current
from security.lockout import services

Credentials = dict[str, Any] | None
_REFUSED = "this would leave no event; lift a lock-out with: manage.py account_unlock EMAIL [--address ADDRESS]"


class ReservingHandler(AxesBaseHandler, AbstractAxesHandler):
    """Answers axes from the counters; named by the setting AXES_HANDLER."""

    def is_allowed(self, request: HttpRequest | None, credentials: Credentials = None) -> bool:
        """Whether a check would be let through. A look only: the limit is held by `reserve`.

        Axes' white lists are not asked: a list that lets some clients guess for ever is no lock-out.
        """
        return not self.is_locked(request, credentials)

    def is_locked(self, request: HttpRequest | None, credentials: Credentials = None) -> bool:
        return services.locked_seconds(account=_account(credentials), address=client_address(request)) > 0

    def get_failures(self, request: HttpRequest | None, credentials: Credentials = None) -> int:
        """Checks that stand against this account at this address."""
        return services.failures(account=_account(credentials), address=client_address(request))

    def user_login_failed(
        self,
        sender: Any,
        credentials: dict[str, Any],
        request: HttpRequest | None = None,
        **kwargs: Any,
    ) -> None:
        """Tell axes' listeners when a failure leaves the account locked; parallel ones may tell it twice."""
        if self.is_locked(request, credentials):
            user_locked_out.send(
                "axes", request=request, username=_account(credentials), ip_address=client_address(request)
            )

    def user_logged_in(self, sender: Any, request: HttpRequest, user: Any, **kwargs: Any) -> None:
        """Nothing: whoever reserved the check clears it, also where no signal is sent."""

    def user_logged_out(self, sender: Any, request: HttpRequest, user: Any, **kwargs: Any) -> None:
        """Nothing: leaving forgives no failures."""

    def reset_attempts(self, **named: Any) -> NoReturn:
        """Refuse: the commands `axes_reset*` end here, and would lift a lock-out without a mark of who did it."""
        raise CommandError(_REFUSED)

    def reset_logs(self, **named: Any) -> NoReturn:
        """Refuse: nothing is kept in the tables of axes, so a count of what went could only mislead."""
        raise CommandError(_REFUSED)

    def reset_failure_logs(self, **named: Any) -> NoReturn:
        """Likewise."""
        raise CommandError(_REFUSED)


def client_address(request: HttpRequest | None = None) -> str:  # noqa: ARG001 - axes calls it with one
    """The client's address as every other feature sees it; fit for the setting AXES_CLIENT_IP_CALLABLE."""
    return current().client.address


def _account(credentials: Credentials) -> str:
    # "" is an account of its own, which nobody has: a look without credentials finds the address's lock only.
    names = credentials or {}
    return str(names.get("username") or names.get("email") or "")
