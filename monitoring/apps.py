"""Ties the counters to what the ground announces, and the recorder to every connection."""

from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    name = "monitoring"

    def ready(self) -> None:
        from monitoring.database import connect_recorder  # noqa: PLC0415 - models are not loaded before
        from monitoring.errors import connect_collector  # noqa: PLC0415
        from monitoring.metrics.receivers import connect  # noqa: PLC0415
        from monitoring.trail import NOT_AUDITED  # noqa: PLC0415
        from security.trail import register_audited  # noqa: PLC0415

        connect()
        connect_recorder()
        connect_collector()
        register_audited((), not_audited=NOT_AUDITED)
