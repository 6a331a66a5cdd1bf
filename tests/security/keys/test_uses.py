"""What a rotation means for each use: tokens, data keys, blind indexes, passwords, marks of the log."""

from unittest import mock

import jwt
from django.conf import settings
from django.contrib.auth.hashers import check_password
from django.core.management import CommandError
from django.test import override_settings
from django.utils import timezone

from accounts.identity.models import Company, User, gstin_index
from security.audit import AuditEvent
from security.crypto import SubjectKey, keyring
from security.tlog import seal_pending, sealing
from tests.accounts.identity.examples import a_gstin, a_pan
from tests.base import ApiTestCase
from tests.factories import PASSWORD, asha
from tests.security.keys.ring_on_disk import RingOnDisk


def kid_of(token: str) -> str:
    return jwt.get_unverified_header(token)["kid"]


class Rotation(RingOnDisk, ApiTestCase):
    def all_of(self, use: str, *steps: str) -> None:
        for step in steps:
            self.rotate(use, "--step", step)


class TokenKey(Rotation):
    """Nobody is signed out by a rotation; a withdrawn key signs everybody out at once."""

    def setUp(self):
        super().setUp()
        self.clock = self.stop_the_clock()
        self.person = asha()
        self.first = self.log_in(self.person)
        self.old = keyring().active("jwt").id

    def published(self) -> list[str]:
        return [key["kid"] for key in self.get("/.well-known/jwks.json").json()["keys"]]

    def activate(self) -> str:
        self.rotate("jwt", "--step", "add")
        self.clock.advance(seconds=301)
        self.rotate("jwt", "--step", "activate")
        return keyring().active("jwt").id

    def test_the_next_key_is_published_before_it_signs(self):
        self.rotate("jwt", "--step", "add")
        waiting = self.ring.all("jwt")[-1].id
        self.assertEqual(self.published(), [self.old, waiting])
        self.assertEqual(kid_of(self.log_in(self.person)["accessToken"]), self.old)

    def test_it_does_not_sign_while_verifiers_may_not_know_it(self):
        self.rotate("jwt", "--step", "add")
        self.clock.advance(seconds=290)
        self.assertIn("verifiers may not know it yet", self.refused("jwt", "--step", "activate"))
        self.rotate("jwt", "--step", "activate", "--force")
        self.assertEqual(self.states("jwt"), ["retired", "active"])

    def test_tokens_from_before_go_on_and_new_ones_name_the_new_key(self):
        new = self.activate()
        self.assertEqual(self.me(self.first["accessToken"]).status_code, 200)
        renewed = self.refresh(self.first["refreshToken"])
        self.assertEqual((renewed.status_code, kid_of(renewed.json()["accessToken"])), (200, new))
        self.assertEqual(self.published(), [self.old, new])

    def test_another_host_that_signs_with_it_already_is_believed(self):
        self.rotate("jwt", "--step", "add")
        before = self.path.read_text()
        self.clock.advance(seconds=301)
        self.rotate("jwt", "--step", "activate")
        theirs = self.log_in(self.person)["accessToken"]
        with override_settings(KEYRING=before.strip(), KEYRING_FILE=""):
            self.assertEqual(keyring().get("jwt", kid_of(theirs)).state, "next")
            self.assertEqual(self.me(theirs).status_code, 200)

    def test_it_stays_as_long_as_a_token_of_it_may_live(self):
        self.activate()
        self.clock.advance(seconds=settings.SESSION_ABSOLUTE_SECONDS)
        self.assertIn("tokens it signed live until", self.refused("jwt", "--step", "remove"))
        self.clock.advance(seconds=61)
        self.rotate("jwt", "--step", "remove")
        self.assertEqual(self.published(), [keyring().active("jwt").id])

    def test_since_when_must_be_known(self):
        self.activate()
        lines = self.path.read_text().splitlines(keepends=True)
        text = "".join(line for line in lines if '"since"' not in line).replace('Z",\n  }', 'Z"\n  }')
        self.path.write_text(text)
        self.assertIn('write "since"', self.refused("jwt", "--step", "remove"))

    def test_withdrawn_by_force_every_token_of_it_is_refused_at_once(self):
        self.assertEqual(self.me(self.first["accessToken"]).status_code, 200)  # and remembered as verified
        self.activate()
        self.rotate("jwt", "--step", "remove", "--force")
        self.assertProblem(self.me(self.first["accessToken"]), 401, "TOKEN_INVALID")
        self.assertProblem(self.refresh(self.first["refreshToken"]), 401, "REFRESH_TOKEN_INVALID")
        self.assertEqual(self.me(self.log_in(self.person)["accessToken"]).status_code, 200)


class KeyOfDataKeys(Rotation):
    """Each data key is wrapped anew; what is sealed under it does not change."""

    def setUp(self):
        super().setUp()
        self.person = asha(phone="+919876543210")
        self.all_of("kek", "add", "activate")

    def test_values_read_the_same_before_between_and_after(self):
        cell = User.objects.values_list("phone", flat=True).get(pk=self.person.pk).blob
        for step in ("rewrap", "remove"):
            self.assertEqual(User.objects.get(pk=self.person.pk).phone, "+919876543210")
            self.rotate("kek", "--step", step)
        after = User.objects.get(pk=self.person.pk)
        self.assertEqual((after.phone, after.subject.kek_version), ("+919876543210", 2))
        self.assertEqual(User.objects.values_list("phone", flat=True).get(pk=self.person.pk).blob, cell)

    def test_the_old_key_stays_while_a_data_key_needs_it(self):
        self.assertIn("data keys are wrapped under it", self.refused("kek", "--step", "remove"))
        self.assertIn("data keys are wrapped under it", self.refused("kek", "--step", "remove", "--force"))
        self.assertEqual(self.states("kek"), ["retired", "active"])

    def test_broken_off_it_goes_on_where_it_was(self):
        for _ in range(4):
            SubjectKey.objects.issue()
        SubjectKey.objects.update(kek_version=1)
        for subject in SubjectKey.objects.all():
            with override_settings(KEYRING=settings.KEYRING, KEYRING_FILE=""):
                subject._wrap(b"k" * 32)
            subject.save()
        total = SubjectKey.objects.count()
        with mock.patch("security.keys.services.Rotation._record"), self.assertRaises(KeyboardInterrupt):
            self.broken_off_after_a_batch()
        done = SubjectKey.objects.filter(kek_version=2).count()
        self.assertEqual(done, 2)
        self.rotate("kek", "--step", "rewrap", "--batch", "2")
        self.assertEqual(SubjectKey.objects.filter(kek_version=2).count(), total)
        self.assertEqual(self.audited("keys.rewrapped")[0].parsed_leaf().data["rows"], total - done)
        self.assertIn("0 rows", self.rotate("kek", "--step", "rewrap"))
        self.assertAudited("keys.rewrapped")

    def broken_off_after_a_batch(self) -> None:
        from security.keys import Rotation as Work

        def interrupt(_progress) -> None:
            raise KeyboardInterrupt

        Work(use="kek", operator="omar").rewrap(batch=2, tell=interrupt)

    def test_an_erased_key_stays_erased(self):
        self.person.subject.destroy(at=timezone.now())
        self.rotate("kek", "--step", "rewrap")
        self.person.subject.refresh_from_db()
        self.assertIsNone(self.person.subject.wrapped)
        self.rotate("kek", "--step", "remove")

    def test_a_damaged_key_is_named_and_does_not_stop_the_others(self):
        damaged = SubjectKey.objects.create(wrapped=b"x" * 40, kek_version=1)
        said = self.refused("kek", "--step", "rewrap")
        self.assertIn(str(damaged.pk), said)
        self.assertEqual(list(SubjectKey.objects.filter(kek_version=1)), [damaged])


class IndexKey(Rotation):
    """A company is found by its GSTIN at every moment of the rotation, and no second one gets in."""

    def setUp(self):
        super().setUp()
        pan = a_pan(901)
        self.gstin = a_gstin(901, pan=pan)
        company = Company(subject=SubjectKey.objects.issue(), name="Lotus", email="lotus@lotus.example.in")
        company.gstin, company.gstin_index = self.gstin, gstin_index(self.gstin)
        company.save()

    def test_it_is_found_and_held_in_every_state(self):
        for step in ("add", "activate", "rewrap", "remove"):
            self.rotate("index", "--step", step)
            with self.subTest(step):
                self.assertEqual(Company.objects.with_gstin(self.gstin).count(), 1)
                self.assertProblem(self.register(), 409, "COMPANY_EXISTS")
        self.assertEqual(Company.objects.get(name="Lotus").gstin_index, gstin_index(self.gstin))

    def register(self):
        body = {
            "companyName": "Another",
            "companyEmail": "another@lotus.example.in",
            "adminName": "Chitra Nair",
            "adminEmail": "chitra@lotus.example.in",
            "password": PASSWORD,
            "gstin": self.gstin,
        }
        return self.post("/api/auth/register", body)

    def test_the_old_key_stays_while_a_row_needs_it(self):
        self.all_of("index", "add", "activate")
        self.assertIn("1 rows are indexed under it", self.refused("index", "--step", "remove"))
        self.rotate("index", "--step", "rewrap")
        self.rotate("index", "--step", "remove")

    def test_an_erased_company_does_not_stop_it(self):
        self.all_of("index", "add", "activate")
        Company.objects.get(name="Lotus").subject.destroy(at=timezone.now())
        self.rotate("index", "--step", "rewrap")
        self.rotate("index", "--step", "remove")

    def test_two_rows_of_one_value_are_named(self):
        twin = Company(subject=SubjectKey.objects.issue(), name="Twin", email="twin@lotus.example.in")
        self.all_of("index", "add", "activate")
        twin.gstin, twin.gstin_index = self.gstin, gstin_index(self.gstin)  # as a race of two hosts would leave it
        twin.save()
        self.assertIn(str(Company.objects.get(name="Lotus").subject_id), self.refused("index", "--step", "rewrap"))


class PepperKey(Rotation):
    """Passwords go on; each is hashed under the new pepper at its owner's next sign-in."""

    def test_sign_in_brings_the_hash_along(self):
        person = asha()
        old = keyring().active("pepper").id
        self.all_of("pepper", "add", "activate")
        self.assertIn("no row holds", self.rotate("pepper", "--step", "rewrap"))
        self.assertIn("1 passwords were hashed with it", self.refused("pepper", "--step", "remove"))
        self.log_in(person)
        person.refresh_from_db()
        self.assertNotIn(old, person.password)
        self.rotate("pepper", "--step", "remove")
        self.log_in(person)

    def test_by_force_the_others_must_reset(self):
        person = asha()
        self.all_of("pepper", "add", "activate")
        self.rotate("pepper", "--step", "remove", "--force")
        person.refresh_from_db()
        self.assertFalse(check_password(PASSWORD, person.password))
        body = {"email": person.email, "password": PASSWORD}
        self.assertProblem(self.post("/api/auth/login", body), 401, "INVALID_CREDENTIALS")


class MarkKey(Rotation):
    """The key that marks events stays until a checkpoint covers what it marked."""

    def test_it_stays_while_events_wait_for_their_seal(self):
        self.log_in(asha())
        old = keyring().active("audit_mac").id
        self.all_of("audit", "add", "activate")
        self.assertIn("events that no checkpoint covers", self.refused("audit", "--step", "remove"))
        self.log_in(asha())
        self.assertEqual(AuditEvent.objects.latest("pk").mac_key, keyring().active("audit_mac").id)
        ended = mock.patch.object(sealing, "_sign", side_effect=[0, KeyboardInterrupt])
        with ended, self.assertRaises(KeyboardInterrupt):
            seal_pending()
        self.assertFalse(AuditEvent.objects.filter(tree_index=None).exists())
        self.assertIn("events that no checkpoint covers", self.refused("audit", "--step", "remove"))
        seal_pending()
        self.rotate("audit", "--step", "remove")
        with self.assertRaises(LookupError):
            keyring().get("audit_mac", old)

    def test_force_does_not_help(self):
        self.log_in(asha())
        self.all_of("audit", "add", "activate")
        with self.assertRaises(CommandError):
            self.rotate("audit", "--step", "remove", "--force")
