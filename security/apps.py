"""Django's handle on the app."""

from django.apps import AppConfig


class SecurityConfig(AppConfig):
    name = "security"

    def ready(self) -> None:
        """Register the system checks, and what the database does for the audit log."""
        from django.db.backends.signals import connection_created  # noqa: PLC0415
        from django.db.models.signals import post_migrate, pre_migrate  # noqa: PLC0415

        from security import checks  # noqa: F401, PLC0415
        from security.posture import system_checks  # noqa: F401, PLC0415
        from security.trail import install_triggers, make_way, prepare_connection  # noqa: PLC0415
        from security.wellknown import security_txt  # noqa: F401, PLC0415

        connection_created.connect(prepare_connection, dispatch_uid="security.trail")
        pre_migrate.connect(make_way, sender=self, dispatch_uid="security.trail")
        post_migrate.connect(install_triggers, sender=self, dispatch_uid="security.trail")
