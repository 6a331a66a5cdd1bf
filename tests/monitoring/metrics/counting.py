"""The words in which tests read counters."""

from typing import Any

from prometheus_client.samples import Sample

from monitoring.metrics import slots
from monitoring.metrics.exposition import counted


class CountingMixin:
    """Starts each test at zero, in memory, and reads what this process would show."""

    def setUp(self) -> None:
        slots.release()
        super().setUp()  # type: ignore[misc]

    def samples(self, name: str) -> list[Sample]:
        return [sample for family in counted() for sample in family.samples if sample.name == name]

    def value(self, name: str, **labels: Any) -> float:
        """The one sample with these labels; 0 where nothing was counted yet."""
        return sum(sample.value for sample in self.samples(name) if sample.labels == labels)
