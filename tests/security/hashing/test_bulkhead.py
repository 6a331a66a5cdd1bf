"""Real threads at the hashing bulkhead. Each step waits for an event of the one before; nothing sleeps."""

import os
import signal
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from security.errors import Busy
from security.hashing import bulkhead as module
from security.hashing import hash_slot, password_hashed
from security.hashing.bulkhead import Bulkhead, hashing

pytestmark = pytest.mark.embedded  # no store is asked

PATIENCE_SECONDS = 10  # a bar against a hanging test, never waited for


class Queue:
    """Threads at one bulkhead, and what happened to them in order."""

    def __init__(self, bulkhead: Bulkhead, pool: ThreadPoolExecutor, waits: threading.Semaphore) -> None:
        self.bulkhead = bulkhead
        self.pool = pool
        self.waits = waits
        self.order: list[str] = []

    @contextmanager
    def held(self):
        """A slot is taken by another thread for the block."""
        entered, leave = threading.Event(), threading.Event()

        def hold() -> None:
            with self.bulkhead.slot():
                entered.set()
                assert leave.wait(PATIENCE_SECONDS)

        future = self.pool.submit(hold)
        assert entered.wait(PATIENCE_SECONDS)
        try:
            yield
        finally:
            leave.set()
        future.result(PATIENCE_SECONDS)

    def arrives(self, name: str) -> Future:
        """A thread that stands in the queue when this returns."""

        def come() -> None:
            with self.bulkhead.slot():
                self.order.append(name)

        future = self.pool.submit(come)
        assert self.waits.acquire(timeout=PATIENCE_SECONDS)
        return future


@pytest.fixture
def queue(monkeypatch):
    waits = threading.Semaphore(0)

    class Announced(threading.Event().__class__):
        def wait(self, timeout=None):
            waits.release()
            return super().wait(timeout)

    monkeypatch.setattr(module, "Event", Announced)
    with ThreadPoolExecutor(8) as pool:

        def make(**numbers) -> Queue:
            return Queue(
                Bulkhead(**({"concurrency": 1, "queue": 2, "wait_seconds": PATIENCE_SECONDS} | numbers)),
                pool,
                waits,
            )

        yield make


class TestQueue:
    """One hashes, two wait, in order of arrival."""

    def test_waiting_threads_go_in_order_of_arrival(self, queue):
        threads = queue(queue=4)
        with threads.held():
            futures = [threads.arrives(name) for name in "abcd"]
            assert threads.order == []
        for future in futures:
            future.result(PATIENCE_SECONDS)
        assert threads.order == ["a", "b", "c", "d"]

    def test_who_finds_the_queue_full_is_sent_away_at_once(self, queue):
        threads = queue()
        with threads.held():
            futures = [threads.arrives(name) for name in "ab"]
            with pytest.raises(Busy) as caught, threads.bulkhead.slot():
                pass
            assert caught.value.retry_after == PATIENCE_SECONDS
        for future in futures:
            future.result(PATIENCE_SECONDS)

    def test_who_waits_too_long_is_sent_away_and_leaves_no_gap(self, queue):
        threads = queue(queue=1, wait_seconds=0)
        with threads.held():
            for _ in range(3):
                with pytest.raises(Busy) as caught, threads.bulkhead.slot():
                    pass
                assert caught.value.retry_after == 1
        with threads.bulkhead.slot():
            pass

    def test_with_no_queue_the_second_is_sent_away(self, queue):
        threads = queue(queue=0)
        with threads.held(), pytest.raises(Busy), threads.bulkhead.slot():
            pass

    def test_more_than_one_slot(self, queue):
        threads = queue(concurrency=2, queue=0)
        with threads.held():
            with threads.held(), pytest.raises(Busy), threads.bulkhead.slot():
                pass
            with threads.bulkhead.slot():
                pass

    def test_a_failure_inside_frees_the_slot(self, queue):
        threads = queue(queue=0)
        with pytest.raises(ZeroDivisionError), threads.bulkhead.slot():
            _ = 1 / 0
        with threads.held():
            pass

    def test_an_interrupted_wait_gives_up_its_place(self, queue, monkeypatch):
        threads = queue(queue=1)

        class Interrupted(threading.Event().__class__):
            def wait(self, timeout=None):
                raise SystemExit

        with threads.held():
            with monkeypatch.context() as patch:
                patch.setattr(module, "Event", Interrupted)
                with pytest.raises(SystemExit), threads.bulkhead.slot():
                    pass
            future = threads.arrives("next")
        future.result(PATIENCE_SECONDS)
        with threads.held():
            pass

    def test_a_turn_that_comes_to_an_interrupted_thread_goes_on_to_the_next(self, queue, monkeypatch):
        threads = queue(queue=1)
        leave = threading.Event()

        class InterruptedOnItsTurn(threading.Event().__class__):
            def wait(self, timeout=None):
                leave.set()
                super().wait(PATIENCE_SECONDS)
                raise SystemExit

        def hold(entered: threading.Event) -> None:
            with threads.bulkhead.slot():
                entered.set()
                assert leave.wait(PATIENCE_SECONDS)

        entered = threading.Event()
        future = threads.pool.submit(hold, entered)
        assert entered.wait(PATIENCE_SECONDS)
        monkeypatch.setattr(module, "Event", InterruptedOnItsTurn)
        with pytest.raises(SystemExit), threads.bulkhead.slot():
            pass
        future.result(PATIENCE_SECONDS)
        assert threads.bulkhead._state.running == 0


class TestReentry:
    """A thread that holds a slot may hash again without waiting for itself."""

    def test_a_hold_within_a_hold(self, queue):
        threads = queue(queue=0)
        with threads.bulkhead.slot(), threads.bulkhead.slot():
            pass
        with threads.held():
            pass

    def test_leaving_the_inner_one_keeps_the_slot(self, queue):
        threads = queue(queue=0)
        with threads.bulkhead.slot():
            with threads.bulkhead.slot():
                pass
            with pytest.raises(Busy):
                threads.pool.submit(self.enter, threads.bulkhead).result(PATIENCE_SECONDS)

    @staticmethod
    def enter(bulkhead: Bulkhead) -> None:
        with bulkhead.slot():
            pass


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")  # that is the point of it
class TestFork:
    """A forked worker starts with a free bulkhead, whatever the parent's threads were doing."""

    def test_child_is_free_though_the_parent_is_full(self, queue):
        threads = queue(queue=0)
        with threads.held():
            assert self.in_child(lambda: TestReentry.enter(threads.bulkhead)) == 0

    def test_child_forked_by_a_holder_may_leave_and_enter(self, queue):
        threads = queue(queue=0)

        def leave_and_enter() -> None:
            block.__exit__(None, None, None)
            with threads.bulkhead.slot(), threads.bulkhead.slot():
                pass
            assert threads.bulkhead._state.running == 0

        block = threads.bulkhead.slot()
        with block, threads.bulkhead._state.lock:  # as if another thread were just queueing
            assert self.in_child(leave_and_enter) == 0

    def test_a_lock_held_at_the_fork_does_not_hang_the_child(self, queue):
        threads = queue(queue=0)
        with threads.bulkhead._state.lock, module._process.lock:

            def enter_both() -> None:
                TestReentry.enter(threads.bulkhead)
                with hash_slot():
                    pass

            assert self.in_child(enter_both) == 0

    @staticmethod
    def in_child(act) -> int:
        child = os.fork()
        if child == 0:
            code = 1
            signal.alarm(PATIENCE_SECONDS)  # a child that hangs on a lock dies of it
            try:
                act()
                code = 0
            finally:
                os._exit(code)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class TestMeasure:
    """Each hash tells how long it took and how long it waited, and nothing else."""

    @pytest.fixture
    def told(self):
        told: list[dict] = []

        def receive(sender, signal, **measures):
            told.append(measures)

        password_hashed.connect(receive)
        yield told
        password_hashed.disconnect(receive)

    def test_a_hash_is_told_once(self, told):
        with hashing():
            pass
        assert [set(measures) for measures in told] == [{"seconds", "queued_seconds"}]
        assert all(value >= 0 for value in told[0].values())

    def test_two_hashes_in_one_hold_tell_their_wait_once(self, told):
        with hash_slot():
            for _ in range(2):
                with hashing():
                    pass
        assert told[0]["queued_seconds"] > 0
        assert told[1]["queued_seconds"] == 0

    def test_a_receiver_that_fails_does_not_fail_the_hash(self, told):
        def fail(**measures):
            raise ZeroDivisionError

        password_hashed.connect(fail)
        try:
            with hashing():
                pass
        finally:
            password_hashed.disconnect(fail)
        assert len(told) == 1


class TestSettings:
    """The numbers come from the settings."""

    def test_read_when_they_change(self, settings):
        settings.HASH_CONCURRENCY, settings.HASH_QUEUE, settings.HASH_WAIT_SECONDS = 3, 5, 0.5
        made = module._process.get()
        assert (made.concurrency, made.queue, made.wait_seconds) == (3, 5, 0.5)
        assert module._process.get() is made
