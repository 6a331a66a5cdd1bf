"""Scores each request, tells of what looks like an attack, and refuses it in enforce mode.

It is a second line: queries are bound, output is escaped and names are checked whether or not it runs. It stands
behind the bounds on bodies, so that what it reads is small, and before anything that serves.
"""

import logging
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.urls import Resolver404, resolve

from security.audit import Action, Outcome, counted, record_refusal, windows
from security.context import current
from security.errors import Blocked, MalformedRequest, Problem
from security.errors.documents import problem_response
from security.screening.score import Finding, is_plain, is_plain_json, score
from security.screening.signals import request_screened
from security.screening.texts import MAX_BODY_BYTES, texts_of_json, texts_of_query

logger = logging.getLogger("security.screening")

ENFORCE = "enforce"
# Asked for by machines every few seconds, or files on the disk that nothing of ours reads an input for.
_EXEMPT = frozenset({"/health", "/health/live", "/health/ready", "/health/detailed", "/metrics"})
_BODILESS = ("GET", "HEAD", "OPTIONS")
_MAX_HEADER_CHARACTERS = 1024
_MAX_KEPT_CHARACTERS = 128


class ScreeningMiddleware:
    """Reads path, query, User-Agent, Referer and JSON bodies; never a secret, and writes none of what it reads.

    Settings: SCREENING ("observe" or "enforce") and SCREENING_THRESHOLD, the score from which enforce refuses. Where
    the event of a finding cannot be written the answer is 503, as to every act that would leave no mark.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = request.path_info
        if path in _EXEMPT or path.startswith(settings.STATIC_URL):
            return self.get_response(request)
        try:
            suspicious = list(_suspicious(request))
            if suspicious:
                _judge(request, score(suspicious))
        except Problem as refusal:
            return problem_response(refusal, request)
        return self.get_response(request)


def _suspicious(request: HttpRequest) -> Iterator[tuple[str, str | None]]:
    """What is left to score after the cheap looks; nothing at all for an ordinary request."""
    meta = request.META
    if not _is_plain_address(request.path_info):
        yield "path", request.path_info
    if query := meta.get("QUERY_STRING"):
        yield from texts_of_query(query)
    if (agent := meta.get("HTTP_USER_AGENT")) and _is_suspicious_agent(agent[:_MAX_HEADER_CHARACTERS]):
        yield "header", agent[:_MAX_HEADER_CHARACTERS]
    if referer := meta.get("HTTP_REFERER"):
        yield from _texts_of_referer(referer)
    if request.method not in _BODILESS and _is_json(meta.get("CONTENT_TYPE", "")):
        body = _body(request)
        if not is_plain_json(body[:MAX_BODY_BYTES]):
            yield from texts_of_json(body)
        if not is_plain_json(body[MAX_BODY_BYTES:]):
            yield "body", None


@lru_cache(maxsize=1024)
def _is_suspicious_agent(agent: str) -> bool:
    """Kept for each program: a browser's name is full of brackets and semicolons, and always the same."""
    return bool(score((("header", agent),)).total)


def _is_plain_address(text: str) -> bool:
    return _is_plain_short(text) if len(text) <= _MAX_KEPT_CHARACTERS else is_plain(text)


# The same few paths and pages all day long. Their queries are not kept: those may hold secrets.
_is_plain_short = lru_cache(maxsize=2048)(is_plain)


def _texts_of_referer(referer: str) -> Iterator[tuple[str, str]]:
    """The address behind its scheme, and the query apart: a secret may stand there under its name."""
    address, _, query = referer[:_MAX_HEADER_CHARACTERS].partition("?")
    for scheme in ("https://", "http://"):
        address = address.removeprefix(scheme)
    if not _is_plain_address(address):
        yield "header", address
    if query:
        for _, text in texts_of_query(query):
            yield "header", text


def _is_json(content_type: str) -> bool:
    return content_type[:16].lower() == "application/json"


def _body(request: HttpRequest) -> bytes:
    """The body, which BodyMiddleware bounded. Django keeps it: the parser reads the same bytes."""
    try:
        return request.body
    except UnreadablePostError as error:
        raise MalformedRequest("The body cannot be read.") from error


def _judge(request: HttpRequest, finding: Finding) -> None:
    """Tell of `finding`. Raises Blocked where it weighs enough and the mode is enforce."""
    if not finding.total:
        return
    is_blocked = settings.SCREENING == ENFORCE and finding.total >= settings.SCREENING_THRESHOLD
    action = "blocked" if is_blocked else "observed"
    request_screened.send_robust(sender=ScreeningMiddleware, finding=finding, action=action)
    # Blocked and observed have windows of their own: a harmless finding first must not hide the attack behind it.
    repeats = windows.repeats_to_tell(current().client.address, f"screening:{action}")
    if repeats is not None:
        told: dict[str, Any] = {
            "action": action,
            "kinds": list(finding.kinds),
            "places": list(finding.places),
            "score": finding.total,
            "route": _route(request),
            **counted(repeats),
        }
        logger.warning("request_screened", extra=told)
        outcome = Outcome.REFUSED if is_blocked else Outcome.SUCCESS
        record_refusal(Action.REQUEST_SCREENED, outcome=outcome, data=told)
    if is_blocked:
        raise Blocked


def _route(request: HttpRequest) -> str:
    """The template of the URL, our own words; never the path, which is the client's."""
    try:
        return f"/{resolve(request.path_info).route}"
    except Resolver404:
        return "unmatched"
