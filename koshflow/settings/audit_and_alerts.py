"""Where the audit log is signed, kept and sent to, and who hears of alerts and failures."""

from pathlib import Path

from koshflow.settings.environment import DATA_DIR, ENV

AUDIT_SIGNER_DIR = Path(ENV["AUDIT_SIGNER_DIR"] or DATA_DIR / "audit-log")
AUDIT_WITNESSES: list[str] = ENV["AUDIT_WITNESSES"]
AUDIT_RETENTION_DAYS: list[str] = ENV["AUDIT_RETENTION_DAYS"]
AUDIT_SYSLOG: str = ENV["AUDIT_SYSLOG"]
AUDIT_SYSLOG_CA: str = ENV["AUDIT_SYSLOG_CA"]
AUDIT_SIEM_FORMAT: str = ENV["AUDIT_SIEM_FORMAT"]

# Evaluated here unless somebody else does it, and told by the channels that are set up.
ALERTS: bool = ENV["ALERTS"]
ALERT_MAIL_TO: list[str] = ENV["ALERT_MAIL_TO"]
ALERT_WEBHOOK_URL: str = ENV["ALERT_WEBHOOK_URL"]
ALERT_WEBHOOK_SECRETS: list[str] = ENV["ALERT_WEBHOOK_SECRETS"]
ALERT_SLACK_URL: str = ENV["ALERT_SLACK_URL"]
ALERT_PAGERDUTY_KEY: str = ENV["ALERT_PAGERDUTY_KEY"]
ALERT_PAGERDUTY_URL: str = ENV["ALERT_PAGERDUTY_URL"]
ALERT_HEARTBEAT_URL: str = ENV["ALERT_HEARTBEAT_URL"]
ALERT_PRIVATE_NETWORKS: list[str] = ENV["ALERT_PRIVATE_NETWORKS"]
ALERT_RUNBOOKS_URL: str = ENV["ALERT_RUNBOOKS_URL"]
BACKUP_MAX_AGE_HOURS: int = ENV["BACKUP_MAX_AGE_HOURS"]
SENTRY_DSN: str = ENV["SENTRY_DSN"]
