"""The page at `/`: what this is and where to go, nothing that an outsider could use; and the icon of every page."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static
from django.views.decorators.http import require_safe


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Name and links; the version for signed-in staff only."""
    version = settings.VERSION if request.user.is_staff else ""
    return render(request, "home.html", {"version": version})


@require_safe
def favicon(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - Django's signature
    """To the icon: where no page names it (a document, another program's tab), browsers ask here by themselves."""
    return redirect(static("accounts/icon.svg"))
