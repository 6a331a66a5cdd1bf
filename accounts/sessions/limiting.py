"""Limits every request before any work, by the person whose token it carries, and by address.

One round trip to Redis counts it and asks whether its session is marked as revoked; authentication uses that answer.
"""

from collections.abc import Callable
from uuid import UUID

from django.http import HttpRequest, HttpResponse

from accounts.sessions.authentication import bearer_of
from accounts.sessions.revocation import revocation_key
from accounts.sessions.signatures import access_tokens
from security.errors import Problem
from security.limits import answer_over_limit, spend, tiers_of
from security.stored_headers import put


class LimitMiddleware:
    """429 RATE_LIMITED, or an answer that says what is left. A signature only picks the counter, it admits nobody."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        tiers = tiers_of(request.method, request.path_info)
        if not tiers:
            return self.get_response(request)
        subject, session_id = _signed(request)
        spent = spend(
            request, tiers, subject=subject, asked=revocation_key(session_id) if session_id is not None else ""
        )
        # What authentication would otherwise find out again.
        request.is_session_marked = spent.is_there  # type: ignore[attr-defined]
        response = answer_over_limit(request, spent) or self.get_response(request)
        put(response, {}, defaults=spent.stored_headers())
        return response


def _signed(request: HttpRequest) -> tuple[str, UUID | None]:
    """Person and session that a bearer's signature proves; nobody where it proves nothing."""
    token = bearer_of(request.META.get("HTTP_AUTHORIZATION"))
    if token is None:
        return "", None
    try:
        claims = access_tokens.claims(token)
    except Problem as refusal:
        request.token_refusal = refusal  # type: ignore[attr-defined]
        return "", None
    return claims["sub"], claims["sid"]
