"""Django's own error hooks (handler404 and friends), answered like every other refusal."""

import sys

from django.http import HttpRequest, HttpResponse

from security.errors import exceptions as problems
from security.errors.documents import problem_response
from security.errors.handlers import answer


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001 - Django's signature
    return problem_response(problems.MalformedRequest(), request)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001
    return problem_response(problems.InsufficientPermissions(), request)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:  # noqa: ARG001
    return problem_response(problems.NotFound(), request)


def server_error(request: HttpRequest) -> HttpResponse:
    """Last resort for exceptions of middleware; a database that is away is 503 here too."""
    return answer(sys.exc_info()[1] or problems.InternalError(), request)
