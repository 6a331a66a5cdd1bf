"""What the processes counted, kept in the database: added up over all of them, coarser the older it is.

Counting itself costs a request nothing more: a thread of each process reads its own counters every five seconds.
"""

from monitoring.rollups.flushing import BEATS, DISK_USED, MEMORY_USED, POOL_USED, Flusher, start_flushing
from monitoring.rollups.models import MetricPoint, MetricSeries
from monitoring.rollups.reading import Reader, read_slots
from monitoring.rollups.selecting import Selector
from monitoring.rollups.store import fold_rollups, keep_gauges, series_part
from monitoring.rollups.summing import REQUESTS, STATEMENTS

__all__ = [
    "BEATS",
    "DISK_USED",
    "MEMORY_USED",
    "POOL_USED",
    "REQUESTS",
    "STATEMENTS",
    "Flusher",
    "MetricPoint",
    "MetricSeries",
    "Reader",
    "Selector",
    "fold_rollups",
    "keep_gauges",
    "read_slots",
    "series_part",
    "start_flushing",
]
