"""Rules about the database as the product uses it, and about the disk."""

from django.conf import settings

from monitoring.alerts.rules import Family, Gauge, Outage, Peak, Rate, Ratio, Rule, Severity
from monitoring.rollups import DISK_USED, STATEMENTS, Selector

_POOL_WAIT = Selector("kf_db_pool_wait_seconds_total")
_SLOW, _STATEMENTS = Selector("kf_db_slow_queries_total"), Selector(STATEMENTS.name)
DATABASE = (
    Rule(
        name="database_unreachable",
        family=Family.DATABASE,
        severity=Severity.CRITICAL,
        title="The database has taken nothing for 30 seconds",
        expression=Outage(),
        threshold=30,
        clear=0,
        clear_after_seconds=0,  # it is over with the first thing that the database takes
    ),
    Rule(
        name="database_connections",
        family=Family.DATABASE,
        severity=Severity.WARNING,
        title="More than 80 % of the database's connections are taken",
        expression=Gauge(name="db_connections_ratio"),
        threshold=0.8,
        clear=0.7,
        for_seconds=60,
    ),
    Rule(
        name="database_connections_critical",
        family=Family.DATABASE,
        severity=Severity.CRITICAL,
        title="More than 95 % of the database's connections are taken",
        expression=Gauge(name="db_connections_ratio"),
        threshold=0.95,
        clear=0.85,
        inhibits=("database_connections",),
    ),
    Rule(
        name="pool_waiting",
        family=Family.DATABASE,
        severity=Severity.WARNING,
        title="Requests waited 5 seconds in a minute for a connection of the pool",
        expression=Rate(of=_POOL_WAIT, seconds=60),
        threshold=5,
        clear=1,
        for_seconds=60,
    ),
    Rule(
        name="pool_exhausted",
        family=Family.DATABASE,
        severity=Severity.CRITICAL,
        title="The pool has no connection left, and requests give up waiting",
        # Each gives up after 0.8 seconds: some forty of them in a minute.
        expression=Rate(of=_POOL_WAIT, seconds=60),
        threshold=30,
        clear=5,
        clear_after_seconds=60,
        inhibits=("pool_waiting",),
    ),
    Rule(
        name="slow_statements",
        family=Family.DATABASE,
        severity=Severity.WARNING,
        title="More than 1 % of SQL statements are slow",
        expression=Ratio(part=_SLOW, whole=_STATEMENTS, windows=(300, 60), calm=300, least=10),
        threshold=0.01,
        clear=0.005,
    ),
    Rule(
        name="idle_in_transaction",
        family=Family.DATABASE,
        severity=Severity.WARNING,
        title="A transaction has been open and idle for more than 5 minutes",
        expression=Gauge(name="db_idle_in_transaction_seconds"),
        threshold=300,
        clear=60,
        clear_after_seconds=60,
    ),
    Rule(
        name="long_query",
        family=Family.DATABASE,
        severity=Severity.WARNING,
        title="A statement has been running for more than a minute",
        expression=Gauge(name="db_longest_query_seconds"),
        threshold=60,
        clear=30,
        clear_after_seconds=60,
    ),
    Rule(
        name="disk_low",
        family=Family.DATABASE,
        severity=Severity.WARNING,
        title="Less than 15 % of a data folder's disk is free",
        expression=Peak(of=Selector(DISK_USED), seconds=60),
        threshold=0.85,
        clear=0.83,
        for_seconds=60,
    ),
    Rule(
        name="disk_almost_full",
        family=Family.DATABASE,
        severity=Severity.CRITICAL,
        title="Less than 5 % of a data folder's disk is free",
        expression=Peak(of=Selector(DISK_USED), seconds=60),
        threshold=0.95,
        clear=0.93,
        for_seconds=30,
        inhibits=("disk_low",),
    ),
    Rule(
        name="backup_late",
        family=Family.DATABASE,
        severity=Severity.WARNING,
        title="The last backup is older than it may be",
        # Where nobody ever told of a backup it is 0: that is a finding of security_audit, and no alert for ever.
        expression=Gauge(name="backup_age_seconds"),
        threshold=settings.BACKUP_MAX_AGE_HOURS * 3600,
        clear_after_seconds=0,
    ),
)
