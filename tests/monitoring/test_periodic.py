"""Threads beside the requests outlive whatever a round of theirs raises, and none of it goes unmarked."""

import logging
import threading
from unittest.mock import patch

import pytest
from django.db import InterfaceError, OperationalError, connection
from django.test import TransactionTestCase

from monitoring.periodic import PeriodicThread
from tests.monitoring.metrics.counting import CountingMixin

pytestmark = pytest.mark.embedded


class Rounds(PeriodicThread):
    """Raises what it was given, round after round; None is a good round."""

    def __init__(self, *outcomes, interval_seconds=0.001):
        super().__init__(name="rounds", interval_seconds=interval_seconds)
        self.outcomes = list(outcomes)
        self.is_through = threading.Event()

    def work(self):
        if not self.outcomes:
            self.is_through.set()
            return
        if (outcome := self.outcomes.pop(0)) is not None:
            raise outcome


class Failures(CountingMixin, TransactionTestCase):
    """Each failed round is counted, the log has where it begins or changes, and the next round comes."""

    def told(self, *outcomes):
        thread = Rounds(*outcomes)
        with self.assertLogs("monitoring.threads") as logs:
            for _ in outcomes:
                thread.step()
        return [(record.thread_name, record.levelno, record.exc_info[0]) for record in logs.records]

    def test_an_outage_is_told_of_once(self):
        told = self.told(OperationalError(), OperationalError(), None, OperationalError())
        self.assertEqual(told, [("rounds", logging.WARNING, OperationalError)] * 2)
        self.assertEqual(self.value("kf_thread_failures_total", thread="rounds", cause="database"), 3)

    def test_a_fault_of_ours_in_an_outage_is_told_of_too(self):
        told = self.told(InterfaceError(), KeyError(), KeyError())
        self.assertEqual([line[1:] for line in told], [(logging.WARNING, InterfaceError), (logging.ERROR, KeyError)])
        self.assertEqual(self.value("kf_thread_failures_total", thread="rounds", cause="fault"), 2)

    def test_the_thread_goes_on(self):
        thread = Rounds(InterfaceError(), KeyError(), RecursionError())
        with self.assertLogs("monitoring.threads"):
            thread.start()
            self.assertTrue(thread.is_through.wait(10))
            thread.stop(timeout_seconds=10)
        self.assertFalse(thread.is_alive())

    def test_a_connection_that_may_not_be_kept_goes_back_after_each_round(self):
        thread = Rounds()
        thread.work = connection.ensure_connection
        connection.close()
        with patch.dict(connection.settings_dict, CONN_MAX_AGE=0):  # as where there is a pool
            thread.step()
        self.assertIsNone(connection.connection)
