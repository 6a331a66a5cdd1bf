"""What `/metrics` says of backups: the rows, and when one is late. The same on every host."""

from collections.abc import Iterable

from django.conf import settings
from prometheus_client.core import GaugeMetricFamily, Metric

from monitoring.backups.services import known_backups
from monitoring.metrics.rows import families_by, numbers, watch_rows

_FINISHED, _SIZE = "kf_backup_last_success_timestamp_seconds", "kf_backup_size_bytes"
# A setting, which the rule that we ship for Prometheus must not hold in a number of its own.
MAX_AGE = "kf_backup_max_age_seconds"
_FAMILIES = {
    _FINISHED: "End of the last backup that its job told of, in seconds of Unix time",
    _SIZE: "Size of that backup, where the job told it",
}


def _read() -> Iterable[tuple[str, float]]:
    for one in known_backups():
        yield f"{_FINISHED}:{one.target}", one.finished_at.timestamp()
        if one.size_bytes is not None:
            yield f"{_SIZE}:{one.target}", one.size_bytes


watcher = watch_rows("backup:read", _read)


def families(*, until: float | None = None) -> list[Metric]:
    """One sample a target in each; none while the database does not answer, or where no backup was ever told. And the
    age beyond which a backup is late, always.
    """
    bound = GaugeMetricFamily(
        MAX_AGE, "Age beyond which a backup is late, in seconds", value=settings.BACKUP_MAX_AGE_HOURS * 3600
    )
    return [bound, *families_by("target", _FAMILIES, numbers(watcher, until=until))]
