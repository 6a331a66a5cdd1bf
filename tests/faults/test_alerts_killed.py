"""The process that evaluates and delivers is killed at any moment: no alert is lost, and few come twice."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

from tests.faults.form import TIMEOUT_SECONDS, report, sized
from tests.faults.stand import EmbeddedCase, RealCase, until
from tests.monitoring.channels.receiver import SECRETS, Receiver
from tests.server import ROOT

pytestmark = pytest.mark.timeout(TIMEOUT_SECONDS)


class KilledMixin:
    """Each alert is the one rule that fires; its fingerprint is what arrives."""

    store = ""

    def start(self, environment, *numbers):
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.monitoring.alerts.killed", *map(str, numbers)],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        self.addCleanup(process.wait, 30)
        self.addCleanup(process.kill)
        with process.stdout:
            self.assertEqual(process.stdout.readline(), "ready\n")
        return process

    def test_none_of_them_is_lost(self):
        kills, count = sized(3, 200), sized(40, 1000)
        apart = kills * 3 / count  # a start takes two to three seconds: new ones fire all the while
        chance = random.Random(7)
        with Receiver(pause_seconds=0.1) as receiver:
            project = self.stand.with_environment(
                ALERT_WEBHOOK_URL=receiver.url,
                ALERT_WEBHOOK_SECRETS=SECRETS[0],
                ALERT_PRIVATE_NETWORKS="127.0.0.0/8",
            )
            arrived = lambda: Counter(  # noqa: E731
                alert["rule"] for got in list(receiver.got) for alert in got.document["data"]["alerts"]
            )
            began = time.time()
            process = self.start(project.environment, count, began, apart)
            for _ in range(kills):
                time.sleep(chance.uniform(0.02, 0.6))
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(30)
                process = self.start(project.environment, count, began, apart)
            until(lambda: len(arrived()) == count, seconds=count * apart + 60, what="all alerts")
            found = arrived()
        ids = Counter(got.headers["webhook-id"] for got in receiver.got)
        twice = sum(times - 1 for times in ids.values())
        # More ids than duplicates of an id would be an alert that was told twice, which no receiver could recognise.
        told_twice = (
            sum(found.values())
            - count
            - sum(
                len(got.document["data"]["alerts"])
                * (ids[got.headers["webhook-id"]] - 1)
                / ids[got.headers["webhook-id"]]
                for got in receiver.got
            )
        )
        report(
            f"alerts: killed {self.store}",
            load=f"{count} alerts, {kills} kills",
            measured={"lost": count - len(found), "delivered_twice": twice, "told_twice": round(told_twice)},
            bar="0 lost, at most one duplicate a kill and under its own id",
            is_passed=len(found) == count and twice <= kills and round(told_twice) == 0,
        )
        self.assertEqual(len(found), count)
        self.assertLessEqual(twice, kills)
        self.assertEqual(round(told_twice), 0)


@pytest.mark.real
class OnPostgres(KilledMixin, RealCase):
    """On PostgreSQL."""

    store = "on PostgreSQL"


@pytest.mark.embedded
class OnSqlite(KilledMixin, EmbeddedCase):
    """On SQLite."""

    store = "on SQLite"
