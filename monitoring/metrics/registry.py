"""Every metric of the product, declared once: name, labels, buckets. How they are read out is `exposition.py`.

Names follow Prometheus (base units, `_total`). A label's values come from closed lists: route templates, methods,
codes, types of audit events; never a path, a person, an address or an id.
"""

import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, values

from monitoring.metrics import slots

# OpenTelemetry's buckets for http.server.request.duration.
REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
HASH_BUCKETS = (0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0)
SIZE_BUCKETS = (100.0, 1_000.0, 10_000.0, 100_000.0, 1_000_000.0, 10_000_000.0)
QUERY_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
QUEUE_BUCKETS = (0.001, 0.01, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0)

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})  # RFC 9110, 5789
OTHER = "other"
STATIC = "static"
UNMATCHED = "unmatched"
# Children of the request histogram in one process, 16 values each: 4,000 series, below the cap of 5,000.
MAX_REQUEST_CHILDREN = 250

# A `_created` series beside each counter would double their number; Prometheus sees resets without it.
disable_created_metrics()


_expected: dict[str, set[tuple[str, ...]]] = {"error_groups": {("new",), ("regressed",)}}


def expect(children: Mapping[str, Iterable[tuple[str, ...]]]) -> None:
    """Have each counter (by the name of its attribute) stand at zero under these labels from the start of a process.

    A series that begins with one has not grown: Prometheus would see nothing of the first failures, however many.
    """
    for name, labels in children.items():
        _expected.setdefault(name, set()).update(labels)


class Metrics:
    """The metrics of this process, in its slot's files, or in memory where it holds none."""

    def __init__(self) -> None:
        self.slot = slots.current()
        self.generation = slots.generation()
        # The library asks this module-wide name for the store of each value, also of children made later.
        values.ValueClass = self._store()
        self.registry = CollectorRegistry()
        self._requests: dict[tuple[str, str, int], Any] = {}
        self._refusals: dict[str, Any] = {}
        self._cache_answers: dict[tuple[str, str], Any] = {}
        self.bounds: dict[str, tuple[float, ...]] = {}  # of each histogram, by its name
        self.request_seconds = self._histogram(
            "kf_http_request_duration_seconds",
            "Requests by duration; its _count is the number of requests (http.server.request.duration)",
            ("method", "route", "status_class"),
            REQUEST_BUCKETS,
        )
        self.response_bytes = self._histogram(
            "kf_http_response_size_bytes",
            "Bodies of answers by their length, streamed ones left out (http.server.response.body.size)",
            (),
            SIZE_BUCKETS,
        )
        self.requests_in_flight = Gauge(
            "kf_http_requests_in_flight",
            "Requests being answered now (http.server.active_requests)",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self.refusals = self._counter("kf_refusals", "Refusals by the code the client read", ("code",))
        self.auth_attempts = self._counter(
            "kf_auth_attempts", "Proofs of identity that were checked, by flow and outcome", ("flow", "outcome")
        )
        self.auth_lockouts = self._counter(
            "kf_auth_lockouts", "Sign-ins met by a lock-out, one a client, account and minute"
        )
        self.token_refresh = self._counter("kf_token_refresh", "Refresh tokens presented, by outcome", ("outcome",))
        self.token_reuse = self._counter("kf_token_reuse_detected", "Refresh tokens used twice: a stolen copy")
        self.security_events = self._counter(
            "kf_security_events",
            "Audit events by type; a flood of refusals is one event a client and minute",
            ("kind",),
        )
        self.limit_decisions = self._counter(
            "kf_rate_limit_decisions",
            "Requests that a limit refused, or held back where a thread was free; all others were let through",
            ("scope", "decision"),
        )
        self.cache_requests = self._counter(
            "kf_cache_requests", "What a cache answered: revocations (security), selectors by name", ("cache", "result")
        )
        self.cache_errors = self._counter("kf_cache_errors", "Calls that a cache did not answer", ("cache",))
        self.screening_findings = self._counter(
            "kf_screening_findings",
            "Requests that looked like an attack, one for each kind found in it, by what was done",
            ("kind", "action"),
        )
        self.csp_reports = self._counter(
            "kf_csp_reports", "Violations that browsers reported, by directive", ("directive",)
        )
        self.audit_events = self._counter(
            "kf_audit_events", "Audit events by class and outcome", ("audit_class", "outcome")
        )
        self.schedule_runs = self._counter(
            "kf_schedule_runs", "Runs of the schedule's entries, by outcome", ("entry", "outcome")
        )
        self.alert_deliveries = self._counter(
            "kf_alert_deliveries", "Tries to deliver an alert, by channel and outcome", ("channel", "outcome")
        )
        self.hash_seconds = self._histogram(
            "kf_password_hash_seconds", "Duration of one password hash", (), HASH_BUCKETS
        )
        self.hash_queue_seconds = self._histogram(
            "kf_password_hash_queue_seconds", "Wait for a turn to hash a password", (), QUEUE_BUCKETS
        )
        self.db_query_seconds = self._histogram(
            "kf_db_query_duration_seconds",
            "SQL statements by duration, added up every few seconds (db.client.operation.duration)",
            ("alias", "operation"),
            QUERY_BUCKETS,
        )
        self.db_slow_queries = self._counter(
            "kf_db_slow_queries", "SQL statements that took SLOW_QUERY_MS or longer", ("alias",)
        )
        self.db_n_plus_one = self._counter(
            "kf_db_n_plus_one", "Requests that ran one statement ten times from one place", ("route",)
        )
        self.db_pool_connections = Gauge(
            "kf_db_pool_connections",
            "Connections to a database, and threads that wait for one: used, idle, waiting, max (of the pool)",
            ("alias", "state"),
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self.db_pool_wait = self._counter(
            "kf_db_pool_wait_seconds", "Time that requests waited for a connection of the pool", ("alias",)
        )
        self.db_records_lost = self._counter(
            "kf_db_records_lost", "Statements whose numbers of one interval the database refused for good", ("alias",)
        )
        self.thread_failures = self._counter(
            "kf_thread_failures",
            "Rounds of a thread beside the requests that failed, by thread and cause",
            ("thread", "cause"),
        )
        self.slow_requests = self._counter(
            "kf_http_slow_requests", "Requests over one second, or over five times what is usual for their route"
        )
        self.errors = self._counter("kf_errors", "Failures that were logged with their exception")
        self.error_groups = self._counter("kf_error_groups", "Groups of failures that are new or came back", ("event",))
        self.errors_dropped = self._counter(
            "kf_errors_dropped", "Failures that no group counts: too many kinds at once"
        )
        self.sentry_dropped = self._counter(
            "kf_sentry_dropped", "Failures that Sentry was not told of: too many waited, or it did not take them"
        )
        self.dropped_series = self._counter(
            "kf_metrics_dropped_series", "Requests counted under route other because the process had too many series"
        )
        for name, children in _expected.items():
            for labels in children:
                getattr(self, name).labels(*labels)

    def _store(self) -> Any:
        if self.slot is None:
            return values.MutexValue
        # The library reads the folder from the environment whenever it opens a file.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(self.slot.directory)
        number = self.slot.number
        return values.MultiProcessValue(process_identifier=lambda: number)

    def _counter(self, name: str, text: str, labels: tuple[str, ...] = ()) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, labels: tuple[str, ...], buckets: tuple[float, ...]) -> Histogram:
        self.bounds[name] = buckets
        return Histogram(name, text, labels, registry=self.registry, buckets=buckets)

    def request_answered(
        self, *, method: str, route: str, status: int, seconds: float, size_bytes: int | None = None
    ) -> None:
        """Count one request. `route` is one of the URLconf, STATIC or UNMATCHED; `method` one of METHODS or OTHER."""
        if size_bytes is not None:
            self.response_bytes.observe(size_bytes)
        key = (method, route, status // 100)
        # Children are kept: asking the library for one costs more than counting (measured 5 µs against 3).
        child = self._requests.get(key) or self._new_request_child(key)
        child.observe(seconds)

    def _new_request_child(self, key: tuple[str, str, int]) -> Any:
        method, route, hundreds = key
        if len(self._requests) >= MAX_REQUEST_CHILDREN:
            self.dropped_series.inc()
            return self.request_seconds.labels(OTHER, OTHER, f"{hundreds}xx")
        child = self._requests[key] = self.request_seconds.labels(method, route, f"{hundreds}xx")
        return child

    def cache_answered(self, cache: str, result: str) -> None:
        """Count one question to `cache`; the `result` error counts as a call that was not answered."""
        child = self._cache_answers.get((cache, result))
        if child is None:
            errors = self.cache_errors.labels(cache)  # at zero from the first answer on
            child = errors if result == "error" else self.cache_requests.labels(cache, result)
            self._cache_answers[cache, result] = child
        child.inc()

    def statements_ran(self, *, alias: str, operation: str, by_bucket: Sequence[int], seconds: float) -> None:
        """Count statements that were added up elsewhere: how many fell into each bucket, and what all took."""
        self.db_slow_queries.labels(alias)  # at zero before the first slow one
        child = self.db_query_seconds.labels(alias, operation)
        # What observe() does, many times at once.
        child._sum.inc(seconds)
        for bucket, times in zip(child._buckets, by_bucket, strict=True):
            if times:
                bucket.inc(times)

    def refused(self, code: str) -> None:
        """Count one refusal. `code` is a name of the catalogue of refusals."""
        child = self._refusals.get(code)
        if child is None:
            child = self._refusals[code] = self.refusals.labels(code)
        child.inc()


class _Process:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.metrics: Metrics | None = None


_process = _Process()


def metrics() -> Metrics:
    """The metrics of this process, made on first use and made anew after a fork or a change of slot.

    First use, not import: the master of a preloading server must not hold files that its workers count in.
    """
    kept = _process.metrics
    if kept is not None and kept.generation == slots.generation():
        return kept
    with _process.lock:
        kept = _process.metrics
        if kept is None or kept.generation != slots.generation():
            kept = _process.metrics = Metrics()
        return kept


def _after_fork() -> None:
    _process.lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)
