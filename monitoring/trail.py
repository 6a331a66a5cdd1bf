"""Which tables of monitoring the database watches, and why not the others."""

from security.trail import Audited

AUDITED = (
    # Whoever silences an alert past the product has something to hide.
    Audited(
        table="alert_silence",
        values=("rule", "family", "severity", "created_at", "until", "ended_at"),
        changed=("author", "reason"),
    ),
    # So has whoever makes backups that stopped look as if they went on.
    Audited(table="last_backup", values=("target", "finished_at", "size_bytes"), row="target"),
)

NOT_AUDITED = {
    "alert_state": "Where each alert stands; every 15 seconds written by the evaluator.",
    "alert_evaluator": "When the evaluator was last through.",
    "monitoring_statement": "What every process saw of its statements, every seven seconds.",
    "metric_series": "Names of what is counted.",
    "metric_day": "The same, a day each.",
    "performance_review": "What was computed from those numbers, once a week.",
    "schedule_run": "When each function of the schedule last ran; written at every run.",
    "metric_point": "Numbers that every process writes every five seconds.",
    "monitoring_error_group": "What failed, added up by every process; whoever moves a group leaves an event.",
}
