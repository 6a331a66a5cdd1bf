"""Who may read what the operators read: /health/detailed and /metrics. It signs nobody in."""

import hmac

from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.views import APIView

from monitoring.health import board
from security.audit import Action, Allowance, mark_refusal, record_refusal
from security.client_ip import is_in_networks
from security.context import current
from security.errors import InsufficientPermissions, NoToken, TokenInvalid, Unavailable

_WAYS_IN = (
    "For operators: send the operator token as Authorization: Bearer, sign in to the admin as staff, "
    "or ask from a network that is allowed to."
)

# No limit counts who asks here. So many marks of wrong tokens a minute in each process, from however many networks.
allowance = Allowance(60)


def check_operator(request: HttpRequest) -> None:
    """Return for an allow-listed network, the operator token (RFC 6750 §2.1), or a verified staff session.

    Raises TokenInvalid for a wrong token, NoToken where nothing was shown, InsufficientPermissions for a signed-in
    person who is not staff or has not shown a second factor, Unavailable where a session cannot be looked up or a
    refusal not be marked.
    """
    if is_in_networks(current().client.address, tuple(settings.OPERATOR_NETWORKS)):
        return
    scheme, _, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() == "bearer":
        _check_token(token.strip())
    else:
        _check_session(request)


def _check_token(token: str) -> None:
    expected = settings.OPERATOR_TOKEN
    # An unset token must match nothing, above all not an empty one.
    if not expected or not hmac.compare_digest(token.encode(), expected.encode()):
        _check_database()
        mark_refusal(Action.ACCESS_TOKEN_REFUSED, code="TOKEN_INVALID", allowance=allowance, door="operators")
        raise TokenInvalid("This is not the operator token.")


def _check_session(request: HttpRequest) -> None:
    if settings.SESSION_COOKIE_NAME not in request.COOKIES:
        raise NoToken(_WAYS_IN)
    _check_database()
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        raise NoToken(_WAYS_IN)
    is_verified = getattr(user, "is_verified", None)
    if not user.is_active or not user.is_staff or is_verified is None or not is_verified():
        record_refusal(Action.PERMISSION_DENIED, actor=user.subject, data={"permission": "operators"})
        raise InsufficientPermissions("Only staff who have shown their second factor may read this.")


def _check_database() -> None:
    # To look a session up, or to mark a refusal, would hang with it; the right token and the networks need none.
    if not board.is_up("database"):
        raise Unavailable


class OperatorView(APIView):
    """A view for operators only; refuses before anything is read or probed."""

    authentication_classes: list[type] = []
    permission_classes: list[type] = []
    http_method_names = ["get", "head"]
    refusals = (401, 403)

    def perform_authentication(self, request: Request) -> None:
        """Ask the operators' own check; DRF's would put None over the staff member of the page middleware."""
        check_operator(request._request)
