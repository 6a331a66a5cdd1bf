"""Alerts reach real receivers through the outbox, in their own words; where one gives up, another takes over."""

import base64
import hashlib
import hmac
import json
from datetime import timedelta
from io import StringIO

from django.core.management import call_command
from django.db import transaction
from django.test import override_settings

from monitoring.channels import queue_everywhere
from monitoring.metrics import metrics
from security.audit import AuditEvent
from security.outbox import OutboxMessage, deliver_due
from tests.monitoring.channels.receiver import SECRETS, Receiver, channels, said
from tests.monitoring.metrics.counting import CountingMixin
from tests.security.outbox.cases import NOON, OutboxCase
from tests.security.outbox.sink import SinkMixin


class ChannelCase(CountingMixin, OutboxCase):
    """Queues as the evaluator does."""

    def tell(self, *args, **kwargs):
        with transaction.atomic():
            return queue_everywhere(said(*args, **kwargs))

    def states(self):
        rows = OutboxMessage.objects.filter(kind="alert").order_by("pk")
        return [(row.channel, row.state) for row in rows]


class Webhook(ChannelCase):
    """Signed, whole, with an id that stays the same when it is tried again."""

    def test_who_has_either_secret_can_check_it(self):
        with Receiver() as receiver, channels(receiver.url, "webhook"):
            self.tell()
            self.assertEqual(deliver_due(), 1)
        [got] = receiver.got
        content = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode() + got.body
        marks = got.headers["webhook-signature"].split()
        for secret, mark in zip(SECRETS, marks, strict=True):
            key = base64.b64decode(secret.removeprefix("whsec_"))
            expected = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
            self.assertEqual(mark, f"v1,{expected}")
        self.assertEqual(int(got.headers["webhook-timestamp"]), int(NOON.timestamp()))
        self.assertEqual(got.document["type"], "alert.firing")
        self.assertEqual(got.document["data"]["alerts"][0]["runbook"], "https://wiki.example.in/lockouts.md")

    def test_a_second_try_has_the_same_id(self):
        with Receiver(status=500) as receiver, channels(receiver.url, "webhook"):
            self.tell()
            deliver_due()
            receiver.status = 200
            self.clock.shift(timedelta(seconds=6))
            self.assertEqual(deliver_due(), 1)
        first, second = (got.headers["webhook-id"] for got in receiver.got)
        self.assertEqual(first, second)
        self.assertEqual(self.value("kf_alert_deliveries_total", channel="webhook", outcome="failed"), 1)
        self.assertEqual(self.value("kf_alert_deliveries_total", channel="webhook", outcome="sent"), 1)

    def test_no_secret_and_nothing_of_the_url_is_kept_or_logged(self):
        with Receiver(status=500) as receiver, channels(receiver.url, "webhook", "slack", "pagerduty"):
            self.tell()
            with self.assertLogs("security.outbox", "WARNING") as log:
                deliver_due()
        kept = " ".join(OutboxMessage.objects.values_list("last_error", flat=True)) + str(log.output)
        kept += str([vars(record) for record in log.records])
        for secret in (*SECRETS, "url-secret", "r" * 32):
            self.assertNotIn(secret.removeprefix("whsec_"), kept)

    def test_a_receiver_in_the_house_is_refused_unless_allowed(self):
        with Receiver() as receiver, channels(receiver.url, "webhook"), override_settings(ALERT_PRIVATE_NETWORKS=[]):
            self.tell()
            deliver_due()
        self.assertEqual((receiver.got, self.states()), ([], [("webhook", "pending")]))
        self.assertIn("ALERT_PRIVATE_NETWORKS", OutboxMessage.objects.get().last_error)


class Others(ChannelCase):
    """Slack in one text, PagerDuty in one event for each alert."""

    def test_slack_gets_its_control_characters_escaped(self):
        with Receiver() as receiver, channels(receiver.url, "slack"):
            self.tell()
            deliver_due()
        text = receiver.got[0].document["text"]
        self.assertIn("A &lt;title&gt; &amp; more", text)
        self.assertIn("https://wiki.example.in/lockouts.md", text)

    def test_pagerduty_closes_by_the_key_it_opened_with(self):
        with Receiver(status=202) as receiver, channels(receiver.url, "pagerduty"):
            self.assertEqual(self.tell(rules=("lockouts", "disk_low")), 2)
            self.assertEqual(deliver_due(), 2)
            self.tell("resolved")
            self.assertEqual(deliver_due(), 1)
        events = [got.document for got in receiver.got]
        self.assertEqual([event["event_action"] for event in events], ["trigger", "trigger", "resolve"])
        self.assertEqual(events[0]["dedup_key"], events[2]["dedup_key"])
        self.assertEqual(events[0]["payload"]["severity"], "critical")
        self.assertEqual(events[0]["links"][0]["href"], "https://wiki.example.in/lockouts.md")

    def test_what_can_wait_pages_nobody(self):
        with channels("https://hooks.example.in/", "pagerduty", "webhook"):
            self.tell(severity="info")
        self.assertEqual(self.states(), [("webhook", "pending")])


class ByMail(SinkMixin, ChannelCase):
    """Each address gets its mail, with the runbook in it."""

    def test_it_arrives(self):
        with override_settings(ALERT_MAIL_TO=["ops@example.in", "omar@example.in"]):
            self.assertEqual(self.tell(rules=("lockouts", "disk_low")), 2)
            self.assertEqual(deliver_due(), 2)
        self.assertEqual({mail["To"] for mail in self.sink.mails}, {"ops@example.in", "omar@example.in"})
        mail = self.sink.mails[0]
        self.assertEqual(mail["Subject"], "[FIRING: critical] A <title> & more (and 1 more)")
        self.assertIn("https://wiki.example.in/disk_low.md", mail.get_content())


class Instead(SinkMixin, ChannelCase):
    """A channel that gives up is followed by the next, in the same transaction; the last one is told of."""

    def test_refused_for_good_goes_by_mail(self):
        with Receiver(status=410) as receiver, channels(receiver.url, "webhook"):
            self.tell()
            with channels(receiver.url, "webhook", "mail"), self.assertLogs("security.outbox", "ERROR"):
                self.assertEqual(deliver_due(), 1)
        self.assertEqual(self.states(), [("webhook", "dead"), ("mail", "sent")])
        self.assertEqual(len(self.sink.mails), 1)

    def test_tried_for_a_day_goes_by_mail(self):
        with Receiver(status=503) as receiver, channels(receiver.url, "webhook"):
            self.tell()
            deliver_due()
            self.clock.shift(timedelta(hours=25))
            with channels(receiver.url, "webhook", "mail"), self.assertLogs("security.outbox", "ERROR"):
                deliver_due()
        self.assertEqual(self.states(), [("webhook", "dead"), ("mail", "sent")])

    def test_where_none_is_left_it_says_so(self):
        self.sink.rcpt = "550 no such user"
        with channels("", "mail"):
            self.tell()
            with self.assertLogs("monitoring.channels", "ERROR") as log, self.assertLogs("security.outbox", "ERROR"):
                deliver_due()
        self.assertEqual(log.records[0].getMessage(), "alert_undeliverable")
        self.assertEqual(self.states(), [("mail", "dead")])

    def test_a_mail_to_a_person_is_nobody_elses(self):
        self.sink.rcpt = "550 no such user"
        self.queue()
        with channels("https://hooks.example.in/", "webhook"), self.assertLogs("security.outbox", "ERROR"):
            deliver_due()
        self.assertEqual(OutboxMessage.objects.count(), 1)


class Away(ChannelCase):
    """A receiver that is down for ten minutes gets everything, once, when it is back."""

    def test_nothing_is_lost_and_nothing_comes_twice(self):
        with Receiver(status=503) as receiver, channels(receiver.url, "webhook"):
            for number in range(20):
                self.tell(rules=(f"rule_{number}",))
            # Back-off in its own steps; the clock stands in for the ten minutes.
            for _ in range(40):
                deliver_due()
                self.clock.shift(timedelta(seconds=15))
            tried = len(receiver.got)
            receiver.status = 200
            for _ in range(60):
                deliver_due()
                self.clock.shift(timedelta(seconds=15))
        arrived = [got.document["data"]["alerts"][0]["rule"] for got in receiver.got[tried:]]
        self.assertEqual(sorted(arrived), sorted(f"rule_{number}" for number in range(20)))
        self.assertLess(tried, 20 * 10)  # it was not knocked down


class Overtaken(SinkMixin, ChannelCase):
    """What waits for a receiver that was away says, once it is back, what was told of the alert last."""

    def told_while_away(self, *statuses):
        """(what PagerDuty did, types at the webhook, subjects of mails) once all are back, each in its order."""
        self.sink.rcpt = "451 later"
        with Receiver(status=503) as receiver, channels(receiver.url, "webhook", "pagerduty", "mail"):
            for status in statuses[:-1]:
                self.tell(status)
                for _ in range(8):  # it is tried ever later
                    deliver_due()
                    self.clock.shift(timedelta(seconds=40))
            away = len(receiver.got)
            receiver.status, self.sink.rcpt = 200, ""
            self.tell(statuses[-1])
            for _ in range(20):
                deliver_due()
                self.clock.shift(timedelta(seconds=60))
        got = [one.document for one in receiver.got[away:]]
        self.assertEqual({state for _, state in self.states()}, {"sent"})
        return (
            [one["event_action"] for one in got if "event_action" in one],
            [one["type"] for one in got if "type" in one],
            [mail["Subject"].partition(":")[0] for mail in self.sink.mails],
        )

    def test_an_alert_that_is_over_is_not_opened_again(self):
        paged, posted, mailed = self.told_while_away("firing", "resolved")
        self.assertEqual(paged, ["resolve"] * 2)
        self.assertEqual(posted, ["alert.resolved"] * 2)
        self.assertEqual(mailed, ["[RESOLVED"] * 2)

    def test_an_alert_that_fires_again_is_not_closed(self):
        paged, posted, mailed = self.told_while_away("firing", "resolved", "firing")
        self.assertEqual(paged, ["trigger"] * 3)
        self.assertEqual(posted, ["alert.firing"] * 3)
        self.assertEqual(mailed, ["[FIRING"] * 3)

    def test_of_one_message_only_what_was_told_again_changes(self):
        with Receiver(status=503) as receiver, channels(receiver.url, "webhook"):
            self.tell(rules=("lockouts", "disk_low"))
            deliver_due()
            self.tell("resolved", rules=("lockouts",))
            receiver.status = 200
            self.clock.shift(timedelta(seconds=10))
            deliver_due()
        old = next(got.document for got in receiver.got[1:] if len(got.document["data"]["alerts"]) == 2)
        self.assertEqual(old["type"], "alert.firing")
        told = [(one["rule"], one["status"]) for one in old["data"]["alerts"]]
        self.assertEqual(told, [("disk_low", "firing"), ("lockouts", "resolved")])


class Command(SinkMixin, ChannelCase):
    """`alert_test CHANNEL` says whether it would arrive: 0, 1 where not, 2 where it is not set up."""

    def run_it(self, *arguments, code=0):
        out = StringIO()
        ended = 0
        try:
            call_command("alert_test", *arguments, stdout=out)
        except SystemExit as leaving:
            ended = leaving.code
        self.assertEqual(ended, code, out.getvalue())
        return out.getvalue()

    def test_each_channel_takes_it(self):
        with Receiver() as receiver, channels(receiver.url, "webhook", "slack", "pagerduty", "mail"):
            for channel in ("webhook", "slack", "pagerduty", "mail"):
                self.assertEqual(self.run_it(channel), f"{channel}: the receiver took it\n")
        self.assertEqual((len(receiver.got), len(self.sink.mails)), (3, 1))
        self.assertEqual(set(AuditEvent.objects.values_list("type", "outcome")), {("alert.tested", "success")})
        self.assertFalse(OutboxMessage.objects.exists())

    def test_a_receiver_that_refuses(self):
        with Receiver(status=403) as receiver, channels(receiver.url, "webhook"):
            document = json.loads(self.run_it("webhook", "--json", code=1))
        self.assertEqual(document, {"channel": "webhook", "delivered": False, "outcome": "the receiver answered 403"})
        self.assertEqual(AuditEvent.objects.get().outcome, "failed")

    def test_a_channel_that_is_not_set_up(self):
        self.assertIn("slack: not set up; there are: none", self.run_it("slack", code=2))

    def test_the_counter_counts_alerts_alone(self):
        self.queue()
        deliver_due()
        self.assertEqual(self.samples("kf_alert_deliveries_total"), [])
        metrics()
