"""Asking for room before the work that a refusal would waste."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from django.test import override_settings

from accounts.identity.models import Company, User
from accounts.passwords.models import PasswordReset
from security.errors import Busy
from security.hashing import check_room, hash_slot
from security.lockout.models import CredentialCounter
from tests.accounts.registration.test_register import a_registration
from tests.base import ApiTestCase
from tests.factories import PASSWORD, asha

PATIENCE_SECONDS = 10  # a bar against a hanging test, never waited for


@contextmanager
def no_room():
    """Another thread hashes, and nobody may wait."""
    entered, leave = threading.Event(), threading.Event()

    def hold():
        with hash_slot():
            entered.set()
            assert leave.wait(PATIENCE_SECONDS)

    with override_settings(HASH_CONCURRENCY=1, HASH_QUEUE=0), ThreadPoolExecutor(1) as pool:
        holding = pool.submit(hold)
        assert entered.wait(PATIENCE_SECONDS)
        try:
            yield
        finally:
            leave.set()
        holding.result(PATIENCE_SECONDS)


class Room(ApiTestCase):
    """Where nobody more can wait for a hash, the answer is BUSY before anybody is looked up or counted."""

    def assert_busy(self, path, body, *, statements=0, token=""):
        with no_room(), self.assertNumQueries(statements):
            response = self.post(path, body, token=token)
        self.assertProblem(response, 503, "BUSY")
        self.assertIn("Retry-After", response.headers)

    def test_a_sign_in_reads_nothing_and_counts_no_try(self):
        person = asha()
        for email in (person.email, "nobody@example.in"):
            self.assert_busy("/api/auth/login", {"email": email, "password": PASSWORD})
        self.assertFalse(CredentialCounter.objects.exists())
        self.log_in(person)

    def test_a_registration_reads_nothing(self):
        self.assert_busy("/api/auth/register", a_registration())
        self.assertFalse(Company.objects.exists())

    def test_a_reset_leaves_its_token_good(self):
        self.assert_busy("/api/auth/password-reset/confirm", {"token": "x" * 43, "newPassword": "Another-Harvest-58"})
        self.assertFalse(PasswordReset.objects.exists())

    def test_a_change_of_password_reads_the_session_only(self):
        person = asha()
        token = self.log_in(person)["accessToken"]
        body = {"currentPassword": PASSWORD, "newPassword": "Another-Harvest-58"}
        self.assert_busy("/api/auth/change-password", body, statements=1, token=token)
        self.assertTrue(User.objects.get(pk=person.pk).check_password(PASSWORD))

    def test_who_holds_the_slot_has_room(self):
        with override_settings(HASH_CONCURRENCY=1, HASH_QUEUE=0), hash_slot():
            check_room()

    def test_there_is_room_while_one_may_still_wait(self):
        with no_room():
            with self.assertRaises(Busy):
                check_room()
            with override_settings(HASH_QUEUE=1):
                check_room()
