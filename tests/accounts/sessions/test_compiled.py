"""The statement behind every request: what it reads, what it leaves, and what leaving it costs."""

import threading
from uuid import uuid4

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.sessions.compiled import read_session
from accounts.sessions.models import Session
from accounts.twofactor.models import TotpDevice
from tests.base import ApiTestCase
from tests.factories import PASSWORD, a_person, asha

LEFT_OUT = {
    "session": {"created_at", "end_reason", "client_label"},
    "user": {"password", "password_changed_at", "is_superuser", "is_staff"},
    "company": {"gstin_index"},
    "subject": {"created_at"},
}


class CompiledRead(ApiTestCase):
    """It gives the very rows the ORM gives, without the columns that requests do not need."""

    def assert_same(self, session: Session, *, is_enrolled=False):
        expected = Session.objects.select_related("user__subject", "user__company__subject").get(pk=session.pk)
        with self.assertNumQueries(1):
            read = read_session(session.pk)
        pairs = [
            ("session", read, expected),
            ("user", read.user, expected.user),
            ("subject", read.user.subject, expected.user.subject),
        ]
        if expected.user.company:
            pairs += [("company", read.user.company, expected.user.company)]
            pairs += [("subject", read.user.company.subject, expected.user.company.subject)]
        with self.assertNumQueries(0):
            for name, ours, orms in pairs:
                self.assertEqual(ours.get_deferred_fields(), LEFT_OUT[name])
                for field in orms._meta.concrete_fields:
                    if field.attname in LEFT_OUT[name]:
                        continue
                    mine, theirs = getattr(ours, field.attname), getattr(orms, field.attname)
                    self.assertEqual(mine, theirs, field.name)
                    self.assertEqual(type(mine), type(theirs), field.name)
            self.assertEqual(read.user.company, expected.user.company)
            self.assertEqual(read.user.has_second_factor, is_enrolled)
        for name, ours, orms in pairs:
            for column in sorted(LEFT_OUT[name]):
                with self.subTest(name=name, column=column), self.assertNumQueries(1):
                    self.assertEqual(getattr(ours, column), getattr(orms, column))

    def test_for_a_person_of_a_company(self):
        self.log_in(asha(phone="+919876543210"), headers={"User-Agent": "curl/8"})
        self.assert_same(Session.objects.get())

    def test_for_a_person_with_a_second_factor_whose_secret_is_not_read(self):
        person = asha()
        self.log_in(person)
        TotpDevice.objects.create(
            user=person,
            secret="JBSWY3DPEHPK3PXP",
            confirmed=True,
            confirmed_at=timezone.now(),
            created_at=timezone.now(),
        )
        self.assert_same(Session.objects.get(), is_enrolled=True)
        self.assertIn("secret_sealed", read_session(Session.objects.get().pk).user.totp_device.get_deferred_fields())

    def test_for_staff_without_company(self):
        self.log_in(a_person(role=None))
        self.assert_same(Session.objects.get())

    def test_it_is_one_statement_and_none_for_an_unknown_id(self):
        with self.assertNumQueries(1):
            self.assertIsNone(read_session(uuid4()))

    def test_it_runs_on_a_connection_of_another_thread(self):
        self.assertIsNotNone(connection)
        seen = []
        thread = threading.Thread(target=lambda: seen.append(_read_and_close()))
        thread.start()
        thread.join()
        self.assertEqual(seen, [None])


def _read_and_close():
    try:
        return read_session(uuid4())
    finally:
        connection.close()


class ColumnsReadLater(ApiTestCase):
    """No route reads a left-out column but those that compare the password, which read its hash once."""

    def read_later(self, act) -> list[str]:
        """Statements of `act` that fetch a column the session read left out."""
        with CaptureQueriesContext(connection) as queries:
            response = act()
        self.assertLess(response.status_code, 300, response.content)
        # Django asks for a deferred column by primary key and alone beside it; nothing else here is that short.
        tables = {"accounts_session", "accounts_user", "accounts_company", "subject_key"}
        found = []
        for sql in (query["sql"] for query in queries):
            words = sql.partition(" FROM ")[0].removeprefix("SELECT ").replace('"', "").split(", ")
            if sql.startswith("SELECT") and len(words) == 2 and {word.partition(".")[0] for word in words} <= tables:
                found.append(next(word for word in words if not word.endswith(".id")))
        return found

    def setUp(self):
        super().setUp()
        self.person = asha()
        self.pair = self.log_in(self.person)
        self.token = self.pair["accessToken"]

    def test_none_on_reading_and_refreshing(self):
        for path in ("/api/auth/me", "/api/auth/sessions", "/api/auth/2fa", "/api/company"):
            self.assertEqual(self.read_later(lambda path=path: self.get(path, token=self.token)), [], path)
        self.assertEqual(self.read_later(lambda: self.refresh(self.pair["refreshToken"])), [])

    def test_none_on_changing_oneself_or_signing_out(self):
        for method, path, body in (
            ("patch", "/api/auth/me", {"name": "Asha R", "phone": "+919876543210"}),
            ("patch", "/api/company", {"name": "Lotus"}),
            ("delete", "/api/auth/sessions", None),
            ("post", "/api/auth/logout", {"allDevices": True}),
        ):
            act = lambda method=method, path=path, body=body: self.send(method, path, body, token=self.token)  # noqa: E731
            self.assertEqual(self.read_later(act), [], (method, path))

    def test_the_hash_where_the_password_is_compared(self):
        change = {"currentPassword": PASSWORD, "newPassword": "Another-Harvest-58"}
        for path, body in (
            ("/api/auth/2fa/setup", {"password": PASSWORD}),
            ("/api/auth/change-password", change),
        ):
            later = self.read_later(lambda path=path, body=body: self.post(path, body, token=self.token))
            self.assertEqual(later, ["accounts_user.password"], path)
