"""Django's handle on the app."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        """Register what the security audit asks about people."""
        from accounts import posture  # noqa: F401, PLC0415
