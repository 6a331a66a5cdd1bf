"""Between a stranger's request for a reset and its mail: what the request does, what waits, and what comes of it."""

import re
from datetime import timedelta

from django.core import mail
from django.db import connection
from django.utils import timezone

from accounts.identity.models import User
from accounts.passwords.models import PasswordReset
from security.audit.models import AuditPii
from security.outbox import OutboxMessage, deliver_due
from tests.base import ApiTestCase
from tests.factories import a_person, asha, chitra

REQUEST = "/api/auth/password-reset"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"


class QueueTestCase(ApiTestCase):
    """The clock stands; nothing is delivered unless a test says so."""

    def setUp(self):
        super().setUp()
        self.clock = self.stop_the_clock()

    def ask(self, email, **extra):
        response = self.post(REQUEST, {"email": email}, **extra)
        self.assertEqual(response.status_code, 202, response.content)

    def queued(self):
        return OutboxMessage.objects.filter(channel="password_reset")


class TheRequest(QueueTestCase):
    """It does the same work for every address, so that not even its time tells who has an account."""

    def statements(self, email):
        """The SQL of one request, without the names of its savepoints."""
        seen = []

        def note(execute, sql, *rest):
            seen.append(re.sub(r"s\d+_x\d+", "x", sql))
            return execute(sql, *rest)

        with connection.execute_wrapper(note):
            self.ask(email)
        return seen

    def test_it_runs_the_same_statements_for_everybody(self):
        self.ask("first@example.in")  # a process reads the month's key once
        people = {
            "unknown": "nobody@example.in",
            "known": asha().email,
            "inactive": chitra(is_active=False).email,
            "without a password": a_person(password=None).email,
            "staff": a_person(role=None).email,
        }
        ran = {standing: self.statements(email) for standing, email in people.items()}
        self.assertGreater(len(ran["unknown"]), 0)
        for standing, statements in ran.items():
            self.assertEqual(statements, ran["unknown"], standing)

    def test_it_asks_no_table_of_people(self):
        self.assertNotRegex(" ".join(self.statements(asha().email)), r"accounts_")

    def test_neither_address_nor_client_is_readable_in_the_queue(self):
        person = asha()
        self.ask(person.email)
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM outbox_message")
            row = cursor.fetchone()
        stored = b"|".join(bytes(v) if isinstance(v, (bytes, memoryview)) else str(v).encode() for v in row)
        for canary in (person.email, person.email.partition("@")[0], "127.0.0.1", str(person.subject_id)):
            self.assertNotIn(canary.encode(), stored)
        self.assertIn(person.email, self.queued().get().payload)

    def test_a_client_fills_the_queue_no_further_than_its_counter(self):
        for number in range(104):
            self.ask(f"junk{number}@example.in")
        self.assertEqual(self.queued().count(), 100)
        self.assertAudited("password.reset_refused")
        self.assertEqual(self.audited("password.reset_refused")[0].parsed_leaf().data["reason"], "limit")

    def test_five_a_quarter_of_an_hour_are_queued_for_one_address_and_sign_in_stays_open(self):
        person = asha()
        for _ in range(7):
            self.ask(person.email)
        self.assertEqual(self.queued().count(), 5)
        self.log_in(person)
        self.clock.advance(seconds=901)
        self.ask(person.email)
        self.assertEqual(self.queued().count(), 6)

    def test_a_sign_in_under_a_made_up_name_does_not_count_as_one(self):
        person = asha()
        for _ in range(5):
            self.post("/api/auth/login", {"email": f"reset {person.email}", "password": "Wrong-Guess-11"})
        self.ask(person.email)
        self.assertEqual(self.queued().count(), 1)


class TheAnswer(QueueTestCase):
    """The outbox finds out whose address it is, and mails or says nothing."""

    def test_nobody_gets_no_mail_and_nothing_is_left_of_it(self):
        self.ask("nobody@example.in")
        deliver_due()
        self.assertEqual(mail.outbox, [])
        row = OutboxMessage.objects.get()
        self.assertEqual((row.state, row.payload), ("sent", None))

    def test_the_event_is_of_the_client_who_asked(self):
        person = asha()
        self.ask(person.email, headers={"X-Request-ID": "request-of-asha", "User-Agent": FIREFOX})
        deliver_due()
        self.assertAudited("password.reset_requested", target=person)
        event = self.audited("password.reset_requested")[0]
        data = event.parsed_leaf().data
        self.assertEqual((event.request_id, event.actor), ("request-of-asha", None))
        self.assertEqual((data["agent"], data["mailed"]), ("Firefox", True))
        self.assertEqual(AuditPii.objects.get(event=event).subject, person.subject_id)

    def test_the_mail_tells_when_and_from_where_it_was_asked_and_lives_ten_minutes_from_now(self):
        self.ask(asha().email, headers={"User-Agent": FIREFOX})
        self.clock.advance(seconds=1800)  # the worker was away
        deliver_due()
        self.assertIn("When: 24 November 2026, 11:30 IST", mail.outbox[0].body)
        self.assertIn("Program used: Firefox", mail.outbox[0].body)
        self.assertEqual(PasswordReset.objects.get().expires_at, timezone.now() + timedelta(minutes=10))

    def test_what_counts_is_how_the_person_stands_then(self):
        gone, moved = asha(), chitra()
        for person in (gone, moved):
            self.ask(person.email)
        User.objects.filter(pk=gone.pk).update(is_active=False)
        User.objects.filter(pk=moved.pk).update(email="elsewhere@example.in")
        deliver_due()
        self.assertEqual(mail.outbox, [])

    def test_a_request_that_the_queue_brings_twice_is_one_mail_and_one_event(self):
        self.ask(asha().email)
        before = self.queued().get()
        deliver_due()
        before.save()  # as after a crash between the answer and its receipt
        deliver_due()
        self.assertEqual(len(mail.outbox), 1)
        self.assertAudited("password.reset_requested")
        self.assertEqual(PasswordReset.objects.count(), 1)
        self.assertEqual(self.queued().get().state, "sent")
