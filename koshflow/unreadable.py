"""What a request is answered that never reached the application, and the marks that leaves: a line, a count, an event.

It decides nothing about connections: that is `gunicorn_worker.py`.
"""

import json
import logging
from secrets import token_hex
from ssl import SSLError

from django.db import Error, close_old_connections
from django.http import HttpRequest, HttpResponse
from gunicorn.http.errors import (
    InvalidResponseHeader,
    InvalidResponseHeaderName,
    LimitRequestHeaders,
    LimitRequestLine,
    NoMoreData,
    ParseException,
)

from monitoring.metrics import metrics
from security.audit import Action, Allowance, mark_refusal
from security.client_ip import client_address
from security.context import Client, RequestContext, bind, current
from security.errors import HeadersTooLarge, InternalError, MalformedRequest, Problem, Unavailable, UriTooLong
from security.errors.documents import MEDIA_TYPE, document
from security.middleware.cors import OriginMiddleware
from security.middleware.headers import API_POLICY, HEADERS

logger = logging.getLogger("koshflow.access")

# No limit counts these clients, and who holds an IPv6 /48 is 65,536 of them: a process writes no more events a minute.
MOST_EVENTS = 60
allowance = Allowance(MOST_EVENTS)
_origins = OriginMiddleware(lambda _: HttpResponse())


def refuse(error: Exception, *, peer: str, forwarded_for: str = "", origin: str = "") -> bytes:
    """The whole HTTP/1.1 answer to a request that ended in `error`: one problem document, as every other refusal.

    `peer` is the socket's other end, "" where it has no address; `forwarded_for` its X-Forwarded-For and `origin` its
    Origin, if those were read. A refusal whose event cannot be written is 503, as everywhere.
    """
    problem = _problem(error)
    is_ours = isinstance(problem, InternalError)
    client = Client(address=client_address(peer=peer, forwarded_for=forwarded_for), user_agent="")
    # Line, event and answer carry one id: it is what a person quotes to us.
    with bind(RequestContext(request_id=token_hex(16), client=client)):
        logger.log(
            logging.ERROR if is_ours else logging.WARNING,
            "request_unreadable",
            extra={"code": problem.code.name, "reason": type(error).__name__},
            exc_info=error if is_ours else None,
        )
        if not is_ours:
            try:
                _mark(problem, reason=type(error).__name__)
            except Error:
                logger.warning("refusal_not_recorded", exc_info=True)
                problem = Unavailable()
        try:
            metrics().refused(problem.code.name)
        except Exception:
            # A full disk, at worst. The client is answered all the same.
            logger.exception("refusal_not_counted")
        return answer(problem, origin=origin)


def _mark(problem: Problem, *, reason: str) -> None:
    """One event a client, code and minute, of at most MOST_EVENTS; `reason` is the name of a class of gunicorn's."""
    close_old_connections()  # no request has begun that would have had it done
    mark_refusal(Action.REQUEST_UNREADABLE_REFUSED, code=problem.code.name, reason=reason, allowance=allowance)


def answer(problem: Problem, *, origin: str = "") -> bytes:
    """With the fixed headers of every other answer, what is granted to `origin`, and the present request id."""
    body = json.dumps(document(problem, instance="")).encode()
    code = problem.code
    headers = {
        "Content-Type": MEDIA_TYPE,
        "Content-Length": str(len(body)),
        "Connection": "close",
        "Cache-Control": "no-store",
        "Content-Security-Policy": API_POLICY,
        "Referrer-Policy": "no-referrer",
        "X-Request-ID": current().request_id,
        **dict(HEADERS),
        **_granted(origin),
    }
    if problem.retry_after is not None:
        headers["Retry-After"] = str(problem.retry_after)
    lines = [f"HTTP/1.1 {code.status} {code.title}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def _granted(origin: str) -> dict[str, str]:
    request = HttpRequest()
    request.method, request.META["HTTP_ORIGIN"] = "GET", origin
    return {name: value for name, value in _origins(request).items() if name.startswith("access-control-")}


def _problem(error: Exception) -> Problem:
    if isinstance(error, Problem):
        return error
    if isinstance(error, InvalidResponseHeader | InvalidResponseHeaderName):
        return InternalError()  # a header of our own answer, not of the client's request
    if isinstance(error, LimitRequestLine):
        return UriTooLong()
    if isinstance(error, LimitRequestHeaders):
        return HeadersTooLarge()
    if isinstance(error, ParseException | NoMoreData | SSLError):
        return MalformedRequest()
    return InternalError()
