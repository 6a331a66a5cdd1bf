"""The whole URL space on one page. `/api/auth` stands first: it is asked for most."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

import koshflow.openapi.fields
import koshflow.operators  # noqa: F401 - these register pages of the admin, and how our fields are described
from accounts import urls as accounts_urls
from koshflow.home import favicon, home
from koshflow.openapi.views import DocumentView, page
from security.urls import urlpatterns as security_urls

urlpatterns = [
    path("api/auth/", include((accounts_urls.auth, "accounts"), namespace="auth")),
    path("api/audit/", include((accounts_urls.audit, "accounts"), namespace="audit")),
    path("api/", include((accounts_urls.company, "accounts"), namespace="company")),
    path("", include("monitoring.urls")),
    *security_urls,
    path("", home, name="home"),
    path("favicon.ico", favicon, name="favicon"),
    path("admin", RedirectView.as_view(url="/admin/")),
    path("admin/", admin.site.urls),
    path("api-docs", page, name="api-docs"),
    path("api-docs/openapi.json", DocumentView.as_view(), name="openapi"),
]

handler400 = "security.errors.views.bad_request"
handler403 = "security.errors.views.permission_denied"
handler404 = "security.errors.views.not_found"
handler500 = "security.errors.views.server_error"
