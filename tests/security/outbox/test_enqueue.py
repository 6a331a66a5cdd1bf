"""A message lies in the act's own transaction, and only its receiver can be read from nothing."""

from datetime import UTC, datetime

from django.conf import settings
from django.db import connection, transaction
from django.test import TestCase, TransactionTestCase

from security.context import Client, RequestContext, bind
from security.crypto import KeyDestroyed, SubjectKey
from security.outbox import Mail, OutboxMessage, OutboxOutsideTransaction, enqueue, enqueue_mail, message_queued
from security.outbox.mail import render_mail

TO = "asha@lotus.example.in"
WHEN = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"


class TheActAndItsMessage(TransactionTestCase):
    """Both happen or neither: a crash cannot part them."""

    def setUp(self):
        self.subject = SubjectKey.objects.issue()
        self.woken = []
        message_queued.connect(self.wake)
        self.addCleanup(message_queued.disconnect, self.wake)

    def wake(self, **signal):
        self.woken.append(OutboxMessage.objects.count())

    def test_outside_a_transaction_it_is_refused(self):
        with self.assertRaises(OutboxOutsideTransaction):
            enqueue_mail(subject=self.subject, to=TO, kind=Mail.PASSWORD_CHANGED)
        self.assertFalse(OutboxMessage.objects.exists())

    def test_an_act_that_fails_leaves_no_message_and_wakes_nobody(self):
        with self.assertRaises(ZeroDivisionError), transaction.atomic():
            enqueue_mail(subject=self.subject, to=TO, kind=Mail.PASSWORD_CHANGED)
            raise ZeroDivisionError
        self.assertFalse(OutboxMessage.objects.exists())
        self.assertEqual(self.woken, [])

    def test_the_wake_up_comes_after_the_commit(self):
        with transaction.atomic():
            enqueue_mail(subject=self.subject, to=TO, kind=Mail.PASSWORD_CHANGED)
            self.assertEqual(self.woken, [])
        self.assertEqual(self.woken, [1])

    def test_a_failing_receiver_of_the_hint_changes_nothing(self):
        def fail(**signal):
            raise OSError("no worker")

        message_queued.connect(fail)
        self.addCleanup(message_queued.disconnect, fail)
        with transaction.atomic():
            enqueue_mail(subject=self.subject, to=TO, kind=Mail.PASSWORD_CHANGED)
        self.assertEqual(OutboxMessage.objects.count(), 1)


class AtRest(TestCase):
    """Receiver and words are sealed under the key of the person they are about."""

    def test_neither_is_readable_in_the_table(self):
        link = "https://app.example.in/reset#token=canary"
        with transaction.atomic():
            enqueue_mail(
                subject=SubjectKey.objects.issue(),
                to=TO,
                kind=Mail.PASSWORD_RESET,
                context={"link": link, "valid_minutes": 30},
            )
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM outbox_message")
            stored = b"|".join(
                bytes(c) if isinstance(c, (bytes, memoryview)) else str(c).encode() for c in cursor.fetchone()
            )
        for canary in (b"lotus", b"canary", b"new KoshFlow password"):
            self.assertNotIn(canary, stored)

    def test_an_erased_person_gets_none(self):
        subject = SubjectKey.objects.issue()
        subject.destroy(at=WHEN)
        with self.assertRaises(KeyDestroyed):
            enqueue_mail(subject=subject, to=TO, kind=Mail.PASSWORD_CHANGED)

    def test_an_unknown_channel_fails_the_act(self):
        with self.assertRaises(ValueError):
            enqueue(channel="pigeon", kind="x", subject=SubjectKey.objects.issue(), payload={})


class Words(TestCase):
    """Every mail says what happened, when, from which program, and what to do if it was not you."""

    def context(self, kind: Mail) -> dict:
        more = {"link": "https://x/?a=1&b=2", "valid_minutes": 30} if kind is Mail.PASSWORD_RESET else {}
        return {"when": WHEN, "client": "Firefox"} | more

    def test_of_each_mail(self):
        for kind in Mail:
            with self.subTest(kind):
                title, body = render_mail(kind, self.context(kind))
                self.assertNotIn("\n", title)
                self.assertIn("When: 24 November 2026, 11:30 IST", body)
                self.assertIn("Program used: Firefox", body)
                self.assertRegex(body, r"If it was not you|If you do not recognise this")
                self.assertNotIn("your company", " ".join(body.split()))  # staff have none
                self.assertIn(settings.WEB_URL, body)
                self.assertNotIn("{", body)
                self.assertLessEqual(max(map(len, body.splitlines())), 200)

    def test_a_link_is_not_escaped(self):
        self.assertIn("https://x/?a=1&b=2", render_mail(Mail.PASSWORD_RESET, self.context(Mail.PASSWORD_RESET))[1])

    def test_a_missing_or_surplus_value_fails_the_act(self):
        for context in ({"link": "https://x"}, {"link": "https://x", "valid_minutes": 5, "name": "Asha"}):
            with self.subTest(context), self.assertRaises(ValueError):
                enqueue_mail(subject=SubjectKey.objects.issue(), to=TO, kind=Mail.PASSWORD_RESET, context=context)

    def test_an_unknown_mail_fails_the_act(self):
        with self.assertRaises(ValueError):
            enqueue_mail(subject=SubjectKey.objects.issue(), to=TO, kind="congratulations")

    def test_the_program_is_that_of_the_request(self):
        with bind(RequestContext("id", Client("203.0.113.7", FIREFOX))):
            message = enqueue_mail(subject=SubjectKey.objects.issue(), to=TO, kind=Mail.PASSWORD_CHANGED)
        self.assertIn("Program used: Firefox\\n", message.payload)
        self.assertNotIn("203.0.113.7", message.payload)

    def test_an_unknown_program_is_said_to_be_unknown(self):
        with bind(RequestContext("id", Client("203.0.113.7", "<a href=//evil.example>"))):
            message = enqueue_mail(subject=SubjectKey.objects.issue(), to=TO, kind=Mail.PASSWORD_CHANGED)
        self.assertIn("one that we do not recognise", message.payload)
        self.assertNotIn("evil", message.payload)
