"""Times each request, counts it, and writes its one line of access log. It never looks at path, query or body.

What may stand in labels and lines is what we wrote ourselves: route templates, methods, statuses and codes.
"""

import logging
from collections.abc import Callable
from time import perf_counter, time
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import ResolverMatch
from django.utils.functional import SimpleLazyObject, empty
from whitenoise.middleware import WhiteNoiseFileResponse

from monitoring.database import tallied
from monitoring.metrics import metrics
from monitoring.metrics.registry import METHODS, OTHER, STATIC, UNMATCHED
from monitoring.requests.memory import HighWater
from monitoring.requests.slow import Usual
from security.context import current
from security.page_paths import is_page

_PAGE_METHODS = frozenset({"GET", "POST"})
_API_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
logger = logging.getLogger("koshflow.access")
slow_logger = logging.getLogger("koshflow.slow")
usual = Usual()
memory = HighWater()

# Asked for every few seconds by machines: they would drown what people did. What is refused there is told of.
UNCOUNTED = frozenset({"/health", "/health/live", "/health/ready", "/health/detailed", "/metrics"})


class RequestClockMiddleware:
    """Second in the chain, so that what the other layers refuse is timed and told of as well."""

    sync_capable = True
    async_capable = False

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info in UNCOUNTED:
            return self._uncounted(request)
        counted = metrics()
        counted.requests_in_flight.inc()
        started = perf_counter()
        try:
            with tallied(request) as tally:
                response = self.get_response(request)
        finally:
            seconds = perf_counter() - started
            counted.requests_in_flight.dec()
        method = request.method if request.method in METHODS else OTHER
        match = request.resolver_match
        if match is not None:
            route = f"/{match.route}"
            is_operation = _is_operation(match, method)
        else:
            # A file is answered before any route is looked for.
            route = STATIC if isinstance(response, WhiteNoiseFileResponse) else UNMATCHED
            is_operation = method == "GET"
        status = response.status_code
        code = getattr(response, "problem_code", None)
        size = None if response.streaming else len(response.content)
        counted.request_answered(
            method=method if is_operation else OTHER,
            route=route if is_operation else UNMATCHED,
            status=status,
            seconds=seconds,
            size_bytes=size,
        )
        line = {"method": method, "route": route, "status": status, "duration_ms": round(seconds * 1000, 2)}
        if size is not None:
            line["size_bytes"] = size
        if tally.count:
            line["sql_count"], line["sql_ms"] = tally.count, round(tally.seconds * 1000, 2)
        if code is not None:
            counted.refused(code)
            line["code"] = code
        if grown := memory.grown_bytes():
            line["memory_peak_bytes"], line["memory_grown_bytes"] = memory.peak_bytes, grown
        if logger.isEnabledFor(logging.INFO):
            logger.handle(_record(line))
        if usual.is_slow((str(method), route, status // 100), seconds):
            counted.slow_requests.inc()
            slow_logger.warning("slow_request", extra=line | {"slowest_sql": tally.slowest(3)})
        if _is_for_staff(request):
            sql = f'sql;dur={tally.seconds * 1000:.1f};desc="{tally.count}"'
            response["Server-Timing"] = f"total;dur={seconds * 1000:.1f}, {sql}"
        return response

    def _uncounted(self, request: HttpRequest) -> HttpResponse:
        started = perf_counter()
        response = self.get_response(request)
        code = getattr(response, "problem_code", None)
        if code is not None:
            # No machine of ours: whoever guesses at the operator's token must leave a trace.
            metrics().refused(code)
            line = {"method": request.method if request.method in METHODS else OTHER, "route": request.path_info}
            told = {"status": response.status_code, "duration_ms": round((perf_counter() - started) * 1000, 2)}
            logger.info("request", extra=line | told | {"code": code})
        return response

    def process_view(self, request: HttpRequest, *_view: Any) -> None:
        """The route is found: every line from here on names its template."""
        if request.resolver_match is not None:
            current().learnt.route = f"/{request.resolver_match.route}"


def _is_for_staff(request: HttpRequest) -> bool:
    """Whether it was asked by staff who showed their second factor, as far as anybody has looked who it was.

    Only pages have staff. A person of the API comes without the columns that say so: to look would be a statement.
    """
    user: Any = vars(request).get("user") if is_page(request) else None
    if user is None or (isinstance(user, SimpleLazyObject) and user._wrapped is empty):
        return False
    is_verified = getattr(user, "is_verified", None)
    return bool(user.is_active and getattr(user, "is_staff", False) and is_verified is not None and is_verified())


def _is_operation(match: ResolverMatch, method: str) -> bool:
    """Whether `method` asks for something on this route: HEAD and OPTIONS ask about it, others are not taken.

    What is none is counted under no route: strangers who try nine methods on each would make nine times the series.
    """
    view = getattr(match.func, "cls", None)  # of DRF's views; a page answers 405 itself, and takes these two
    return method in _PAGE_METHODS if view is None else method in _API_METHODS and hasattr(view, method.lower())


# What each line's record has in common. Not logger.info(): it walks the stack and takes paths apart to name the
# caller, and here there is one.
_EVERY = vars(logger.makeRecord(logger.name, logging.INFO, "", 0, "request", (), None))


def _record(line: dict[str, Any]) -> logging.LogRecord:
    """As `makeRecord` would make it with `line` as its extras, but for the time since logging was imported, which no
    line shows. That took 8 µs, most of them for what never changes."""
    record = logging.LogRecord.__new__(logging.LogRecord)
    now = time()
    vars(record).update(_EVERY, created=now, msecs=now % 1 * 1000, **line)
    return record
