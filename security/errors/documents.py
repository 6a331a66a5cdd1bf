"""Turns a Problem into the one document every refusal is (RFC 9457), and nothing else ever into an answer."""

import json
from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from security.context import current
from security.errors.exceptions import Problem

MEDIA_TYPE = "application/problem+json"


def document(problem: Problem, *, instance: str) -> dict[str, object]:
    """Members of the document: RFC 9457's five, and the four that clients of the API read."""
    code = problem.code
    body: dict[str, object] = {
        "type": f"{settings.PUBLIC_URL}/errors#{code.name.lower()}",
        "title": code.title,
        "status": code.status,
        "detail": problem.detail,
        "instance": instance,
        "error": code.title,
        "message": problem.detail,
        "code": code.name,
        "requestId": current().request_id,
    }
    if problem.fields:
        body["details"] = [{"field": f.field, "message": f.message, "code": f.code} for f in problem.fields]
    return body


def problem_response(problem: Problem, request: HttpRequest) -> HttpResponse:
    """The answer for `problem`. `problem_code` on it is what metrics and the access log count."""
    # The path is the client's own text: percent-encoded it cannot carry control characters, cut it cannot grow.
    instance = quote(request.path, safe="/:@-._~!$&'()*+,;=")[:512]
    response = HttpResponse(
        json.dumps(document(problem, instance=instance), ensure_ascii=False),
        content_type=MEDIA_TYPE,
        status=problem.code.status,
        headers=problem.headers,
    )
    if problem.retry_after is not None:
        response["Retry-After"] = str(problem.retry_after)
    response.problem_code = problem.code.name  # type: ignore[attr-defined]
    return response
