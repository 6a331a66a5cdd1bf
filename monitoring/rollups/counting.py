"""What this process, or those before it in its slot, counted so far. It reads, and stores nothing."""

import json
import math
import os
import struct
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import psutil
from prometheus_client.mmap_dict import MmapedDict

from monitoring.metrics import metrics
from monitoring.rollups.selecting import Key, labels_of

# Counters and histograms: of both, what was added since is what happened since.
_KINDS = ("counter", "histogram")
Totals = dict[Key, float]
_CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")


class CountersUnreadable(RuntimeError):  # noqa: N818 - named for what happened
    """The slot's file is torn, or gone."""


def totals() -> Totals:
    """Every counter and every bucket alone (not cumulated) of this process, by its key. Raises CountersUnreadable."""
    counted = metrics()
    if counted.slot is None:
        return _in_memory(counted.registry)
    found: Totals = {}
    try:
        for kind in _KINDS:
            for key, value, *_ in MmapedDict.read_all_values_from_file(str(counted.slot.path(kind))):
                found[_parsed(key)] = value
    except (OSError, RuntimeError, ValueError, struct.error) as error:
        raise CountersUnreadable(type(error).__name__) from error
    return found


@lru_cache(maxsize=8192)
def _parsed(key: str) -> Key:
    _, name, labels, _ = json.loads(key)
    return Key(name, labels_of(labels))


def _in_memory(registry: Any) -> Totals:
    found: Totals = {}
    for family in registry.collect():
        if family.type not in _KINDS:
            continue
        below: dict[tuple[tuple[str, str], ...], float] = {}
        for sample in family.samples:
            if sample.name.endswith("_count"):
                continue  # the sum of the buckets
            key = Key(sample.name, labels_of(sample.labels))
            if not sample.name.endswith("_bucket"):
                found[key] = sample.value
                continue
            # Samples come cumulated, in the order of their bounds.
            others = tuple(pair for pair in key.labels if pair[0] != "le")
            found[key] = sample.value - below.get(others, 0.0)
            below[others] = sample.value
    return found


def differences(now: Totals, before: Totals) -> Totals:
    """What was added in between, where anything was. A total that fell began anew."""
    found: Totals = {}
    for key, value in now.items():
        earlier = before.get(key, 0.0)
        if value != earlier:
            found[key] = value - earlier if value > earlier else value
    return {key: value for key, value in found.items() if value > 0 and math.isfinite(value)}


def memory_used_ratio(*, workers: int) -> float:
    """What all `workers` would take if each were as large as this process, as a part of what there is."""
    limit = psutil.virtual_memory().total
    with suppress(OSError, ValueError):  # no container, or "max": the machine is the limit
        limit = min(limit, int(_CONTAINER_LIMIT.read_text()))
    return float(psutil.Process(os.getpid()).memory_info().rss * workers / limit)
