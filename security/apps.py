"""Django's handle on the app."""

from django.apps import AppConfig


class SecurityConfig(AppConfig):
    name = "security"

    def ready(self) -> None:
        """Register the system checks."""
        from security import checks  # noqa: F401, PLC0415
        from security.posture import system_checks  # noqa: F401, PLC0415
        from security.wellknown import security_txt  # noqa: F401, PLC0415
