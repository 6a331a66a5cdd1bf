"""Which log lines are written: one JSON object each. What they may hold and where they go is `monitoring.logs`."""

from typing import Any


def logging_tree(*, level: str) -> dict[str, Any]:
    """The `LOGGING` setting at `level`."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "monitoring.logs.formatter.JsonFormatter"}},
        "handlers": {"lines": {"class": "monitoring.logs.LineHandler", "formatter": "json"}},
        "root": {"handlers": ["lines"], "level": level},
        "loggers": {
            # The second copy of the audit log, outside the database: no setting turns it off.
            "security.audit": {"level": "INFO"},
            "security.tlog": {"level": "INFO"},
            "security.trail": {"level": "INFO"},
            # Our own middleware logs each request once, with its id and duration.
            "django.request": {"level": "CRITICAL"},
            "django.server": {"level": "CRITICAL"},
            # It quotes Origin, Referer and the path; `security.forgery` tells of it without.
            "django.security.csrf": {"level": "CRITICAL"},
            # It tells of each blueprint it loads, in every command.
            "procrastinate": {"level": "WARNING"},
            # Axes logs user names in clear.
            "axes": {"level": "CRITICAL"},
        },
    }
