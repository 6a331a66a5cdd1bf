"""The one place where an exception becomes an answer, for DRF views, plain views and middleware alike.

Unknown exceptions are logged with their traceback and answered as INTERNAL_ERROR; a database that cannot serve
is a 503 with Retry-After, because the client may simply come back.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import DatabaseError, DataError, IntegrityError, InterfaceError, ProgrammingError
from django.http import Http404, HttpRequest, HttpResponse
from redis.exceptions import RedisError
from rest_framework import exceptions as drf

from security.errors import exceptions as problems
from security.errors.documents import problem_response

logger = logging.getLogger("security.errors")

_KNOWN: tuple[tuple[type[Exception], type[problems.Problem]], ...] = (
    (drf.NotAuthenticated, problems.NoToken),
    (drf.AuthenticationFailed, problems.TokenInvalid),
    (drf.PermissionDenied, problems.InsufficientPermissions),
    (drf.NotFound, problems.NotFound),
    (drf.MethodNotAllowed, problems.MethodNotAllowed),
    (drf.NotAcceptable, problems.NotAcceptable),
    (drf.UnsupportedMediaType, problems.UnsupportedMediaType),
    (drf.ParseError, problems.MalformedJson),
    (Http404, problems.NotFound),
    (PermissionDenied, problems.InsufficientPermissions),
    (SuspiciousOperation, problems.MalformedRequest),
    (RedisError, problems.Unavailable),
)
# These are bugs of ours that happen to surface in the driver, not a database that is away.
_BUGS = (IntegrityError, DataError, ProgrammingError)


def drf_exception_handler(exc: Exception, context: dict[str, Any]) -> HttpResponse:
    """DRF's `EXCEPTION_HANDLER`: every exception of a view becomes a problem document."""
    return answer(exc, context["request"]._request)


def answer(exc: BaseException, request: HttpRequest) -> HttpResponse:
    """The problem document for `exc`; logs what the client must not see."""
    problem = as_problem(exc)
    if problem.code.status >= 500:
        level = logging.ERROR if isinstance(problem, problems.InternalError) else logging.WARNING
        shown = exc if problem is not exc or exc.__cause__ else None
        logger.log(level, "request_failed", extra={"code": problem.code.name}, exc_info=shown)
    return problem_response(problem, request)


def as_problem(exc: BaseException) -> problems.Problem:
    """The refusal that `exc` means to a client."""
    if isinstance(exc, problems.Problem):
        return exc
    if isinstance(exc, drf.ValidationError):
        return problems.ValidationFailed(list(_flatten(exc.detail, path="")))
    for known, problem in _KNOWN:
        if isinstance(exc, known):
            return problem()
    if isinstance(exc, DatabaseError | InterfaceError) and not isinstance(exc, _BUGS):
        return problems.Unavailable()
    return problems.InternalError()


def _flatten(detail: Any, *, path: str) -> Iterator[problems.FieldError]:
    """One FieldError a leaf of DRF's nested error structure; a list index becomes part of the dotted path."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            inner_path = path if name == "non_field_errors" else f"{path}.{name}" if path else str(name)
            yield from _flatten(inner, path=inner_path)
    elif isinstance(detail, Sequence) and not isinstance(detail, str):
        for index, inner in enumerate(detail):
            is_nested = isinstance(inner, Mapping | list)
            if inner:
                yield from _flatten(inner, path=f"{path}.{index}" if is_nested and path else path)
    else:
        code = getattr(detail, "code", "") or "invalid"
        yield problems.FieldError(field=path, message=str(detail), code=str(code))
