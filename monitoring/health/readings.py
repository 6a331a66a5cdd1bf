"""What a probe found, in the words of the health check draft (draft-inadarei-api-health-check-06 §4). Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """Of one reading. WARN: serves with loss; FAIL: that part does not work."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"


class Health(StrEnum):
    """Of the process: UNAVAILABLE is 503, the other two are 200, so that a balancer never empties a whole fleet."""

    OK = "ok"
    DEGRADED = "degraded"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Reading:
    """One measurement: `name` is `component:measurement`, `unit` that of `value`.

    `output` names the kind of a fault, never its text, which may name hosts and people. `is_required` says that
    nothing can be served while this fails; `degrades` that anything but a pass is a loss to whoever is served. `time`
    is when it was measured (UTC).
    """

    name: str
    status: Status
    time: datetime
    is_required: bool
    value: float | None = None
    unit: str = ""
    output: str = ""
    degrades: bool = True

    @property
    def component(self) -> str:
        return self.name.partition(":")[0]

    def document(self) -> dict[str, Any]:
        """The reading as the draft writes it; members without a value are left out."""
        body: dict[str, Any] = {"status": self.status.value}
        if self.value is not None:
            body |= {"observedValue": self.value, "observedUnit": self.unit}
        if self.output:
            body["output"] = self.output
        body["time"] = rfc3339(self.time)
        return body


def overall(readings: Iterable[Reading]) -> Health:
    """UNAVAILABLE where a required reading fails, DEGRADED where anything else is not a pass."""
    health = Health.OK
    for reading in readings:
        if reading.status is Status.FAIL and reading.is_required:
            return Health.UNAVAILABLE
        if reading.status is not Status.PASS and reading.degrades:
            health = Health.DEGRADED
    return health


def rfc3339(moment: datetime) -> str:
    """`moment` (UTC) in milliseconds with a trailing Z."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
