"""Turns a log record into one JSON object on one line. What must not stand in it is `security.redaction`'s to say.

It never raises: Python would answer with the raw arguments of the record on standard error.
"""

import logging
import math
import time
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from itertools import islice
from json import JSONEncoder
from pathlib import PurePath
from types import TracebackType
from typing import Any
from uuid import UUID

from monitoring.logs.fingerprints import chain, fingerprint_of, type_name
from security.context import current
from security.redaction import redact_value, scrub, scrub_error

MAX_TEXT = 2000
_MAX_FRAMES = 50

# No line shows thread, process or task; looking them up for each record costs more than encoding it.
logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False

# What every record has from the start; what came in by `extra` stands behind it, beside what other formatters left.
_STANDARD_FIRST = tuple(logging.makeLogRecord({}).__dict__)
_STANDARD = frozenset(_STANDARD_FIRST) | {"message", "asctime", "taskName"}
_OURS = frozenset(
    {
        *("time", "level", "logger", "event", "request_id", "trace_id", "user_id", "company_id"),
        *("exception", "error", "traceback", "fingerprint"),
    }
)
# ASCII only: JSON's escapes then cover line ends, control characters, bidirectional overrides and lone surrogates.
_encode = JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode
_TEXTS = (UUID, datetime, date, Decimal, PurePath)


class JsonFormatter(logging.Formatter):
    """`time` (UTC, RFC 3339, milliseconds), `level`, `logger`, `event`, then what is known of the request being served:
    `request_id`, `trace_id`, `user_id` and `company_id` (pseudonyms, as audit events have them), `route`; then the
    extras.

    `event` is the record's message, by our rule a constant name. An extra that would hide one of these members is
    written as `field_<name>`. An exception becomes `exception` (its type), `error` (its text without quoted values)
    and `traceback` (places only, innermost last), with `caused_by` for the chain and the `fingerprint` of its group.
    """

    def __init__(self) -> None:
        super().__init__()
        # The second's text is kept: most lines fall into the second of the one before.
        self._second: tuple[int, str] = (-1, "")

    def format(self, record: logging.LogRecord) -> str:
        context = current()
        line: dict[str, Any] = {
            "time": self._time(record.created),
            "level": record.levelname,
            "logger": record.name,
            "event": _event(record),
        }
        if context.request_id:
            line["request_id"] = context.request_id
        if context.trace_id:
            line["trace_id"] = context.trace_id
        learnt = context.learnt
        if learnt.user_id:
            line["user_id"] = learnt.user_id
        if learnt.company_id:
            line["company_id"] = learnt.company_id
        if learnt.route:
            line["route"] = learnt.route
        for name, value in islice(record.__dict__.items(), len(_STANDARD_FIRST), None):
            if name not in _STANDARD:
                line[f"field_{name}" if name in _OURS else name] = _shown(redact_value(name, value))
        if record.exc_info and record.exc_info[1] is not None:
            line.update(_exception(record.exc_info[1]))
        return _encode(line)

    def _time(self, created: float) -> str:
        second = int(created)
        kept = self._second
        if kept[0] != second:
            kept = self._second = (second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)))
        return f"{kept[1]}.{int((created - second) * 1000):03d}Z"


def _event(record: logging.LogRecord) -> str:
    message = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
    if not record.args:
        return message if message.isidentifier() else scrub(message)[:MAX_TEXT]
    try:
        return scrub(record.getMessage())[:MAX_TEXT]
    except (TypeError, ValueError, KeyError):
        return scrub(message)[:MAX_TEXT]  # the arguments do not fit: a wrong call must not cost the line


def _shown(value: Any) -> Any:
    """`value` as JSON has it. An object we do not know is its type's name: its text may be a person's e-mail."""
    kind = type(value)
    if kind is str:
        return value if len(value) <= MAX_TEXT else value[:MAX_TEXT] + "…"
    if kind is int or kind is bool or value is None:
        return value
    if isinstance(value, Enum):
        return _shown(value.value)
    if isinstance(value, str | int):
        return _shown(str(value)) if isinstance(value, str) else int(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(name): _shown(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(inner) for inner in value]
    if isinstance(value, _TEXTS):
        return str(value)
    return f"<{type(value).__name__}>"


def _exception(error: BaseException) -> dict[str, Any]:
    told = [
        {"exception": type_name(link), "error": scrub_error(link), "traceback": places(link.__traceback__)}
        for link in chain(error)
    ]
    return told[0] | ({"caused_by": told[1:]} if len(told) > 1 else {}) | {"fingerprint": fingerprint_of(error)}


def places(traceback: TracebackType | None) -> list[str]:
    """File, line and function of each frame; neither source lines, which may hold literals, nor local variables."""
    found = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        found.append(f"{code.co_filename}:{traceback.tb_lineno} {code.co_name}")
        traceback = traceback.tb_next
    return found[-_MAX_FRAMES:]
