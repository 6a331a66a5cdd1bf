"""A PostgreSQL stopped in mid-life, as by a paused machine: its sockets stay open and nobody answers."""

from pathlib import Path
from time import monotonic
from unittest.mock import patch

import pytest
from django.db.utils import ConnectionHandler
from django.test import TransactionTestCase

import monitoring.health.views  # noqa: F401 - it must not first be read while constants are patched
from koshflow.settings.stores import databases
from monitoring.health.board import Board
from monitoring.health.probes import DATABASE, DatabaseProbe
from monitoring.health.watcher import DEADLINE_SECONDS, Watcher
from tests.monitoring.health.test_watcher import probe_threads
from tests.services import postgres
from tests.waiting import until

# Half of what twenty questions would take that each waited for the deadline, and many times what they take here: a
# busy machine must not fail the bar.
AT_MOST_SECONDS = 10 * DEADLINE_SECONDS


@pytest.mark.real
class StoppedPostgres(TransactionTestCase):
    """/health says so within the deadline, then at once, with one thread more; and recovers when the server does."""

    def setUp(self):
        super().setUp()
        self.server = postgres(private=True)
        self.addCleanup(self.server.stop)
        handler = ConnectionHandler(databases(url=self.server.url, data_dir=Path("unused")))
        for patcher in (
            patch("monitoring.health.probes.connections", handler),
            patch("monitoring.health.probes.MigrationExecutor.migration_plan", return_value=[]),
            patch("monitoring.health.watcher.TTL_SECONDS", 0.0),
            patch("monitoring.health.watcher.FAIL_TTL_SECONDS", 0.0),
        ):
            patcher.start()
            self.addCleanup(patcher.stop)
        board = Board({"database": Watcher(DatabaseProbe(), overdue=DATABASE)})
        patcher = patch("monitoring.health.views.board", board)
        patcher.start()
        self.addCleanup(patcher.stop)

    def ask(self) -> tuple[int, float]:
        """Status of /health and how many seconds it took."""
        started = monotonic()
        status = self.client.get("/health").status_code
        return status, monotonic() - started

    def test_stopped_and_resumed(self):
        self.assertEqual(self.ask()[0], 200)
        self.server.pause()
        try:
            status, seconds = self.ask()
            self.assertEqual(status, 503)
            self.assertLess(seconds, AT_MOST_SECONDS)
            waited = [self.ask() for _ in range(20)]
            self.assertEqual({status for status, _ in waited}, {503})
            self.assertLess(sum(seconds for _, seconds in waited), AT_MOST_SECONDS)
            self.assertLessEqual(len(probe_threads()), 1)
        finally:
            self.server.resume()
        for thread in probe_threads():
            thread.join(timeout=30)
        self.assertEqual(self.ask()[0], 200)

    def test_killed(self):
        self.assertEqual(self.ask()[0], 200)
        self.server.kill()
        self.assertEqual(self.ask()[0], 503)
        self.server.start()
        # While the last answer was bad each run is waited for a tenth of a second only.
        until(lambda: self.ask()[0] == 200, what="the recovery", seconds=20)
