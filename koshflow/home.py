"""The page at `/`: what this is and where to go. It says nothing that an outsider could use."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Name and links; the version for signed-in staff only."""
    version = settings.VERSION if request.user.is_staff else ""
    return render(request, "home.html", {"version": version})
