"""Which tables of monitoring the database watches, and why not the others."""

from security.trail import Audited

AUDITED: tuple[Audited, ...] = ()

NOT_AUDITED = {
    "metric_series": "Names of what is counted.",
    "metric_point": "Numbers that every process writes every five seconds.",
}
