"""Paths of security on one page."""

from django.urls import path

from security.csp_reports.views import CspReportView
from security.wellknown.jwks import JwksView
from security.wellknown.views import ChangePasswordView, ErrorsView, PolicyView, SecurityTxtView

urlpatterns = [
    path(".well-known/jwks.json", JwksView.as_view(), name="jwks"),
    path(".well-known/security.txt", SecurityTxtView.as_view(), name="security-txt"),
    path(".well-known/change-password", ChangePasswordView.as_view(), name="change-password-page"),
    path("security-policy", PolicyView.as_view(), name="security-policy"),
    path("errors", ErrorsView.as_view(), name="errors"),
    path("csp-report", CspReportView.as_view(), name="csp-report"),
]
