"""Writes `docs/alerts.md` from the rules themselves."""

from monitoring.alerts import RULES, Family, Rule
from monitoring.alerts.rules import (
    Absence,
    Events,
    Gauge,
    Growth,
    GrowthRatio,
    Outage,
    Peak,
    Quantile,
    Rate,
    Ratio,
    Scope,
)

_HEAD = """# Alerts

The product watches itself: every 15 seconds one process of the cluster evaluates the rules below, and what fires is
told by every channel that is set up. Each rule has a runbook in [runbooks](runbooks), and each message names its
own.

What fires now, and what is silenced:

```sh
KOSHFLOW_ENV=local .venv/bin/python manage.py alert_list
```

To be left alone during planned work; it ends by itself, or with `--end` and the id that was printed. Both are audit
events. What is silenced still fires, in the command above, in the log (`alert_changed`) and in `/metrics`.

```sh
KOSHFLOW_ENV=local .venv/bin/python manage.py alert_silence --rule long_query --hours 2 --reason TICKET-4712
```

A silence holds only while the audit log proves that the product made it: a row written into the database past the
product mutes nothing. Rules marked "never silent" cannot be silenced, by name, by family or by severity. A silence ends
early when the key that marked its event leaves the ring.

On a laptop the runbooks' commands want `KOSHFLOW_ENV=local` before them, as above; on a server they stand as they are.

## Channels

| channel | set | how |
| --- | --- | --- |
| `mail` | `ALERT_MAIL_TO` | by the relay of `EMAIL_URL`, one mail an address |
| `webhook` | `ALERT_WEBHOOK_URL`, `ALERT_WEBHOOK_SECRETS` | JSON, signed by Standard Webhooks 1.0: `webhook-id`, `webhook-timestamp`, `webhook-signature` |
| `slack` | `ALERT_SLACK_URL` | an incoming webhook of Slack, Mattermost or another that takes the same |
| `pagerduty` | `ALERT_PAGERDUTY_KEY` | Events API v2; the alert's fingerprint opens and closes the incident. Severity info does not go there |

A secret is `whsec_` and the base64 of 24 to 64 bytes:

```sh
echo "whsec_$(head -c 32 /dev/urandom | base64)"
```

An address begins with `https://`; `http://` is taken only beside `ALERT_PRIVATE_NETWORKS`. Set `ALERT_RUNBOOKS_URL` to
where the people who are woken can open docs/runbooks: without it a message leads to `docs/runbooks/….md`, which is a
file of the release and no link.

Try each once it is set; 0 says that the receiver took it, 1 that it did not, 2 that it is not set up:

```sh
ALERT_MAIL_TO=ops@example.in KOSHFLOW_ENV=local .venv/bin/python manage.py alert_test mail
```

A message is a row of the outbox, written in the transaction in which the alert changed. It is tried again after 5
seconds, then ever later up to every 30 minutes, under the same id, and says what was told of the alert last: a receiver
that was away is not told late that something fires which is over. After 24 hours, or when it is refused for good, it
is given up and goes to the next channel of pagerduty, webhook, slack, mail that was not tried. It may come twice (a
process that dies between the receiver's yes and ours): receivers drop a second `webhook-id`, and PagerDuty does by
its key.

Receivers are asked at public addresses alone, in ten seconds, and no redirect is followed; `ALERT_PRIVATE_NETWORKS`
names what may lie inside. To exchange a webhook's secret, put the new one first and the old one behind it, give the
receiver the new one, then remove the old.

No message holds a person, an address or a path: rules' words and numbers only, and the names of your targets of backups.

**Who watches the watcher.** Set `ALERT_HEARTBEAT_URL` to a check of healthchecks, gatus or their like: it is asked
each minute while the rules are evaluated, and alerts by itself when that stops. Without it nobody tells you that the
only worker is gone. That the database is away is told by the servers themselves, past it.

## How an alert lives

ok, pending (true, not yet for long enough), firing, resolved. It resolves when its value was at most the number in
"over at" for the time beside it, so that a fault that comes and goes is one alert. Where nothing is heard, a rule
stays as it is, and `server_silent` fires: silence is never "well".

Alerts of one family that begin within 30 seconds are one message (critical ones wait for nobody), the next of the
family that is no worse comes five minutes later, and what still fires is told again after four hours. Where each event
counts (a stolen token, new staff, a change past the product), one about somebody else is told after five minutes, and
the message says how many there were since it began. A worse alert mutes those it explains. Without a channel nobody is
told; one that is set up later hears of what still fires, and not of what came and went.

Prometheus does this for you? `ALERTS=0` stops the evaluator; the numbers stay in `/metrics`.

## What it is measured by

Every process brings what it counted to the database every five seconds; there it is kept by tens of seconds for an
hour, by minutes for a day, by hours for 400 days. A process that is killed takes at most five seconds with it. Rules
of the family security read the audit log itself, of which nothing is lost.

Rules that ask PostgreSQL itself stay as they are on SQLite. Give the product's role `GRANT pg_monitor`: without it
`idle_in_transaction` and `long_query` see our own sessions alone, and a replica is seen by its slot. `backup_late` knows what your own jobs
told of the [backups](backups.md) they made; its threshold is `BACKUP_MAX_AGE_HOURS`.

## Rules
"""  # noqa: E501 - rows of a table


_RATIOS = {
    "kf_sum_requests": "failed requests / requests",
    "kf_db_slow_queries_total": "slow statements / statements",
    "kf_db_n_plus_one_total": "repeated statements / requests",
}


def page() -> str:
    """The whole document."""
    lines = [_HEAD]
    for family in Family:
        lines += [
            f"### {family.value.capitalize()}",
            "",
            "| rule | severity | fires when | for | over at | mutes |",
            "| --- | --- | --- | --- | --- | --- |",
            *(_row(rule) for rule in RULES if rule.family is family),
            "",
        ]
    return "\n".join(lines).rstrip() + "\n"


def _row(rule: Rule) -> str:
    severity = rule.severity.value + (", never silent" if rule.is_never_silent else "")
    mutes = ", ".join(f"`{name}`" for name in rule.inhibits) or "–"
    return (
        f"| [`{rule.name}`](runbooks/{rule.name}.md) | {severity} | {_when(rule)} > {_number(rule.threshold)} "
        f"| {_time(rule.for_seconds)} | {_number(rule.clears_at)}{_calm(rule)} | {mutes} |"
    )


def _calm(rule: Rule) -> str:
    return f" for {_time(rule.clear_after_seconds)}" if rule.clear_after_seconds else ", at once"


def standing(rule: Rule) -> str:
    """The line of a runbook that says what its rule is, and how to see that it is over."""
    value = f"{_number(rule.clears_at)} or less{_calm(rule)}"
    return f"Rule `{rule.name}`, {rule.severity.value}; over at {value}: then RESOLVED comes."


def _number(value: float) -> str:
    return f"{value:,.10g}"


def _when(rule: Rule) -> str:
    expression = rule.expression
    if isinstance(expression, Ratio):
        windows = " and ".join(_time(seconds) for seconds in expression.windows)
        but = ", 503 `BUSY` left out" if expression.less else ""
        return f"{_RATIOS[expression.part.name]}{but}, over {windows}, at least {expression.least}"
    if isinstance(expression, Rate):
        return f"{_selected(expression)} in {_time(expression.seconds)}"
    if isinstance(expression, Quantile):
        return f"p{expression.q * 100:g} of {_selected(expression)} over {_time(expression.seconds)}"
    if isinstance(expression, Peak):
        return f"largest {_selected(expression)} in {_time(expression.seconds)}"
    if isinstance(expression, Growth):
        return f"growth of {_selected(expression)} in {_time(expression.seconds)}"
    if isinstance(expression, GrowthRatio):
        part, whole = expression.part.name, expression.whole.name
        return f"growth of `{part}` / that of `{whole}` ({expression.least:g} at least) in {_time(expression.seconds)}"
    if isinstance(expression, Absence):
        return f"1 while no {_selected(expression)} in {_time(expression.seconds)}"
    if isinstance(expression, Events):
        whose = "" if expression.scope is Scope.ALL else f" of one {expression.scope.value}"
        return f"events {', '.join(f'`{name}`' for name in expression.types)}{whose} in {_time(expression.seconds)}"
    if isinstance(expression, Gauge):
        return f"`{expression.name}`"
    assert isinstance(expression, Outage)
    return "seconds for which the database takes nothing"


def _selected(expression: Rate | Quantile | Peak | Growth | Absence) -> str:
    labels = ",".join(f'{name}="{value}"' for name, value in expression.of.having)
    without = ", sign-ins left out" if expression.of.without else ""
    return f"`{expression.of.name.removesuffix('_bucket')}{{{labels}}}`{without}".replace("{}", "")


def _time(seconds: int) -> str:
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s" if seconds else "at once"
