"""The variables of alerts and of what else is told of failures, a group of `variables.py`."""

from koshflow.variable import Variable

ALERTS = (
    "Alerts",
    (
        Variable(
            name="ALERTS",
            kind="bool",
            default=True,
            why="Evaluate the rules of docs/alerts.md; 0 where Prometheus or another does that.",
        ),
        Variable(
            name="ALERT_MAIL_TO",
            kind="list",
            default=[],
            example="ops@example.in",
            why="Addresses that alerts are mailed to, separated by commas.",
        ),
        Variable(
            name="ALERT_WEBHOOK_URL",
            default="",
            secret=True,
            example="https://hooks.example.in/koshflow",
            why="Receives alerts as JSON, signed by Standard Webhooks.",
        ),
        Variable(
            name="ALERT_WEBHOOK_SECRETS",
            kind="list",
            default=[],
            secret=True,
            example="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            why="What signs them: whsec_ and base64 of 24 to 64 bytes; two, with a comma, while you exchange one.",
        ),
        Variable(
            name="ALERT_SLACK_URL",
            default="",
            secret=True,
            example="https://hooks.slack.com/services/T000/B000/XXXX",
            why="Incoming webhook of Slack, Mattermost or another that takes the same.",
        ),
        Variable(
            name="ALERT_PAGERDUTY_KEY",
            default="",
            secret=True,
            minimum=32,
            why="Integration key of PagerDuty's Events API v2; alerts of severity info do not go there.",
        ),
        Variable(
            name="ALERT_PAGERDUTY_URL",
            default="https://events.pagerduty.com/v2/enqueue",
            why="Where PagerDuty takes events; in Europe https://events.eu.pagerduty.com/v2/enqueue.",
        ),
        Variable(
            name="ALERT_HEARTBEAT_URL",
            default="",
            secret=True,
            example="https://hc-ping.com/3f1c2d4e-0000-4000-8000-000000000000",
            why="Asked each minute while the rules are evaluated; a watcher outside alerts when that stops.",
        ),
        Variable(
            name="ALERT_PRIVATE_NETWORKS",
            kind="list",
            default=[],
            example="10.0.7.0/28",
            why="Networks (CIDR) beside the public internet in which receivers of alerts may lie.",
        ),
        Variable(
            name="ALERT_RUNBOOKS_URL",
            default="docs/runbooks/",
            why="Where docs/runbooks lies for whoever reads an alert; the rule's name and .md are added.",
        ),
        Variable(
            name="BACKUP_MAX_AGE_HOURS",
            kind="int",
            default=26,
            why="Hours, 1 to 720, after which the last backup that your own job told of (docs/backups.md) is late.",
        ),
        Variable(
            name="SENTRY_DSN",
            default="",
            secret=True,
            example="https://0123456789abcdef0123456789abcdef@sentry.example.in/42",
            why="Sentry that is told of failures (docs/failures.md), without what they were about; needs the packages "
            "of requirements/sentry.txt.",
        ),
    ),
)
