"""Server and worker under one launch, where the server takes its time to end; both are invented."""

import os
import signal
import subprocess
import sys
from unittest import TestCase

import pytest

from tests.koshflow.servers import ROOT

pytestmark = pytest.mark.embedded  # no store takes part

# Says that it was told, and ends LATER, or at once when told again.
SERVER = """
import os, signal, sys, time
told = []
def tell(*_):
    told.append(time.monotonic())
    os.write(1, b"told\\n")  # print() is not to be entered twice, and this is a signal's handler
signal.signal(signal.SIGTERM, tell)
print("serves", flush=True)
while not told or (len(told) == 1 and time.monotonic() < told[0] + LATER):
    time.sleep(0.02)
sys.exit(6 + len(told))
"""
LAUNCH = """
import sys
from koshflow import processes
processes.SERVER = [sys.executable, "-c", SERVER]
processes.WORKER = [sys.executable, "-c", "import time; time.sleep(60)"]
processes.GRACE_SECONDS = 0.5
sys.exit(processes.run_beside_worker(drain_seconds=DRAIN))
"""


class TheEnd(TestCase):
    """The server has its time to drain before it is killed, and is told when somebody will not wait for that."""

    def launch(self, *, later: float, drain_seconds: int) -> "subprocess.Popen[str]":
        server = SERVER.replace("LATER", str(later))
        process = subprocess.Popen(
            [sys.executable, "-c", LAUNCH.replace("SERVER]", f"{server!r}]").replace("DRAIN", str(drain_seconds))],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(process.wait, 30)
        self.addCleanup(process.terminate)
        self.addCleanup(process.stdout.close)
        self.assertEqual(process.stdout.readline(), "serves\n")
        return process

    def test_a_server_that_drains_is_waited_for(self):
        process = self.launch(later=1.5, drain_seconds=20)
        process.terminate()
        self.assertEqual(process.wait(30), 7)

    def test_one_that_takes_longer_is_killed(self):
        process = self.launch(later=50, drain_seconds=0)
        process.terminate()
        self.assertEqual(process.wait(30), 256 - signal.SIGKILL)

    def test_a_second_signal_is_passed_on(self):
        process = self.launch(later=50, drain_seconds=100)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.stdout.readline(), "told\n")
        os.kill(process.pid, signal.SIGINT)
        self.assertEqual(process.wait(30), 8)
