"""Ties counters and channels to what the ground announces, the recorder to every connection; names watched tables and
what the security audit asks of us.
"""

from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    name = "monitoring"

    def ready(self) -> None:
        from monitoring import channels, posture  # noqa: F401, PLC0415 - models are not loaded before
        from monitoring.database import connect_recorder  # noqa: PLC0415
        from monitoring.errors import connect_collector  # noqa: PLC0415
        from monitoring.metrics.receivers import connect  # noqa: PLC0415
        from monitoring.trail import AUDITED, NOT_AUDITED  # noqa: PLC0415
        from security.trail import register_audited  # noqa: PLC0415

        connect()
        connect_recorder()
        connect_collector()
        channels.connect()
        register_audited(AUDITED, not_audited=NOT_AUDITED)
