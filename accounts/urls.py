"""Every path of accounts on one page, below /api/auth, /api/company and /api/audit. No trailing slash."""

from django.urls import path

from accounts.audit.export_views import ExportFileView, ExportsView
from accounts.audit.log_views import LogCheckpointView, LogTileView
from accounts.audit.views import CheckpointsView, EventsView, EventView
from accounts.company.views import CompanyView
from accounts.login.views import LoginView
from accounts.passwords.views import ChangePasswordView, RequestResetView, ResetPasswordView
from accounts.profile.views import MeView
from accounts.registration.views import RegisterView
from accounts.sessions.views import LogoutView, RefreshView, SessionViewSet
from accounts.twofactor.views import (
    ConfirmSetupView,
    DisableView,
    RecoveryCodesView,
    SecondFactorView,
    StartSetupView,
)

auth = [
    path("me", MeView.as_view(), name="me"),
    path("register", RegisterView.as_view(), name="register"),
    path("login", LoginView.as_view(), name="login"),
    path("refresh", RefreshView.as_view(), name="refresh"),
    path("logout", LogoutView.as_view(), name="logout"),
    path("change-password", ChangePasswordView.as_view(), name="change-password"),
    path("password-reset", RequestResetView.as_view(), name="password-reset"),
    path("password-reset/confirm", ResetPasswordView.as_view(), name="password-reset-confirm"),
    path("2fa", SecondFactorView.as_view(), name="two-factor"),
    path("2fa/setup", StartSetupView.as_view(), name="two-factor-setup"),
    path("2fa/verify", ConfirmSetupView.as_view(), name="two-factor-verify"),
    path("2fa/disable", DisableView.as_view(), name="two-factor-disable"),
    path("2fa/recovery-codes", RecoveryCodesView.as_view(), name="two-factor-recovery-codes"),
    path("sessions", SessionViewSet.as_view({"get": "list", "delete": "end_others"}), name="sessions"),
    path("sessions/<uuid:pk>", SessionViewSet.as_view({"delete": "destroy"}), name="session"),
]

company = [
    path("company", CompanyView.as_view(), name="company"),
]

audit = [
    path("events", EventsView.as_view(), name="events"),
    path("events/<uuid:pk>", EventView.as_view(), name="event"),
    path("checkpoints", CheckpointsView.as_view({"get": "list"}), name="checkpoints"),
    path("exports", ExportsView.as_view({"get": "list", "post": "create"}), name="exports"),
    path("exports/<uuid:pk>", ExportsView.as_view({"get": "retrieve"}), name="export"),
    path("exports/<uuid:pk>/file", ExportFileView.as_view(), name="export-file"),
    path("log/checkpoint", LogCheckpointView.as_view(), name="log-checkpoint"),
    path("log/tile/<path:place>", LogTileView.as_view(), name="log-tile"),
]
