"""What each worker of a server has counted, read from its own file of metrics: the server's word beside the answers."""

import json

from prometheus_client.mmap_dict import MmapedDict

from monitoring.metrics.slots import Slot, slots
from tests.performance.servers import Project


def requests_by_worker(project: Project) -> dict[int, int]:
    """Requests that each worker has answered, by its slot."""
    return _counted(project, "kf_http_request_duration_seconds_bucket")


def hashes(project: Project) -> int:
    """Passwords that all workers have hashed."""
    return sum(_counted(project, "kf_password_hash_seconds_bucket").values())


def _counted(project: Project, name: str) -> dict[int, int]:
    # Each observation stands in one bucket of the file; only the exposition adds them up.
    return {slot.number: _of(slot, name) for slot in slots(project.folder / "metrics")}


def _of(slot: Slot, name: str) -> int:
    path = slot.path("histogram")
    if not path.exists() or not path.stat().st_size:  # of a worker that has just begun
        return 0
    values = MmapedDict.read_all_values_from_file(str(path))
    return int(sum(value for key, value, *_ in values if json.loads(key)[1] == name))
