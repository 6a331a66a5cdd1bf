"""Django's handle on the app."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        """Register what the security audit asks about people, and which of their tables are watched."""
        from accounts import posture  # noqa: F401, PLC0415
        from accounts.trail import AUDITED, NOT_AUDITED, companies_of  # noqa: PLC0415
        from security.trail import register_audited  # noqa: PLC0415

        register_audited(AUDITED, not_audited=NOT_AUDITED, companies_of=companies_of)
