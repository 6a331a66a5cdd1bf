"""Times each statement of each connection and adds it up in memory, never with its values. It writes no row.

It runs inside every statement of every request, so what can wait is left to `store.flush`: counting costs two
look-ups and an addition under a lock.
"""

import contextvars
import logging
import os
import sys
import threading
from bisect import bisect_left
from collections.abc import Callable
from itertools import accumulate
from time import perf_counter
from typing import Any

from django.conf import settings
from django.db.backends.signals import connection_created
from django.http import HttpRequest

from monitoring.database.fingerprints import MAX_TEXT, Folded, fold
from monitoring.database.pool import remember
from monitoring.logs.fingerprints import AROUND_STATEMENTS, own_path
from monitoring.metrics import metrics
from monitoring.metrics.registry import QUERY_BUCKETS, UNMATCHED
from monitoring.requests.slow import LEAST_KEPT, NOTICED_SECONDS, TIMES_P95

logger = logging.getLogger("koshflow.database")

MAX_TEXTS = 2000
MAX_STATEMENTS = 1000
N_PLUS_ONE = 10

# Ours, and yet nobody would look there for the cause of a statement.
_NOT_A_SITE = ("monitoring/database/", *AROUND_STATEMENTS, ".venv/")


class StatementRepeated(RuntimeError):  # noqa: N818 - named for what happened
    """In tests alone: one request ran one statement `N_PLUS_ONE` times from one place, which the text names."""


class Statement:
    """What was seen of one fingerprint on one database since the last flush. Changed under `lock` only."""

    __slots__ = (
        "by_bucket", "calls", "folded", "learnt_at", "longest", "route", "rows", "runaways", "sample", "seconds",
        "site", "slow", "wanted",
    )  # fmt: skip

    def __init__(self, folded: Folded) -> None:
        self.folded = folded
        self.calls = self.rows = self.slow = self.runaways = 0
        self.seconds = self.longest = 0.0
        # How many fell into each bucket since this process met it: what is usual for it.
        self.by_bucket = [0] * (len(QUERY_BUCKETS) + 1)
        self.route = self.site = ""
        # Whether values are wanted, once, to learn their shapes from; they stay in memory until the next flush.
        self.wanted = not folded.is_control
        self.sample: Any = None
        self.learnt_at = float("-inf")

    def is_unusual(self, seconds: float) -> bool:
        """Whether `seconds` is over five times its own 95th percentile, which is at most the bound of its bucket."""
        times = list(accumulate(self.by_bucket))
        usual = bisect_left(times, times[-1] * 0.95)
        return times[-1] > LEAST_KEPT and usual < len(QUERY_BUCKETS) and seconds > TIMES_P95 * QUERY_BUCKETS[usual]


class Tally:
    """The statements of one request."""

    __slots__ = ("count", "request", "seconds", "seen", "sites", "spent")

    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        self.count = 0
        self.seconds = 0.0
        self.seen: dict[Statement, int] = {}
        self.spent: dict[Statement, float] = {}
        self.sites: dict[tuple[Statement, str], int] = {}

    def slowest(self, number: int) -> list[dict[str, Any]]:
        """The `number` statements that took most of its time, by fingerprint; without their text or values."""
        ordered = sorted(self.spent.items(), key=lambda item: item[1], reverse=True)[:number]
        return [
            {"fingerprint": statement.folded.fingerprint, "ms": round(seconds * 1000, 2), "times": self.seen[statement]}
            for statement, seconds in ordered
        ]

    @property
    def route(self) -> str:
        """The template of the route; UNMATCHED before one is found."""
        match = self.request.resolver_match
        return UNMATCHED if match is None else f"/{match.route}"


_tally: contextvars.ContextVar[Tally | None] = contextvars.ContextVar("koshflow_statements", default=None)
_is_silent: contextvars.ContextVar[bool] = contextvars.ContextVar("koshflow_unrecorded", default=False)


class Durations:
    """How many statements of one operation fell into each bucket since the last flush, and what all took."""

    __slots__ = ("by_bucket", "seconds")

    def __init__(self) -> None:
        self.by_bucket = [0] * (len(QUERY_BUCKETS) + 1)
        self.seconds = 0.0


class Recorder:
    """The execute wrapper of all connections to one database in this process."""

    def __init__(self, alias: str) -> None:
        self.alias = alias
        self.lock = threading.Lock()
        self.statements: dict[str, Statement] = {}  # by fingerprint
        self.durations: dict[str, Durations] = {}  # by operation
        self._by_text: dict[str, tuple[Statement, Durations]] = {}
        self._slow_seconds = settings.SLOW_QUERY_MS / 1000

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001
        started = perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            seconds = perf_counter() - started
            try:
                self._count(sql, params, many, context, seconds)
            except StatementRepeated:
                raise
            except Exception as error:  # noqa: BLE001 - a statement that ran must not fail because it was not counted
                logger.warning("statement_not_counted", extra={"error": type(error).__name__})

    def _count(self, sql: str, params: Any, many: bool, context: Any, seconds: float) -> None:  # noqa: FBT001
        statement, durations = self._by_text.get(sql) or self._meet(sql)
        bucket = bisect_left(QUERY_BUCKETS, seconds)
        with self.lock:
            statement.calls += 1
            statement.seconds += seconds
            statement.longest = max(statement.longest, seconds)
            statement.by_bucket[bucket] += 1
            durations.seconds += seconds
            durations.by_bucket[bucket] += 1
        if statement.wanted and params:
            statement.wanted, statement.sample = False, params[0] if many else params
        tally = _tally.get()
        if tally is not None:
            tally.count += 1
            tally.seconds += seconds
            tally.spent[statement] = tally.spent.get(statement, 0.0) + seconds
            times = tally.seen[statement] = tally.seen.get(statement, 0) + 1
            if times > 1:
                self._again(statement, tally)
        # That a migration or a VACUUM takes its time is no news.
        if (seconds >= self._slow_seconds or seconds > NOTICED_SECONDS) and not statement.folded.is_control:
            self._slow(statement, seconds, context, tally)

    def _meet(self, sql: str) -> tuple[Statement, Durations]:
        folded = fold(sql)
        with self.lock:
            statement = self.statements.get(folded.fingerprint)
            if statement is None:
                if len(self.statements) >= MAX_STATEMENTS:
                    folded = Folded("(more statements than are kept apart)", "0" * 16, folded.operation, ())
                statement = self.statements.setdefault(folded.fingerprint, Statement(folded))
            durations = self.durations.setdefault(folded.operation, Durations())
            met = statement, durations
            # The text of control statements is new each time, and would push out all others.
            if not folded.is_control and len(sql) <= MAX_TEXT:
                if len(self._by_text) >= MAX_TEXTS:
                    self._by_text.clear()
                self._by_text[sql] = met
        return met

    def _again(self, statement: Statement, tally: Tally) -> None:
        # The site is looked for from the second time on: most statements of a request run once.
        site = call_site()
        times = tally.sites[statement, site] = tally.sites.get((statement, site), 1) + 1
        if times == N_PLUS_ONE and not statement.folded.is_control:
            with self.lock:
                statement.runaways += 1
                statement.route, statement.site = tally.route, site
            metrics().db_n_plus_one.labels(tally.route).inc()
            if settings.REPEATED_STATEMENTS_RAISE:
                raise StatementRepeated(f"{site} ran {times} times in one request: {statement.folded.text}")

    def _slow(self, statement: Statement, seconds: float, context: Any, tally: Tally | None) -> None:
        is_slow = seconds >= self._slow_seconds
        if not is_slow and not statement.is_unusual(seconds):
            return
        rows = max(0, getattr(context["cursor"].cursor, "rowcount", 0) or 0)
        route, site = tally.route if tally else "", call_site()
        if is_slow:
            with self.lock:
                statement.slow += 1
                statement.rows = max(statement.rows, rows)
                statement.route, statement.site = route, site
            metrics().db_slow_queries.labels(self.alias).inc()
        told = {
            "alias": self.alias,
            "sql_fingerprint": statement.folded.fingerprint,
            "statement": statement.folded.text,
            "duration_ms": round(seconds * 1000, 1),
            "rows": rows,
            "route": route,
            "call_site": site,
        }
        logger.warning("slow_query", extra=told)

    def forget(self) -> None:
        """Start afresh, as a forked child must: its parent tells what was counted before."""
        self.__init__(self.alias)  # type: ignore[misc]


def call_site() -> str:
    """`accounts/login/services.py:88 log_in`: the innermost frame that is ours and no machinery; "" for none."""
    frame = sys._getframe(2)
    while frame is not None:
        path = own_path(frame.f_code.co_filename)
        if path and not path.startswith(_NOT_A_SITE):
            return f"{path}:{frame.f_lineno} {frame.f_code.co_name}"
        frame = frame.f_back  # type: ignore[assignment]
    return ""


_recorders: dict[str, Recorder] = {}


def recorders() -> list[Recorder]:
    """Those of this process, one a database that it has connected to."""
    return list(_recorders.values())


def connect_recorder() -> None:
    """Record on every connection made from now on; a second call changes nothing."""
    connection_created.connect(_record_on, dispatch_uid="statement recorder")


def _record_on(*, connection: Any, **_signal: object) -> None:
    remember(connection)
    # A pool hands out and takes back: the signal comes again for a connection object that has its recorder.
    wrappers = connection.execute_wrappers
    if not _is_silent.get() and not any(isinstance(wrapper, Recorder) for wrapper in wrappers):
        wrappers.append(_recorders.setdefault(connection.alias, Recorder(connection.alias)))


def begin_silence() -> None:
    """Record nothing on connections that this thread makes from now on: it writes down what others did."""
    _is_silent.set(True)


class tallied:  # noqa: N801 - a context manager, named as its use reads
    """Count the statements inside the block as those of `request`."""

    __slots__ = ("_tally", "_token")

    def __init__(self, request: HttpRequest) -> None:
        self._tally = Tally(request)

    def __enter__(self) -> Tally:
        self._token = _tally.set(self._tally)
        return self._tally

    def __exit__(self, *_error: object) -> None:
        _tally.reset(self._token)


def _after_fork() -> None:
    for recorder in _recorders.values():
        recorder.forget()


os.register_at_fork(after_in_child=_after_fork)
