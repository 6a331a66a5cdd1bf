"""Whose mails a stranger can use up by asking for somebody's reset: strangers' alone."""

import hashlib
from datetime import timedelta
from unittest import mock

from django.contrib.auth.hashers import make_password
from django.core import mail
from django.test import override_settings
from django.utils import timezone

from accounts.passwords.models import PasswordReset
from accounts.staff import StaffRole
from security.outbox import deliver_due
from tests.accounts.admin.door import AdminTestCase
from tests.accounts.passwords.test_reset import CONFIRM, NEW, REQUEST, mailed_token
from tests.base import CommittingApiTestCase
from tests.factories import PASSWORD, asha, chitra

FIREFOX = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"}


class Askers(AdminTestCase):
    """Three mails an hour for each network, six for all of them; staff and the person's own devices have theirs."""

    def setUp(self):
        super().setUp()
        self.person = asha()

    def ask(self, times: int = 1, *, network: int = 1, person=None, **headers: str) -> int:
        """So many requests from a network of their own; how many were mailed."""
        before = len(mail.outbox)
        for _ in range(times):
            body = {"email": (person or self.person).email}
            answer = self.post(REQUEST, body, REMOTE_ADDR=f"198.51.100.{network}", headers=headers)
            self.assertEqual(answer.status_code, 202)
        deliver_due(limit=500)
        return len(mail.outbox) - before

    def staff_send(self) -> str:
        page = self.page_of(self.person).replace("change/", "send-reset-link/")
        return self.client.post(page, follow=True).content.decode()

    def test_a_network_that_used_up_its_three_leaves_another_its_own(self):
        self.assertEqual(self.ask(5), 3)
        self.assertEqual(self.ask(network=2), 1)

    def test_all_networks_together_get_six(self):
        self.assertEqual(sum(self.ask(2, network=number) for number in range(1, 6)), 6)
        self.clock.advance(seconds=3601)
        self.assertEqual(self.ask(network=9), 1)

    def test_a_known_device_gets_its_link_whatever_strangers_did(self):
        self.log_in(self.person, REMOTE_ADDR="198.51.100.77", headers=FIREFOX)
        self.ask(4, network=1)
        self.ask(4, network=2)
        self.assertEqual(self.ask(5, network=77, **FIREFOX), 3)

    @override_settings(LOCKOUT_ACCOUNT_LIMIT=6)
    def test_nor_is_it_kept_from_asking_where_strangers_filled_the_queue(self):
        self.log_in(self.person, REMOTE_ADDR="198.51.100.77", headers=FIREFOX)
        for number in range(1, 4):
            self.ask(4, network=number)
        self.assertEqual(self.ask(network=8), 0)
        self.assertEqual(self.ask(network=77, **FIREFOX), 1)

    def test_who_signed_in_from_there_to_another_account_is_a_stranger(self):
        self.log_in(chitra(), REMOTE_ADDR="198.51.100.77", headers=FIREFOX)
        self.ask(4, network=1)
        self.ask(4, network=2)
        self.assertEqual(self.ask(network=77, **FIREFOX), 0)

    def test_staff_send_theirs_whatever_strangers_did_and_have_three_of_their_own(self):
        self.ask(4, network=1)
        self.ask(4, network=2)
        self.enter(StaffRole.SUPPORT)
        for _ in range(3):
            self.assertIn("A link to choose a new password is on its way.", self.staff_send())
        self.assertIn("staff sent three within the hour", self.staff_send())

    def test_what_staff_send_leaves_the_person_their_own(self):
        self.enter(StaffRole.SUPPORT)
        for _ in range(3):
            self.staff_send()
        deliver_due()
        self.assertEqual(self.ask(4), 3)

    def test_a_stranger_does_not_void_the_link_of_staff(self):
        self.enter(StaffRole.SUPPORT)
        self.staff_send()
        token = mailed_token()
        self.clock.advance(seconds=60)
        self.ask()
        self.assertEqual(self.post(CONFIRM, {"token": token, "newPassword": NEW}).status_code, 200)

    def test_staff_void_every_link_that_was_mailed_before(self):
        self.ask()
        token = mailed_token()
        self.enter(StaffRole.SUPPORT)
        self.staff_send()
        self.assertProblem(self.post(CONFIRM, {"token": token, "newPassword": NEW}), 400, "RESET_TOKEN_INVALID")

    def test_of_two_living_links_the_use_of_one_voids_the_other(self):
        self.enter(StaffRole.SUPPORT)
        self.staff_send()
        of_staff = mailed_token()
        self.ask()
        own = mailed_token()
        self.assertEqual(self.post(CONFIRM, {"token": own, "newPassword": NEW}).status_code, 200)
        later = {"token": of_staff, "newPassword": "Third-Harvest-59"}
        self.assertProblem(self.post(CONFIRM, later), 400, "RESET_TOKEN_INVALID")

    def test_a_use_still_at_its_hash_when_the_password_is_changed_changes_nothing(self):
        self.ask()
        token, session = mailed_token(), self.log_in(self.person)
        members = {"currentPassword": PASSWORD, "newPassword": "Third-Harvest-59"}

        def changed_meanwhile(password: str) -> str:
            self.clock.advance(seconds=1)
            changed = self.post("/api/auth/change-password", members, token=session["accessToken"])
            self.assertEqual(changed.status_code, 200, changed.content)
            return make_password(password)

        with mock.patch("accounts.passwords.reset.make_password", side_effect=changed_meanwhile):
            late = self.post(CONFIRM, {"token": token, "newPassword": NEW})
        self.assertProblem(late, 400, "RESET_TOKEN_INVALID")
        self.log_in(self.person, "Third-Harvest-59")

    def test_the_row_tells_no_address(self):
        self.ask(network=1)
        self.ask(network=2)
        self.ask(network=1, person=chitra())
        askers = set(PasswordReset.objects.values_list("asker", flat=True))
        self.assertEqual({len(asker) for asker in askers}, {64})
        self.assertEqual(len(askers), 3)  # of another person the same network is another


class TwoLinksAtOnce(CommittingApiTestCase):
    """Neither waits for the other for ever, and one alone changes the password."""

    def test_one_changes_the_password_and_the_other_is_void(self):
        for _ in range(5):
            self.use_two_links(asha())

    def use_two_links(self, person) -> None:
        now = timezone.now()
        tokens = [f"{link} of {person.pk}" for link in ("first", "second")]
        for token, asker in zip(tokens, ("staff", "x"), strict=True):
            reset = PasswordReset(
                user=person, token_hash=hashlib.sha256(token.encode()).digest(), asker=asker, created_at=now
            )
            reset.expires_at = now + timedelta(minutes=10)
            reset.save(force_insert=True)
        passwords = ["Parallel-Harvest-10", "Parallel-Harvest-11"]
        answers = self.in_parallel(
            2, lambda n: self.post(CONFIRM, {"token": tokens[n], "newPassword": passwords[n]}).status_code
        )
        self.assertEqual(sorted(answers), [200, 400])
