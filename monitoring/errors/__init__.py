"""Failures in groups: how often, since when, in which request last, and what people have done about them."""

from monitoring.errors.collector import connect_collector
from monitoring.errors.flusher import start_error_flusher
from monitoring.errors.models import ErrorGroup, ErrorState
from monitoring.errors.sentry import start_sentry
from monitoring.errors.store import acknowledge_error, resolve_error

__all__ = [
    "ErrorGroup",
    "ErrorState",
    "acknowledge_error",
    "connect_collector",
    "resolve_error",
    "start_error_flusher",
    "start_sentry",
]
