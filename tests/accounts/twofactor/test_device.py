"""The device as django-otp asks it, which is how the admin's sign-in does."""

import django_otp
from django.db import IntegrityError, transaction
from django.utils import timezone
from django_otp.models import Device

from accounts.twofactor.models import TotpDevice
from tests.accounts.twofactor.authenticator import SecondFactorMixin, code_of, wrong_code
from tests.base import CommittingApiTestCase, MadeOnceTestCase
from tests.factories import a_person


class DeviceTestCase(SecondFactorMixin, MadeOnceTestCase):
    """Omar, who audits, is staff and has a device; the clock stands."""

    def make(self):
        self.holder = self.enrol(a_person(role=None, name="Omar Ali"))
        self.device = TotpDevice.objects.get()

    def verify(self, code):
        return django_otp.verify_token(self.holder.person, self.device.persistent_id, code)


class AdminDoor(DeviceTestCase):
    """The same count, the same spent steps, the same marks as at the API."""

    def test_it_is_found_by_person_and_by_its_stored_name(self):
        self.assertEqual(list(django_otp.devices_for_user(self.holder.person)), [self.device])
        self.assertTrue(django_otp.user_has_device(self.holder.person))
        self.assertEqual(Device.from_persistent_id(self.device.persistent_id), self.device)

    def test_a_good_code_is_accepted_once(self):
        code = code_of(self.holder.secret)
        self.assertEqual(self.verify(code), self.device)
        self.assertIsNone(self.verify(code))
        self.assertProblem(self.sign_in(self.holder.person, twoFactorCode=code), 401, "INVALID_2FA_CODE")

    def test_a_code_spent_at_the_api_is_spent_here(self):
        code = code_of(self.holder.secret)
        self.sign_in(self.holder.person, twoFactorCode=code)
        self.assertIsNone(self.verify(code))

    def test_a_wrong_code_is_marked(self):
        self.assertIsNone(self.verify(wrong_code(self.holder.secret)))
        self.assertEqual(self.refusals(), [{"act": "admin", "reason": "code"}])
        self.assertAudited("second_factor.refused", target=self.holder.person)

    def test_what_is_no_code_is_refused(self):
        for text in ("1_2", "१२३४५६", "", "12345", "abcdef"):
            self.assertIsNone(self.verify(text), text)

    def test_ten_wrong_codes_lock_it_and_the_form_hears_of_it(self):
        self.assertEqual(self.device.verify_is_allowed(), (True, None))
        for _ in range(10):
            self.verify(wrong_code(self.holder.secret))
        is_allowed, extra = self.device.verify_is_allowed()
        self.assertFalse(is_allowed)
        self.assertIn("Wait", extra["error_message"])
        self.assertIsNone(self.verify(code_of(self.holder.secret)))
        self.clock.advance(seconds=3600)
        self.assertEqual(self.verify(code_of(self.holder.secret)), self.device)

    def test_a_device_that_was_removed_meanwhile_admits_nobody(self):
        TotpDevice.objects.all().delete()
        self.assertFalse(self.device.verify_token(code_of(self.holder.secret)))


class Facts(DeviceTestCase):
    """What the database refuses by itself."""

    def test_a_second_device_of_a_person(self):
        with self.assertRaises(IntegrityError), transaction.atomic():
            TotpDevice.objects.create(user=self.holder.person, secret="A" * 32, created_at=timezone.now())

    def test_a_confirmed_device_without_its_time(self):
        with self.assertRaises(IntegrityError), transaction.atomic():
            TotpDevice.objects.update(confirmed_at=None)


class AdminRace(SecondFactorMixin, CommittingApiTestCase):
    """The stock device accepts a code up to six times of ten in parallel; ours once."""

    def test_ten_parallel_tries_are_accepted_once(self):
        self.clock = self.stop_the_clock()
        holder = self.enrol(a_person(role=None))
        code = code_of(holder.secret)
        device = TotpDevice.objects.get()

        def try_it(number):
            return TotpDevice.objects.get(pk=device.pk).verify_token(code)

        self.assertEqual(self.in_parallel(10, try_it).count(True), 1)
