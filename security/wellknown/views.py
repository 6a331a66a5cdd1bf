"""The doors of security.txt, of the texts that our answers name, and of the page where a password is changed."""

from functools import cache

from csp.utils import build_policy
from django.conf import settings
from django.http import HttpResponse
from django.template.loader import render_to_string
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from security.accept import prefers_a_page
from security.errors import CODES
from security.one_form import OneForm
from security.public_document import public_document
from security.wellknown.security_txt import security_txt

_TEXT = "text/plain; charset=utf-8"
_DAY = "public, max-age=86400"


class PublicTextView(APIView):
    """A text for everybody."""

    authentication_classes: list[type] = []
    permission_classes: list[type] = []
    content_negotiation_class = OneForm


class SecurityTxtView(PublicTextView):
    """Whom to tell of a weakness."""

    @extend_schema(
        operation_id="security_txt",
        summary="Read whom to tell of a weakness",
        description="As RFC 9116 lays it out, with the day until which it may be believed.",
        responses={(200, "text/plain"): OpenApiTypes.STR},
        tags=["security"],
    )
    def get(self, request: Request) -> HttpResponse:
        return _text(request, security_txt(public_url=settings.PUBLIC_URL))


class PolicyView(PublicTextView):
    """What we promise those who tell us of a weakness: `docs/SECURITY.md` as it is."""

    @extend_schema(
        operation_id="security_policy",
        summary="Read the policy on reports of weaknesses",
        description="What we ask of those who find one, and what they may expect of us.",
        responses={(200, "text/plain"): OpenApiTypes.STR},
        tags=["security"],
    )
    def get(self, request: Request) -> HttpResponse:
        return _text(request, _document("SECURITY.md"))


class ErrorsView(PublicTextView):
    """What each code means, where every refusal's `type` leads (RFC 9457 §3.1.1).

    A page for a browser, which finds the code by the anchor in `type`; else `docs/errors.md` as it is.
    """

    @extend_schema(
        operation_id="errors",
        summary="Read what each code means",
        description="Every refusal names one of these codes; its `type` leads here. A page for a browser, else text.",
        responses={(200, "text/plain"): OpenApiTypes.STR, (200, "text/html"): OpenApiTypes.STR},
        tags=["documentation"],
    )
    def get(self, request: Request) -> HttpResponse:
        if prefers_a_page(request._request, "text/plain"):
            # Nothing is inline, so that the policy needs no nonce and any cache may keep the page.
            return public_document(
                request._request,
                _errors_page().encode(),
                content_type="text/html; charset=utf-8",
                cache_control=_DAY,
                Content_Security_Policy=build_policy(),
            )
        return _text(request, _document("errors.md"))


class ChangePasswordView(PublicTextView):
    """Leads password managers to the web application's page (W3C change-password-url)."""

    @extend_schema(
        operation_id="change_password_page",
        summary="Ask where a password is changed",
        description="Password managers look here; the answer leads to the page of the web application.",
        responses={302: OpenApiResponse(description="The page is at Location.")},
        tags=["security"],
    )
    def get(self, request: Request) -> HttpResponse:
        return HttpResponse(status=302, headers={"Location": f"{settings.WEB_URL}/change-password"})


def _text(request: Request, text: str) -> HttpResponse:
    return public_document(request._request, text.encode(), content_type=_TEXT, cache_control=_DAY)


@cache
def _errors_page() -> str:
    # `docs/errors.md` is made from the same catalogue, in the same order.
    codes = sorted(CODES.values(), key=lambda code: (code.status, code.name))
    return render_to_string("errors.html", {"codes": codes})


@cache
def _document(name: str) -> str:
    return (settings.BASE_DIR / "docs" / name).read_text(encoding="utf-8")
