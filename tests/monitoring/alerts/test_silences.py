"""Who does not want to hear of what: typed, ended, audited; and what fires goes on firing."""

import json
from datetime import timedelta
from io import StringIO
from uuid import uuid4

from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.audit.labels import operator_in
from monitoring.alerts import (
    RULES,
    Family,
    SilenceRefused,
    SilenceUnknown,
    active_alerts,
    end_silence,
    silence,
    standing_silences,
)
from monitoring.alerts.models import AlertSilence
from security.audit import Action, AuditEvent
from security.audit.leaf import leaf_hash
from security.operator_account import ReasonRefused, operator_name
from tests.monitoring.alerts.cases import AlertCase
from tests.security.trail.trail import TrailCase


class Silences(AlertCase):
    """A silence mutes what fits it, until it ends, and leaves an event at both ends."""

    rules = tuple(rule for rule in RULES if rule.family is Family.SECURITY)

    def silence(self, **fields):
        until = fields.pop("until", timezone.now() + timedelta(hours=1))
        return silence(author="root", reason="CASE-12", until=until, **fields)

    def reuse(self):
        self.event(Action.REFRESH_TOKEN_REUSED)
        self.step()

    def test_what_fits_fires_and_is_not_told(self):
        self.silence(rule="refresh_token_reuse")
        self.reuse()
        self.assertEqual((self.firing(), self.queued()), ({"refresh_token_reuse"}, []))
        self.assertTrue(active_alerts()[0].is_muted)

    def test_every_part_of_it_must_fit(self):
        self.silence(family="security", severity="warning")
        self.reuse()
        self.assertEqual(len(self.queued()), 1)

    def test_when_it_ends_what_still_fires_is_told(self):
        made = self.silence(severity="critical")
        self.reuse()
        end_silence(made.pk, author="root")
        self.step()
        self.assertEqual(self.queued(), [("alert.firing", ["refresh_token_reuse"])])

    def test_it_ends_by_itself(self):
        self.silence(rule="refresh_token_reuse", until=timezone.now() + timedelta(seconds=20))
        self.reuse()
        self.assertEqual(self.queued(), [])
        self.step()
        self.assertEqual(len(self.queued()), 1)

    def test_what_came_and_went_in_it_is_not_told_afterwards(self):
        made = self.silence(rule="refresh_token_reuse")
        self.reuse()
        self.steps(900, every=60)
        end_silence(made.pk, author="root")
        self.steps(60)
        self.assertEqual((self.firing(), self.queued()), (set(), []))

    def test_no_family_and_no_severity_reaches_what_tells_of_changes_past_us(self):
        self.silence(family="security")
        self.silence(severity="critical")
        self.event(Action.RECORD_OUT_OF_BAND)
        self.reuse()
        self.assertEqual(self.queued(), [("alert.firing", ["changed_past_services"])])

    def test_both_ends_are_events(self):
        asha = self.a_person()
        made = silence(
            author=str(asha.pk),
            reason="CASE-12",
            until=timezone.now() + timedelta(hours=1),
            family="errors",
            actor=asha,
        )
        end_silence(made.pk, author=str(asha.pk), actor=asha)
        events = AuditEvent.objects.filter(actor=asha.pk).order_by("pk")
        self.assertEqual([event.type for event in events], ["alert.silenced", "alert.silence_ended"])
        made_data, ended_data = [event.parsed_leaf().data for event in events]
        until = made.until.isoformat()
        who = {"silence": str(made.pk), "author": str(asha.pk)}
        self.assertEqual(made_data, who | {"family": "errors", "until": until, "reason": "CASE-12"})
        self.assertEqual(ended_data, who)

    def test_what_may_not_be_is_refused_and_leaves_nothing(self):
        for fields in (
            {},
            {"rule": "invented"},
            {"family": "invented"},
            {"severity": "invented"},
            {"rule": "changed_past_services"},
            {"rule": "audit_log_broken"},
            {"rule": "audit_seal_late"},
            {"rule": "lockouts", "until": timezone.now()},
            {"rule": "lockouts", "until": timezone.now() + timedelta(days=31)},
        ):
            with self.subTest(fields), self.assertRaises(SilenceRefused):
                self.silence(**fields)
        with self.assertRaises(ReasonRefused):
            silence(author="root", reason="asha@lotus.example.in", until=timezone.now(), rule="lockouts")
        with self.assertRaises(SilenceUnknown):
            end_silence(uuid4(), author="root")
        self.assertFalse(AlertSilence.objects.exists() or AuditEvent.objects.exists())


class Commands(AlertCase):
    """`alert_silence` and `alert_list` do the same for whoever is at a terminal."""

    def run_command(self, *arguments):
        out = StringIO()
        call_command(*arguments, stdout=out)
        return out.getvalue()

    def test_silence_list_and_end(self):
        self.assertEqual(self.run_command("alert_list"), "nothing fires\n")
        said = self.run_command("alert_silence", "--rule", "refresh_token_reuse", "--hours", "1", "--reason", "CASE-12")
        self.assertRegex(said, rf"until {self.now + timedelta(hours=1):%Y-%m-%dT%H:%M}\+00:00\n$")
        self.event(Action.REFRESH_TOKEN_REUSED)
        self.step()
        text = self.run_command("alert_list")
        self.assertIn("firing critical refresh_token_reuse", text)
        self.assertIn(", muted)", text)
        document = json.loads(self.run_command("alert_list", "--json"))
        self.assertEqual([one["rule"] for one in document["alerts"]], ["refresh_token_reuse"])
        [one] = document["silences"]
        self.assertEqual((one["author"], one["reason"]), (operator_name(), "CASE-12"))
        self.assertIn("ended", self.run_command("alert_silence", "--end", one["id"]))
        self.assertEqual(json.loads(self.run_command("alert_list", "--json"))["silences"], [])
        both = AuditEvent.objects.filter(type__startswith="alert.silence")
        self.assertEqual([operator_in(event.parsed_leaf().data) for event in both], [operator_name()] * 2)
        self.run_command("alert_silence", "--family", "security", "--severity", "info", "--reason", "CASE-13")
        told = rf"silence \S+: all of security that are info until \S+, by {operator_name()}: CASE-13\n"
        self.assertRegex(self.run_command("alert_list"), told)
        spared = "never silent: audit_log_broken, changed_past_services"
        self.assertIn(spared, self.run_command("alert_silence", "--severity", "critical", "--reason", "CASE-14"))
        self.assertIn(spared, self.run_command("alert_list"))

    def test_what_is_refused_says_why(self):
        with self.assertRaisesRegex(CommandError, "say which alerts"):
            self.run_command("alert_silence", "--reason", "CASE-12")
        with self.assertRaisesRegex(CommandError, "stands"):
            self.run_command("alert_silence", "--end", str(uuid4()))
        for hours in ("nan", "inf", "-1", "1e9"):
            with self.assertRaises(CommandError):
                self.run_command("alert_silence", "--rule", "lockouts", "--hours", hours, "--reason", "CASE-12")


class Planted(AlertCase):
    """A row alone silences nothing."""

    def plant(self, **fields):
        row = {"rule": "refresh_token_reuse", "author": "root", "reason": "CASE-12", "created_at": self.now}
        row |= {"until": self.now + timedelta(hours=1)} | fields
        return AlertSilence.objects.bulk_create([AlertSilence(**row)])[0]

    def made(self, **fields):
        until = timezone.now() + timedelta(hours=1)
        return silence(author="root", reason="CASE-12", until=until, rule="refresh_token_reuse", **fields)

    def is_told(self):
        self.event(Action.REFRESH_TOKEN_REUSED)
        self.step()
        return bool(self.queued())

    def change(self, row, **fields):
        self.assertEqual(AlertSilence.objects.filter(pk=row.pk).update(**fields), 1)

    def test_without_an_event_it_is_none_and_the_log_says_so(self):
        row = self.plant()
        with self.assertLogs("monitoring.alerts", "WARNING") as logged:
            self.assertTrue(self.is_told())
            self.assertEqual(standing_silences(self.now), [])
        said = [record.silence for record in logged.records if record.getMessage() == "alert_silence_not_ours"]
        self.assertEqual(said, [str(row.pk)])  # once, and not every 15 seconds

    def test_nor_with_an_event_that_we_did_not_mark(self):
        row, ours = self.plant(), self.made()
        written = AuditEvent.objects.get(type="alert.silenced")
        end_silence(ours.pk, author="root")
        leaf = bytes(written.leaf).replace(str(ours.pk).encode(), str(row.pk).encode())
        other = uuid4()
        leaf = leaf.replace(str(written.event_id).encode(), str(other).encode())
        columns = {field.attname: getattr(written, field.attname) for field in AuditEvent._meta.concrete_fields}
        forged = AuditEvent(**columns | {"id": None, "event_id": other, "leaf": leaf, "leaf_hash": leaf_hash(leaf)})
        AuditEvent.objects.bulk_create([forged])
        self.assertEqual(str(forged.parsed_leaf().data["silence"]), str(row.pk))
        self.assertTrue(self.is_told())

    def test_nor_one_of_ours_that_was_made_wider_or_longer_or_somebody_elses(self):
        longer = {"until": timezone.now() + timedelta(days=20)}
        for fields in ({"rule": "", "severity": "critical"}, longer, {"author": "chitra"}, {"reason": "CASE-99"}):
            with self.subTest(fields):
                row = self.made()
                self.assertEqual([one.pk for one in standing_silences(self.now)], [row.pk])
                self.change(row, **fields)
                self.assertEqual(standing_silences(self.now), [])

    def test_nor_one_that_was_ended_and_is_made_to_stand_again(self):
        row = self.made()
        end_silence(row.pk, author="root")
        self.change(row, ended_at=None)
        self.assertTrue(self.is_told())

    def test_the_database_takes_none_that_is_longer_than_thirty_days(self):
        with self.assertRaises(IntegrityError), transaction.atomic():
            self.plant(until=self.now + timedelta(days=30, seconds=1))
        self.plant(until=self.now + timedelta(days=30))


class PastTheProduct(TrailCase):
    """A silence that somebody writes into the database is told of by the audit log."""

    def test_it_is_told(self):
        now = timezone.now()
        AlertSilence.objects.bulk_create(
            [AlertSilence(family="security", author="x", reason="x", created_at=now, until=now + timedelta(hours=1))]
        )
        leaf = self.only("record.out_of_band")
        self.assertEqual(self.change(leaf, "alert_silence", "insert")["after"]["family"], "security")
