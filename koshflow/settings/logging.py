"""Where log lines go: one JSON object a line on standard output. What a line may hold is `monitoring.logs`."""

from typing import Any


def logging_tree(*, level: str) -> dict[str, Any]:
    """The `LOGGING` setting at `level`."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "monitoring.logs.formatter.JsonFormatter"}},
        "handlers": {"stdout": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "json"}},
        "root": {"handlers": ["stdout"], "level": level},
        "loggers": {
            # Our own middleware logs each request once, with its id and duration.
            "django.request": {"level": "CRITICAL"},
            "django.server": {"level": "CRITICAL"},
            # It tells of each blueprint it loads, in every command.
            "procrastinate": {"level": "WARNING"},
            # Axes logs user names in clear.
            "axes": {"level": "CRITICAL"},
        },
    }
