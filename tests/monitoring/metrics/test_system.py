"""What is said of processes and machine is what the kernel says (promise G47)."""

import json
import os
import time
from pathlib import Path

import pytest

from tests.base import ApiTestCase
from tests.monitoring.metrics.counting import CountingMixin

pytestmark = pytest.mark.embedded

TOKEN = "test-operator-token-" + "t" * 20


def status_bytes(name: str) -> int:
    """A line of /proc/self/status, which is in kB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(name)


class System(CountingMixin, ApiTestCase):
    """The JSON form beside /proc, read at the same moment."""

    def setUp(self):
        super().setUp()
        response = self.get("/metrics", token=TOKEN, headers={"Accept": "application/json"})
        self.body = json.loads(response.content)

    def one(self, group, name, **labels):
        (value,) = [sample["value"] for sample in self.body[group][name] if labels.items() <= sample["labels"].items()]
        return value

    def test_memory_of_the_process(self):
        self.assertAlmostEqual(self.one("process", "process_resident_memory_bytes"), status_bytes("VmRSS"), delta=4e6)
        peak = self.one("process", "process_resident_memory_peak_bytes")
        self.assertAlmostEqual(peak, status_bytes("VmHWM"), delta=4e6)
        self.assertGreaterEqual(peak, self.one("process", "process_resident_memory_bytes") - 4e6)

    def test_cpu_files_threads_and_age_of_the_process(self):
        times = os.times()
        self.assertAlmostEqual(self.one("process", "process_cpu_seconds_total"), times.user + times.system, delta=0.5)
        self.assertAlmostEqual(self.one("process", "process_open_fds"), len(os.listdir("/proc/self/fd")), delta=5)
        started = self.one("process", "process_start_time_seconds")
        self.assertAlmostEqual(time.time() - started, self.one("process", "process_uptime_seconds"), delta=5)
        self.assertGreaterEqual(self.one("process", "process_threads"), 1)

    def test_load_memory_cpu_and_age_of_the_machine(self):
        load = [float(word) for word in Path("/proc/loadavg").read_text().split()[:3]]
        for name, expected in zip(("kf_host_load1", "kf_host_load5", "kf_host_load15"), load, strict=True):
            self.assertAlmostEqual(self.one("system", name), expected, delta=0.5)
        memory = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        self.assertEqual(self.one("system", "kf_host_memory_bytes"), int(memory["MemTotal"].split()[0]) * 1024)
        up = float(Path("/proc/uptime").read_text().split()[0])
        self.assertAlmostEqual(self.one("system", "kf_host_uptime_seconds"), up, delta=5)
        ticks = Path("/proc/stat").read_text().split("\n", 1)[0].split()
        idle = int(ticks[4]) / os.sysconf("SC_CLK_TCK")
        self.assertAlmostEqual(self.one("system", "kf_host_cpu_seconds_total", mode="idle"), idle, delta=15)

    def test_system_process_and_application_stand_in_one_object(self):
        self.assertEqual(set(self.body), {"process", "system", "application"})
        self.assertIn("kf_build_info", self.body["application"])
