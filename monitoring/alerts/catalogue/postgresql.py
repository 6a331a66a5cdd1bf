"""Rules about the inner state of PostgreSQL. On SQLite nothing of it is measured, and none of them moves."""

from monitoring.alerts.gauges import BLOCKS, BLOCKS_MISSED, DEADLOCKS
from monitoring.alerts.rules import Family, Gauge, Growth, GrowthRatio, Rule, Severity
from monitoring.rollups import Selector

POSTGRESQL = (
    Rule(
        name="database_deadlocks",
        family=Family.DATABASE,
        severity=Severity.WARNING,
        title="Transactions waited for each other and one was ended",
        expression=Growth(of=Selector(DEADLOCKS), seconds=600),
        threshold=0,
        clear_after_seconds=0,
    ),
    Rule(
        name="database_cache_misses",
        family=Family.DATABASE,
        severity=Severity.INFO,
        title="More than 1 % of the database's blocks come from the disk",
        # 400 MB in ten minutes: what less than that misses costs nobody anything.
        expression=GrowthRatio(part=Selector(BLOCKS_MISSED), whole=Selector(BLOCKS), seconds=600, least=50_000),
        threshold=0.01,
        clear=0.008,
        for_seconds=1800,
        clear_after_seconds=600,
        every_seconds=60,
    ),
    Rule(
        name="transaction_wraparound",
        family=Family.DATABASE,
        severity=Severity.WARNING,
        title="Transactions are half as old as PostgreSQL lets them become",
        # 800 million as PostgreSQL comes: four times the age at which autovacuum should have frozen them.
        expression=Gauge(name="db_wraparound_ratio"),
        threshold=0.5,
        clear=0.4,
        every_seconds=300,
    ),
    Rule(
        name="transaction_wraparound_critical",
        family=Family.DATABASE,
        severity=Severity.CRITICAL,
        title="PostgreSQL drops all else to keep from running out of transactions",
        expression=Gauge(name="db_wraparound_ratio"),
        threshold=1,
        clear=0.8,
        every_seconds=300,
        inhibits=("transaction_wraparound",),
    ),
    Rule(
        name="invalid_index",
        family=Family.DATABASE,
        severity=Severity.WARNING,
        title="An index has been invalid for an hour: written to, and not read",
        expression=Gauge(name="db_invalid_indexes"),
        threshold=0,
        for_seconds=3600,
        clear_after_seconds=0,
        every_seconds=300,
    ),
    Rule(
        name="replica_behind",
        family=Family.DATABASE,
        severity=Severity.WARNING,
        title="A replica has been more than 256 MiB behind for 5 minutes",
        expression=Gauge(name="db_replica_behind_bytes"),
        threshold=256 * 1024 * 1024,
        clear=64 * 1024 * 1024,
        for_seconds=300,
        clear_after_seconds=60,
    ),
)
