"""Reads the counters of all living and past processes, and writes them in the three forms that may be asked for.

A scrape changes nothing and asks no database itself: threads beside it do, for all of which it waits a second at most.
"""

import math
import os
import platform
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import psutil
from django.conf import settings
from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.registry import Collector

from monitoring.alerts import showing as alerts
from monitoring.backups import showing as backups
from monitoring.health import board
from monitoring.health.probes import CACHE, DATABASE
from monitoring.health.readings import Status
from monitoring.health.watcher import DEADLINE_SECONDS
from monitoring.metrics import slots
from monitoring.metrics.registry import metrics
from monitoring.schedule import showing as schedule

# Name, help and scale of what a probe measures. From its last answer: asking a hung disk or database would hang too.
_PROBED = {
    "database:size": ("kf_db_size_bytes", "Size of the database in bytes, its indexes included", 1),
    "disk:free": ("kf_host_disk_free_ratio", "Free part of the file system with the data folder", 0.01),
    "audit:sealLag": ("kf_audit_seal_lag_seconds", "Age of the oldest audit event that is not sealed", 1),
    "audit:witnessLag": ("kf_audit_witness_lag_seconds", "Age of the oldest checkpoint without its witness", 1),
    "audit:lastVerification": ("kf_audit_verification_age_seconds", "Age of the last proof of the whole log", 1),
}
_REQUESTS = "kf_http_request_duration_seconds"


class Snapshot(Collector):
    """All families at one moment, sorted by name."""

    def __init__(self) -> None:
        families = [*watched(), *counted(), *processes(), *host(), build()]
        self.families = sorted(families, key=lambda family: family.name)

    def collect(self) -> Iterable[Metric]:
        return self.families

    def text(self) -> str:
        """Prometheus text format 0.0.4."""
        return generate_latest(self).decode()

    def openmetrics(self) -> str:
        """OpenMetrics 1.0."""
        return str(generate_openmetrics(self).decode())

    def document(self) -> dict[str, dict[str, list[dict[str, Any]]]]:
        """The same numbers as one JSON object: `process`, `system` and `application`, each by sample name."""
        groups: dict[str, dict[str, list[dict[str, Any]]]] = {"process": {}, "system": {}, "application": {}}
        for family in self.families:
            group = groups[_group(family.name)]
            for sample in family.samples:
                value = sample.value if math.isfinite(sample.value) else None
                group.setdefault(sample.name, []).append({"labels": sample.labels, "value": value})
        return groups


def _group(name: str) -> str:
    if name.startswith("process_"):
        return "process"
    return "system" if name.startswith("kf_host_") else "application"


def counted() -> Iterator[Metric]:
    """What the processes counted, added up, and the number of requests, which is the histogram's own count."""
    mine = metrics()
    families = list(mine.registry.collect() if mine.slot is None else _merged(mine.slot))
    for family in families:
        yield family
        if family.name == _REQUESTS:
            yield _requests_total(family)


def _merged(mine: slots.Slot) -> Iterable[Metric]:
    files: list[str] = []
    for slot in slots.slots(mine.directory):
        is_alive = slot.number == mine.number or slot.holder() is not None
        for path in slot.paths:
            if (is_alive or not path.name.startswith("gauge_live")) and slots.readable(path):
                files.append(str(path))
    return MultiProcessCollector.merge(files)


def _requests_total(durations: Metric) -> Metric:
    family = CounterMetricFamily(
        "kf_http_requests",
        "Requests answered (count of kf_http_request_duration_seconds)",
        labels=("method", "route", "status_class"),
    )
    found: dict[tuple[str, str, str], float] = {}
    for sample in durations.samples:
        if sample.name == f"{_REQUESTS}_count":
            method, route = sample.labels["method"], sample.labels["route"]
            found[method, route, sample.labels["status_class"]] = sample.value
            # What never failed stands at zero: the first failures of a route would else be no growth (`expect`).
            found.setdefault((method, route, "5xx"), 0.0)
    for labels, value in found.items():
        family.add_metric(labels, value)
    return family


def processes() -> list[Metric]:
    """CPU, memory, descriptors and start of each living process that counts; `worker` is its slot."""
    labels = ("worker",)
    cpu = CounterMetricFamily("process_cpu_seconds", "User and system CPU time in seconds", labels=labels)
    memory = GaugeMetricFamily("process_resident_memory_bytes", "Resident memory in bytes", labels=labels)
    virtual = GaugeMetricFamily("process_virtual_memory_bytes", "Virtual memory in bytes", labels=labels)
    files = GaugeMetricFamily("process_open_fds", "Open file descriptors", labels=labels)
    threads = GaugeMetricFamily("process_threads", "Threads", labels=labels)
    start = GaugeMetricFamily("process_start_time_seconds", "Start, in seconds of Unix time", labels=labels)
    uptime = GaugeMetricFamily("process_uptime_seconds", "Seconds since the start", labels=labels)
    peak = GaugeMetricFamily("process_resident_memory_peak_bytes", "Most resident memory so far", labels=labels)
    for worker, process_id in _living():
        try:
            process = psutil.Process(process_id)
            with process.oneshot():
                times, sizes = process.cpu_times(), process.memory_info()
                cpu.add_metric((worker,), times.user + times.system)
                memory.add_metric((worker,), sizes.rss)
                virtual.add_metric((worker,), sizes.vms)
                threads.add_metric((worker,), process.num_threads())
                start.add_metric((worker,), process.create_time())
                uptime.add_metric((worker,), max(0.0, time.time() - process.create_time()))
                peak.add_metric((worker,), peak_memory_bytes(process_id))
                files.add_metric((worker,), process.num_fds())
        except (psutil.Error, OSError):
            continue  # it ended since, or runs as another user
    return [cpu, memory, virtual, files, threads, start, uptime, peak]


def peak_memory_bytes(process_id: int) -> int:
    """High-water mark of resident memory (VmHWM of proc_pid_status(5)). Raises OSError for a process that is gone."""
    for line in Path(f"/proc/{process_id}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0  # a zombie has none


def _living() -> Iterator[tuple[str, int]]:
    mine = metrics().slot
    if mine is None:
        yield "0", os.getpid()
        return
    for slot in slots.slots(mine.directory):
        process_id = os.getpid() if slot.number == mine.number else slot.holder()
        if process_id is not None:
            yield str(slot.number), process_id


def host() -> list[Metric]:
    """CPU, load, memory and age of the machine."""
    memory = psutil.virtual_memory()
    cpu = CounterMetricFamily("kf_host_cpu_seconds", "CPU time of the machine in seconds, by mode", labels=("mode",))
    for mode, seconds in psutil.cpu_times()._asdict().items():
        cpu.add_metric((mode,), seconds)
    load = os.getloadavg()
    numbers = [
        ("kf_host_cpus", "Processors", os.cpu_count() or 1),
        ("kf_host_load1", "Load average of one minute", load[0]),
        ("kf_host_load5", "Load average of five minutes", load[1]),
        ("kf_host_load15", "Load average of fifteen minutes", load[2]),
        ("kf_host_uptime_seconds", "Seconds since the machine started", time.time() - psutil.boot_time()),
        ("kf_host_memory_bytes", "Memory of the machine in bytes", memory.total),
        ("kf_host_memory_available_bytes", "Memory that programs can still get, in bytes", memory.available),
    ]
    return [cpu, *(GaugeMetricFamily(name, text, value=value) for name, text, value in numbers)]


def watched() -> list[Metric]:
    """What threads beside the scrape last read. Those that are due begin together: a frozen database costs one wait."""
    shown = (alerts, backups, schedule)
    for one in shown:
        one.watcher.refresh()
    until = time.monotonic() + DEADLINE_SECONDS
    return [*probed(), *(family for one in shown for family in one.families(until=until))]


def probed() -> Iterator[Metric]:
    """What the health probes of this process last saw: whether database and cache answer, the disk, the audit log."""
    readings = {reading.name: reading for reading in board.verdict().readings}
    for name, text, (key, _) in (
        ("kf_db_up", "1 when the database answers", DATABASE),
        ("kf_cache_up", "1 when the cache answers", CACHE),
    ):
        # Of their round trips. Each comes with every verdict, and says as well that none was made in time.
        yield GaugeMetricFamily(name, text, value=int(readings[key].status is not Status.FAIL))
    for key, (name, text, scale) in _PROBED.items():
        if key in readings and (value := readings[key].value) is not None:
            yield GaugeMetricFamily(name, text, value=value * scale)


def build() -> Metric:
    """The running version as labels of a constant 1."""
    family = GaugeMetricFamily("kf_build_info", "The running version", labels=("version", "python"))
    family.add_metric((settings.VERSION, platform.python_version()), 1)
    return family
