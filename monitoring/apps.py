"""Ties the counters to what the ground announces."""

from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    name = "monitoring"

    def ready(self) -> None:
        from monitoring.metrics.receivers import connect  # noqa: PLC0415 - models are not loaded before
        from monitoring.trail import AUDITED, NOT_AUDITED  # noqa: PLC0415
        from security.trail import register_audited  # noqa: PLC0415

        connect()
        register_audited(AUDITED, not_audited=NOT_AUDITED)
