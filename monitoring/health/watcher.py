"""Runs one probe beside the requests: one run at a time, its answer kept, nobody waits past the deadline.

A frozen database holds a query for as long as it is frozen, whatever time-outs the server was given. So the
waiting has its limit here, on the client's side, and a run that hangs is waited for by no second thread: it stays
the one run until it ends.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from time import monotonic

from monitoring.health.readings import Reading, Status

logger = logging.getLogger("monitoring.health")

TTL_SECONDS = 5.0
FAIL_TTL_SECONDS = 2.0
DEADLINE_SECONDS = 1.0
# While the last answer was bad: long enough to see a recovery at once, too short to pile requests up on a corpse.
BAD_DEADLINE_SECONDS = 0.1
# What was bad is known to be for as long after its time; who asks once a minute must not be told of a minute ago.
BAD_STANDS_SECONDS = 10.0

Probe = Callable[[], Sequence[Reading]]


class _Run:
    """One run of the probe, in flight until `done` is set."""

    def __init__(self, started: float) -> None:
        self.started = started
        self.done = threading.Event()


class Watcher:
    """Keeps the last readings of `probe`.

    They are fresh for `ttl_seconds`; without it for five, and for two while one of them fails. `overdue` is the reading
    (name, whether required) given while a run is past its deadline. Times are seconds of `clock`, which must never go
    back.
    """

    def __init__(
        self,
        probe: Probe,
        *,
        overdue: tuple[str, bool],
        deadline_seconds: float = DEADLINE_SECONDS,
        ttl_seconds: float | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._probe = probe
        self._overdue_name, self._overdue_is_required = overdue
        self.deadline_seconds = deadline_seconds  # how long a run is waited for
        self._ttl = ttl_seconds
        self._clock = clock
        self.forget()

    def forget(self) -> None:
        """Start afresh, as a forked child must: the lock and the run belong to threads that it does not have."""
        self._lock = threading.Lock()
        self._run: _Run | None = None
        self._readings: tuple[Reading, ...] = ()
        self._expires = float("-inf")
        self._told: dict[str, Status] = {}

    def refresh(self) -> None:
        """Start a run where one is due, and do not wait for it."""
        with self._lock:
            self._ensure_run()

    def look(self, *, seconds: float) -> None:
        """Wait for a run, at most so long, whatever its deadline: for who begins, and is asked by nobody yet.

        Whoever asks first has a run of their own: nothing was promised before.
        """
        with self._lock:
            run = self._ensure_run()
        if run is not None:
            run.done.wait(seconds)
        with self._lock:
            self._expires = self._clock()

    def kept(self) -> tuple[Reading, ...]:
        """The last readings, however old; none before the first run ended. It starts nothing and waits for nothing."""
        with self._lock:
            return self._readings

    def readings(self, *, until: float | None = None) -> tuple[Reading, ...]:
        """The kept readings while they are fresh; else those of a run, waited for until its deadline.

        Past it they are one failure; where the last run failed just now, its readings stand until another says better.
        Whoever asks several watchers names the moment `until` which all are waited for, on `time.monotonic`. A run that
        began too late for that is no failure yet: what was found last stands, where anything was.
        """
        with self._lock:
            run = self._ensure_run()
            if run is None:
                return self._readings
            is_known_bad = _fails(self._readings) and self._clock() - self._expires < BAD_STANDS_SECONDS
            patience = min(self.deadline_seconds, BAD_DEADLINE_SECONDS) if is_known_bad else self.deadline_seconds
            left = run.started + patience - self._clock()
        wait = left if until is None else min(left, until - monotonic())
        if wait > 0:
            run.done.wait(wait)
        with self._lock:
            is_still_in_time = wait < left and left > 0
            if run.done.is_set() or is_known_bad or (is_still_in_time and self._readings):
                return self._readings
            return self._overdue()

    def _ensure_run(self) -> _Run | None:
        """The run in flight, started if need be; None while the kept readings are fresh. The caller holds the lock."""
        if self._run is None and self._clock() >= self._expires:
            run = _Run(self._clock())
            # Named for what it watches; a daemon, because a hanging one must not keep the process from ending.
            threading.Thread(target=self._work, args=(run,), name=f"probe {self._overdue_name}", daemon=True).start()
            self._run = run
        return self._run

    def _work(self, run: _Run) -> None:
        try:
            readings = tuple(self._probe())
        except Exception as error:  # noqa: BLE001 - whatever a driver raises means that its part does not work
            readings = (self._reading(output=type(error).__name__),)
            self._tell(readings, error=error)
        else:
            self._tell(readings)
        with self._lock:
            if self._run is run:  # not one from before forget()
                self._keep(readings, run)
            run.done.set()

    def _keep(self, readings: tuple[Reading, ...], run: _Run) -> None:
        ended = self._clock()
        if _fails(readings):
            self._expires = ended + (self._ttl or FAIL_TTL_SECONDS)
        else:
            # A pass that took too long tells of the past: whoever asks next starts a new run.
            is_late = ended - run.started > self.deadline_seconds
            self._expires = ended if is_late else ended + (self._ttl or TTL_SECONDS)
        self._readings = readings
        self._run = None

    def _overdue(self) -> tuple[Reading, ...]:
        readings = (self._reading(output=f"no answer within {self.deadline_seconds:g} s"),)
        self._tell(readings)
        return readings

    def _reading(self, *, output: str) -> Reading:
        return Reading(
            name=self._overdue_name,
            status=Status.FAIL,
            time=datetime.now(UTC),
            is_required=self._overdue_is_required,
            output=output,
        )

    def _tell(self, readings: Iterable[Reading], *, error: Exception | None = None) -> None:
        # On change only: a balancer asks every few seconds, and a day of outage is one fact. Each by its own name: what
        # is bad for long must not hide what turns bad beside it.
        for reading in readings:
            status = reading.status if reading.degrades else Status.PASS
            if status is not self._told.get(reading.name, Status.PASS):
                self._told[reading.name] = status
                level = logging.INFO if status is Status.PASS else logging.WARNING
                extra = {"probe": reading.name, "status": status.value, "output": reading.output}
                logger.log(level, "health_changed", extra=extra, exc_info=error)


def _fails(readings: Sequence[Reading]) -> bool:
    return any(reading.status is Status.FAIL for reading in readings)
