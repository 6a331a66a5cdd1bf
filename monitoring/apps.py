"""Ties the counters to what the ground announces."""

from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    name = "monitoring"

    def ready(self) -> None:
        from monitoring.metrics.receivers import connect  # noqa: PLC0415 - models are not loaded before

        connect()
