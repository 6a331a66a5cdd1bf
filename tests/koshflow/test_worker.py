"""The schedule on PostgreSQL: once per cluster, alive again after a killed worker, and beside the server of a
launch.
"""

import asyncio
import tempfile
from pathlib import Path
from unittest import TestCase
from unittest.mock import patch

import psutil
import psycopg
import pytest
from django.db import connection, connections, transaction
from django.test import TransactionTestCase
from procrastinate.exceptions import AlreadyEnqueued

from koshflow.hints import hint_delivery
from koshflow.jobs import RECOVERY, build_app, defer_now
from koshflow.schedule import Entry
from monitoring.schedule import ScheduleRun, note_run
from security.crypto import SubjectKey
from security.outbox import Mail, enqueue_mail, message_queued
from tests.koshflow.servers import Launch, an_environment
from tests.services import postgres, redis
from tests.waiting import until

RARELY = "0 0 29 2 * 0"


def noted(*args, **kwargs) -> None:
    """`note_run`; and the thread of the worker keeps no connection to a database that the tests will drop."""
    try:
        note_run(*args, **kwargs)
    finally:
        connections.close_all()


class JobsCase(TransactionTestCase):
    """Begins with empty queues: the library's tables are not Django's to empty."""

    def setUp(self):
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE procrastinate_jobs, procrastinate_workers CASCADE")


@pytest.mark.real
class Jobs(JobsCase):
    """A function runs one at a time and waits at most once, however often it is asked for."""

    def setUp(self):
        super().setUp()
        self.ran = []
        patcher = patch("koshflow.schedule.note_run", noted)
        patcher.start()
        self.addCleanup(patcher.stop)

    def work(self) -> None:
        """Run a worker until nothing waits."""

        async def run():
            app = build_app([Entry("act", RARELY, lambda: self.ran.append("act"))])
            app.periodic_registry.periodic_tasks.clear()  # the slots are the library's own promise
            async with app.open_async():
                await app.run_worker_async(wait=False, install_signal_handlers=False)

        asyncio.run(run())

    def jobs(self) -> list[tuple]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT task_name, status::text FROM procrastinate_jobs ORDER BY id")
            return cursor.fetchall()

    def test_it_runs_and_leaves_no_row(self):
        defer_now("act")
        self.work()
        self.assertEqual((self.ran, self.jobs()), (["act"], []))
        self.assertEqual([(run.name, run.outcome) for run in ScheduleRun.objects.all()], [("act", "success")])

    def test_asked_for_twice_it_waits_once(self):
        defer_now("act")
        with self.assertRaises(AlreadyEnqueued):
            defer_now("act")
        self.work()
        self.assertEqual(self.ran, ["act"])

    def test_a_worker_killed_in_it_does_not_block_it_for_ever(self):
        defer_now("act")
        with connection.cursor() as cursor:
            cursor.execute(
                "WITH dead AS (INSERT INTO procrastinate_workers (last_heartbeat)"
                " VALUES (now() - interval '31 seconds') RETURNING id)"
                " UPDATE procrastinate_jobs SET status = 'doing', worker_id = (SELECT id FROM dead)"
            )
        defer_now("act")
        defer_now(RECOVERY)
        self.work()
        self.work()
        self.assertEqual((self.ran, self.jobs()), (["act"], []))

    def test_a_living_worker_is_not_taken_for_dead(self):
        defer_now("act")
        with connection.cursor() as cursor:
            cursor.execute(
                "WITH busy AS (INSERT INTO procrastinate_workers (last_heartbeat)"
                " VALUES (now() - interval '5 seconds') RETURNING id)"
                " UPDATE procrastinate_jobs SET status = 'doing', worker_id = (SELECT id FROM busy)"
            )
        defer_now(RECOVERY)
        self.work()
        self.assertEqual(self.jobs(), [("act", "doing")])

    def test_a_failure_is_kept_for_a_look(self):
        def fail():
            raise ZeroDivisionError

        self.ran = type("Failing", (list,), {"append": lambda *_: fail()})()
        defer_now("act")
        self.work()
        self.assertEqual(self.jobs(), [("act", "failed")])


@pytest.mark.real
class Hints(JobsCase):
    """A queued message asks the workers to deliver at once; the act never pays for a hint that fails."""

    def setUp(self):
        super().setUp()
        message_queued.connect(hint_delivery)
        self.addCleanup(message_queued.disconnect, hint_delivery)

    def queue(self, times: int = 1) -> None:
        with transaction.atomic():
            for _ in range(times):
                enqueue_mail(subject=SubjectKey.objects.issue(), to="asha@x.example.in", kind=Mail.PASSWORD_CHANGED)

    def waiting(self) -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'deliver_due'")
            return cursor.fetchone()[0]

    def test_one_job_waits_for_any_number_of_messages(self):
        self.queue(times=3)
        self.queue()
        self.assertEqual(self.waiting(), 1)

    def test_an_act_that_fails_hints_nothing(self):
        with self.assertRaises(ZeroDivisionError), transaction.atomic():
            self.queue()
            raise ZeroDivisionError
        self.assertEqual(self.waiting(), 0)


@pytest.mark.real
class ALaunch(TestCase):
    """The same command serves on PostgreSQL and Redis, with the worker beside the server; they end together."""

    def test_from_an_empty_database_to_both_and_their_end(self):
        with postgres(private=True) as database, redis(private=True) as store, tempfile.TemporaryDirectory() as home:
            environment = an_environment(Path(home) / "var", DATABASE_URL=database.url, REDIS_URL=store.url)
            with Launch(environment, Path(home) / "log") as launch:
                launch.until_it_answers()
                self.assertIn("shown this once", launch.output)
                with psycopg.connect(database.url) as connection_:
                    alive = "SELECT count(*) FROM procrastinate_workers"
                    until(lambda: connection_.execute(alive).fetchone()[0] == 1, what="the worker")
                with self.subTest("a worker that ends alone is started again"):
                    worker = self.worker_of(launch)
                    worker.kill()
                    until(lambda: (self.worker_of(launch) or worker) != worker, what="another worker")
                    self.assertTrue(launch.answers())
                family = psutil.Process(launch.process.pid).children(recursive=True)
                self.assertEqual(launch.end(), 0)
                self.assertEqual([process for process in family if process.is_running()], [])

    def worker_of(self, launch: Launch) -> psutil.Process | None:
        for process in psutil.Process(launch.process.pid).children():
            if process.status() != psutil.STATUS_ZOMBIE and "koshflow.worker" in process.cmdline():
                return process
        return None
