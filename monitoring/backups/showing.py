"""What `/metrics` says of backups: the rows, as a thread beside the scrape read them last, and when one is late. The
same on every host.
"""

import os
from collections.abc import Sequence

from django.conf import settings
from django.db import connections
from prometheus_client.core import GaugeMetricFamily, Metric

from monitoring.backups.services import known_backups
from monitoring.health.readings import Reading, Status
from monitoring.health.watcher import Watcher

_FINISHED, _SIZE = "kf_backup_last_success_timestamp_seconds", "kf_backup_size_bytes"
# A setting, which the rule that we ship for Prometheus must not hold in a number of its own.
MAX_AGE = "kf_backup_max_age_seconds"
_FAMILIES = {
    _FINISHED: "End of the last backup that its job told of, in seconds of Unix time",
    _SIZE: "Size of that backup, where the job told it",
}


def _read() -> Sequence[Reading]:
    try:
        return [
            Reading(
                name=f"{metric}:{one.target}", status=Status.PASS, time=one.finished_at, is_required=False, value=value
            )
            for one in known_backups()
            for metric, value in ((_FINISHED, one.finished_at.timestamp()), (_SIZE, one.size_bytes))
            if value is not None
        ]
    finally:
        connections["default"].close()


watcher = Watcher(_read, overdue=("backup:read", False))
os.register_at_fork(after_in_child=watcher.forget)


def families(*, until: float | None = None) -> list[Metric]:
    """One sample a target in each; none while the database does not answer, or where no backup was ever told. And the
    age beyond which a backup is late, always.
    """
    bound = GaugeMetricFamily(
        MAX_AGE, "Age beyond which a backup is late, in seconds", value=settings.BACKUP_MAX_AGE_HOURS * 3600
    )
    found = {name: GaugeMetricFamily(name, text, labels=("target",)) for name, text in _FAMILIES.items()}
    for reading in watcher.readings(until=until):
        metric, _, target = reading.name.partition(":")
        if metric in found and reading.value is not None:
            found[metric].add_metric((target,), reading.value)
    return [bound, *(family for family in found.values() if family.samples)]
