"""What a running server runs on its database is written down beside the requests, and told in its metrics."""

import sqlite3
from contextlib import closing

import pytest

from tests.faults.client import Client
from tests.faults.form import TIMEOUT_SECONDS
from tests.faults.stand import EmbeddedCase, RealCase
from tests.faults.traffic import ME
from tests.waiting import until

pytestmark = pytest.mark.timeout(TIMEOUT_SECONDS)

_CALLS = """
SELECT coalesce(sum(calls), 0) FROM monitoring_statement WHERE operation = 'select' AND text LIKE '%accounts_session%'
"""
ASKED = 5
SECONDS = 40  # written every seven; the rest is for machines on which other tests run


class Recorded:
    """The statement behind `/me` has its row and its place in the histogram; no interval is lost."""

    def test_by_a_server(self):
        server = self.serve(self.stand.with_environment(WEB_WORKERS="1", OPERATOR_NETWORKS="127.0.0.1/32"))
        [person] = self.stand.people(1)
        before = self.calls()
        with Client(server.port) as client:
            for _ in range(ASKED):
                self.assertEqual(client.get(ME, token=person.access).status, 200)
        until(lambda: self.calls() - before >= ASKED, seconds=SECONDS, what="the row")
        until(lambda: self.told(server) >= ASKED, seconds=SECONDS, what="the histogram")

    def told(self, server) -> float:
        return server.metrics().get('kf_db_query_duration_seconds_count{alias="default",operation="select"}', 0.0)


@pytest.mark.real
class OnPostgreSQL(Recorded, RealCase):
    """From its own thread's connection."""

    def calls(self) -> int:
        return int(self.stand.query(_CALLS.replace("%", "%%"))[0][0])


@pytest.mark.embedded
class OnSQLite(Recorded, EmbeddedCase):
    """Beside the schedule, in the same process."""

    def calls(self) -> int:
        with closing(sqlite3.connect(self.stand.database)) as database:
            return int(database.execute(_CALLS).fetchone()[0])
