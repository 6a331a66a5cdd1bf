"""The process that evaluates and delivers is killed at any moment: no alert is lost, and few come twice."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

from tests.faults.form import LONG, TIMEOUT_SECONDS, report, sized
from tests.faults.stand import EmbeddedCase, RealCase
from tests.monitoring.channels.receiver import SECRETS, Receiver
from tests.server import ROOT
from tests.waiting import until

pytestmark = pytest.mark.timeout(TIMEOUT_SECONDS)

AWAY_SECONDS = 600


class Evaluators:
    """One after the other, begun and killed by hand."""

    def __init__(self, case, *, receiver, numbers):
        project = case.stand.with_environment(
            ALERT_WEBHOOK_URL=receiver.url, ALERT_WEBHOOK_SECRETS=SECRETS[0], ALERT_PRIVATE_NETWORKS="127.0.0.0/8"
        )
        self.parent = subprocess.Popen(
            [sys.executable, "-m", "tests.monitoring.alerts.killed", *map(str, numbers)],
            cwd=ROOT,
            env=project.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        case.addCleanup(self.end)
        self.begin()

    def begin(self):
        self.parent.stdin.write("\n")
        self.parent.stdin.flush()
        self.pid = int(self.parent.stdout.readline())

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)

    def end(self):
        os.killpg(self.parent.pid, signal.SIGKILL)
        self.parent.wait(30)
        self.parent.stdin.close()
        self.parent.stdout.close()


def arrived(receiver):
    """How often each rule was told."""
    return Counter(alert["rule"] for got in list(receiver.got) for alert in got.document["data"]["alerts"])


def taken(receiver):
    """The same of those that it said yes to."""
    receiver = Receiver(got=[got for got in list(receiver.got) if got.status == 200])
    return arrived(receiver)


class KilledMixin:
    """Each alert is the one rule that fires; its fingerprint is what arrives."""

    store = ""

    def test_none_of_them_is_lost(self):
        kills, count = sized(6, 200), sized(40, 1000)
        apart = kills * 0.4 / count  # new ones fire all the while
        chance = random.Random(7)
        with Receiver(pause_seconds=0.1) as receiver:
            evaluators = Evaluators(self, receiver=receiver, numbers=(count, time.time(), apart))
            for _ in range(kills):
                time.sleep(chance.uniform(0.02, 0.8))
                evaluators.kill()
                evaluators.begin()
            until(lambda: len(arrived(receiver)) == count, seconds=count * 0.3 + 60, what="all alerts")
            found = arrived(receiver)
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

    @pytest.mark.skipif(not LONG, reason="channels.Away moves the clock in each run: KOSHFLOW_FAULTS=long")
    def test_a_receiver_that_is_down_for_ten_minutes_gets_them_all(self):
        """A process of its own, with the product's own back-off; its clock makes five seconds of each round."""
        count, began = 100, int(time.time())
        with Receiver(status=503) as receiver:
            Evaluators(self, receiver=receiver, numbers=(count, began, AWAY_SECONDS / count, 5))
            seconds = lambda: int(receiver.got[-1].headers["webhook-timestamp"]) - began if receiver.got else 0  # noqa: E731
            until(lambda: seconds() >= AWAY_SECONDS, seconds=600, what="ten minutes")
            receiver.status = 200
            until(lambda: len(taken(receiver)) == count, seconds=600, what="all alerts")
            found, after = taken(receiver), seconds() - AWAY_SECONDS
        tried = sum(got.status == 503 for got in receiver.got)
        lost, twice = count - len(found), sum(found.values()) - len(found)
        report(
            "alerts: receiver down for ten minutes",
            load=f"{count} alerts in {AWAY_SECONDS} s, each answered 503",
            measured={"lost": lost, "twice": twice, "tries": tried, "all_after_s": after},
            bar="0 lost, 0 twice",
            is_passed=not lost and not twice,
        )
        self.assertEqual((lost, twice), (0, 0))


@pytest.mark.embedded
class OnSqlite(KilledMixin, EmbeddedCase):
    """On SQLite."""

    store = "on SQLite"
