"""Care of the databases: what is run on them and how long it takes, plans of slow statements, the pool, advice."""

from monitoring.database.advice import Advice, AdvisedIndex, advice
from monitoring.database.flusher import start_flusher
from monitoring.database.models import RecordedStatement
from monitoring.database.pool import pool_used_ratio
from monitoring.database.recorder import connect_recorder, tallied
from monitoring.database.statistics import refresh_statistics
from monitoring.database.store import flush, purge_statements

__all__ = [
    "Advice",
    "AdvisedIndex",
    "RecordedStatement",
    "advice",
    "connect_recorder",
    "flush",
    "pool_used_ratio",
    "purge_statements",
    "refresh_statistics",
    "start_flusher",
    "tallied",
]
