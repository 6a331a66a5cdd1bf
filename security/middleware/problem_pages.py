"""Refusals outside the API: HTML for a person at a browser, the document for everybody else; and methods that no page
has.
"""

import json
from collections.abc import Callable

from csp.utils import build_policy
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.cache import patch_vary_headers

from security.accept import prefers_a_page
from security.errors import MethodNotAllowed
from security.errors.documents import MEDIA_TYPE, problem_response
from security.page_paths import ADMIN_PREFIX, is_of_api, is_page, page_methods


class ProblemPageMiddleware:
    """Stands outside all that refuse and inside the headers: what it answers is timed, counted and protected as any.

    A 405 that a library answered (static files, Django's decorators) gets our document, wherever its path.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if is_page(request) and request.method not in page_methods(request):
            response = _wrong_method(request, ", ".join(page_methods(request)))
        else:
            response = self.get_response(request)
        if response.status_code == 405 and not hasattr(response, "problem_code"):
            response = _wrong_method(request, response.headers.get("Allow", ""))
        if hasattr(response, "problem_code") and not is_of_api(request):
            patch_vary_headers(response, ("accept",))
            if prefers_a_page(request, MEDIA_TYPE, "application/json"):
                _show(response, request)
        return response


def _wrong_method(request: HttpRequest, allowed: str) -> HttpResponse:
    return problem_response(MethodNotAllowed(headers={"Allow": allowed}), request)


def _show(response: HttpResponse, request: HttpRequest) -> None:
    """Put a page in the place of the document; status, headers and cookies stay.

    Rendered without the request: who asks, and whether there is a database to know it, does not matter here.
    """
    is_in_admin = request.path_info.startswith(ADMIN_PREFIX)
    response.content = render_to_string(
        "admin/problem.html",
        {
            "problem": json.loads(response.content),
            "way_back": "/admin/" if is_in_admin else "/",
            "place": "overview" if is_in_admin else "start page",
            "site_header": admin.site.site_header,
            "site_title": admin.site.site_title,
        },
    )
    response.headers["Content-Type"] = "text/html; charset=utf-8"
    response.headers["Content-Security-Policy"] = build_policy()  # of a page, but without a nonce: nothing is inline
