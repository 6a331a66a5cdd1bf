"""Keeps password hashing from drowning the process: few hash, few wait, the rest are told to come back.

A bcrypt-14 hash is a second of CPU. Without this, forty strangers with wrong passwords stop every other
endpoint. Knows nothing of passwords.
"""

import math
import os
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Lock, local
from time import perf_counter, sleep
from weakref import WeakSet

from django.conf import settings
from django.dispatch import Signal

from security.errors import Busy

# Sent after each hash with `seconds` (its own duration) and `queued_seconds` (how long it waited for its
# turn). Receivers run in the thread that hashes: they must be quick.
password_hashed = Signal()


# Before a refusal is told; in the lane of requests that hash (koshflow/lanes.py) nobody else waits for it.
PAUSE_SECONDS = 0.005


class _Hold(local):
    """What this thread holds: how deep, and the wait that no hash has reported yet."""

    depth = 0
    queued_seconds = 0.0


class _Waiter:
    """A thread in the queue. `has_turn` is read and written under the lock only."""

    def __init__(self) -> None:
        self.event = Event()
        self.has_turn = False


class _State:
    """What a forked child must start afresh: the locks may be held by threads that it does not have."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.running = 0
        self.waiters: deque[_Waiter] = deque()
        self.hold = _Hold()


class Bulkhead:
    """At most `concurrency` holders and `queue` waiting threads in a process, served in order of arrival."""

    def __init__(self, *, concurrency: int, queue: int, wait_seconds: float) -> None:
        self.concurrency = concurrency
        self.queue = queue
        self.wait_seconds = wait_seconds
        self._state = _State()
        _bulkheads.add(self)

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Hold a slot for the block. A thread that holds one already just goes on.

        Raises Busy at once when the queue is full, or after `wait_seconds` without a turn.
        """
        state = self._state
        if state.hold.depth:
            state.hold.depth += 1
        else:
            asked = perf_counter()
            self._enter(state)
            state.hold.depth = 1
            state.hold.queued_seconds = perf_counter() - asked
        try:
            yield
        finally:
            state.hold.depth -= 1
            if not state.hold.depth:
                self._leave(state)

    def check_room(self) -> None:
        """Raises Busy where `slot` would at once. Only a hint: others may come in between."""
        state = self._state
        with state.lock:
            is_refused = not state.hold.depth and self._is_full(state)
        if is_refused:
            raise self._busy()

    def take_queued_seconds(self) -> float:
        """How long the present hold waited; 0 when told before: two hashes in one hold count it once."""
        hold = self._state.hold
        seconds, hold.queued_seconds = hold.queued_seconds, 0.0
        return seconds

    def forget(self) -> None:
        """Start afresh: nobody holds, nobody waits."""
        self._state = _State()

    def _enter(self, state: _State) -> None:
        waiter = None
        with state.lock:
            if state.running < self.concurrency:
                state.running += 1
                return
            if not self._is_full(state):
                waiter = _Waiter()
                state.waiters.append(waiter)
        if waiter is None:
            raise self._busy()
        try:
            waiter.event.wait(self.wait_seconds)
        except BaseException:
            # The server interrupts a thread that it gives up: a turn that came meanwhile goes to the next.
            if not self._withdraw(state, waiter):
                self._leave(state)
            raise
        if self._withdraw(state, waiter):
            raise self._busy()

    def _is_full(self, state: _State) -> bool:
        return state.running >= self.concurrency and len(state.waiters) >= self.queue

    @staticmethod
    def _withdraw(state: _State, waiter: _Waiter) -> bool:
        """Leave the queue; False when the turn had come already."""
        with state.lock:
            if waiter.has_turn:
                return False
            state.waiters.remove(waiter)
            return True

    def _leave(self, state: _State) -> None:
        if state is not self._state:
            return  # taken before a fork, in the parent
        with state.lock:
            if state.waiters:
                # The slot passes from hand to hand: a newcomer between release and wake-up cannot overtake.
                waiter = state.waiters.popleft()
                waiter.has_turn = True
                waiter.event.set()
            else:
                state.running -= 1

    def _busy(self) -> Busy:
        # Whom a flood refuses comes back at once, and each refusal costs a millisecond of a core.
        sleep(PAUSE_SECONDS)
        return Busy(retry_after=max(1, math.ceil(self.wait_seconds)))


_bulkheads: "WeakSet[Bulkhead]" = WeakSet()


class _Process:
    """The bulkhead of this process, made anew when its numbers in the settings change."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.numbers: tuple[int, int, float] | None = None
        self.bulkhead: Bulkhead | None = None

    def get(self) -> Bulkhead:
        numbers = (settings.HASH_CONCURRENCY, settings.HASH_QUEUE, settings.HASH_WAIT_SECONDS)
        with self.lock:
            if self.bulkhead is None or numbers != self.numbers:
                self.bulkhead = Bulkhead(concurrency=numbers[0], queue=numbers[1], wait_seconds=numbers[2])
                self.numbers = numbers
            return self.bulkhead


_process = _Process()


def _after_fork() -> None:
    _process.lock = Lock()
    for bulkhead in _bulkheads:
        bulkhead.forget()


os.register_at_fork(after_in_child=_after_fork)


@contextmanager
def hash_slot() -> Iterator[None]:
    """Hold the process's hashing slot over several hashes, such as a check and the upgrade that follows it.

    Hashers take the slot themselves; this only keeps it in between. Raises Busy.
    """
    with _process.get().slot():
        yield


def check_room() -> None:
    """Raises Busy while nobody more can wait for a hash: ask before work that a refusal would waste."""
    _process.get().check_room()


@contextmanager
def hashing() -> Iterator[None]:
    """One hash: in the slot, and measured. Raises Busy."""
    bulkhead = _process.get()
    with bulkhead.slot():
        queued_seconds = bulkhead.take_queued_seconds()
        started = perf_counter()
        yield
        seconds = perf_counter() - started
    # Robust: what watches us must not decide whether a person may sign in. Django logs what a receiver
    # raises.
    password_hashed.send_robust(sender=Bulkhead, seconds=seconds, queued_seconds=queued_seconds)
