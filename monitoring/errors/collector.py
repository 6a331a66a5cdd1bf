"""Hears of failures as they are logged, and adds them up in memory. It writes no row and can fail no request.

It sits behind the log, not in the way of the answer: whatever is logged with its exception at WARNING or above, by a
request, the schedule or a thread.
"""

import logging
import os
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from monitoring.logs.fingerprints import fingerprint_of, place_of, type_name
from monitoring.logs.formatter import places
from monitoring.metrics import metrics
from security.context import current
from security.redaction import scrub_error

logger = logging.getLogger("monitoring.errors")

MOST_WAITING = 200
KEPT_REQUESTS = 10


@dataclass(slots=True)
class Failures:
    """Of one fingerprint since the last flush."""

    fingerprint: str
    exception: str
    place: str
    traceback: list[str]
    first_seen_at: datetime
    last_seen_at: datetime
    message: str = ""
    route: str = ""
    count: int = 0
    request_ids: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_REQUESTS))


class Collector(logging.Handler):
    """The failures of this process that no flush has taken yet, by fingerprint."""

    def __init__(self) -> None:
        super().__init__(level=logging.WARNING)
        self._failures: dict[str, Failures] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """`logging` holds this handler's lock. Whatever goes wrong here must cost neither line nor answer."""
        error = record.exc_info[1] if record.exc_info else None
        if error is None:
            return
        try:
            self._add(error, at=datetime.fromtimestamp(record.created, UTC))
        except Exception as fault:  # noqa: BLE001 - a failure to count a failure must not be one more
            # Without its exception, or it would come here again.
            logger.warning("error_not_counted", extra={"error": type(fault).__name__})
            metrics().errors_dropped.inc()

    def _add(self, error: BaseException, *, at: datetime) -> None:
        counted = metrics()
        counted.errors.inc()
        fingerprint = fingerprint_of(error)
        found = self._failures.get(fingerprint)
        if found is None:
            if len(self._failures) >= MOST_WAITING:
                counted.errors_dropped.inc()
                return
            found = self._failures[fingerprint] = Failures(
                fingerprint,
                type_name(error)[:200],
                _plain(place_of(error))[:300],
                [_plain(place) for place in places(error.__traceback__)],
                at,
                at,
            )
        context = current()
        found.count += 1
        found.last_seen_at = max(at, found.last_seen_at)
        found.message = _plain(scrub_error(error))
        found.route = context.learnt.route[:200]
        if context.request_id:
            found.request_ids.appendleft(context.request_id)

    def take(self) -> list[Failures]:
        """What was heard since the last time; whoever takes it keeps it, or gives it back."""
        with self._held():
            taken, self._failures = list(self._failures.values()), {}
        return taken

    def give_back(self, failures: list[Failures]) -> None:
        """Keep `failures` for the next flush, beside what was heard meanwhile."""
        with self._held():
            for back in failures:
                later = self._failures.get(back.fingerprint)
                if later is None:
                    if len(self._failures) < MOST_WAITING:
                        self._failures[back.fingerprint] = back
                    else:
                        metrics().errors_dropped.inc(back.count)
                    continue
                later.count += back.count
                later.first_seen_at = back.first_seen_at
                later.request_ids.extend(list(back.request_ids)[: KEPT_REQUESTS - len(later.request_ids)])

    @contextmanager
    def _held(self) -> Iterator[None]:
        self.acquire()
        try:
            yield
        finally:
            self.release()

    def forget(self) -> None:
        """Start afresh, as a forked child must: its parent brings what was heard before."""
        self._failures = {}


def _plain(text: str) -> str:
    """`text` as every database takes it: PostgreSQL refuses NUL, and nobody takes half a surrogate pair."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


collector = Collector()
os.register_at_fork(after_in_child=collector.forget)


def connect_collector() -> None:
    """Hear of every failure that is logged from now on; a second call changes nothing."""
    logging.getLogger().addHandler(collector)
