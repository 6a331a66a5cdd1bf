"""The searchable addresses of the audit log follow the index key, from the sealed values beside them."""

from unittest import mock

from django.db import connection
from django.test import override_settings
from django.utils import timezone

from accounts.identity.models import Company
from security.audit import AuditEvent, AuditPii
from security.audit.leaf import leaf_hash
from security.crypto import UnknownKey, blind_index, blind_indexes, keyring
from security.keys import Rotation
from security.lockout import forget_devices
from security.lockout.models import KnownDevice
from security.trail import maintenance
from tests.base import ApiTestCase
from tests.factories import asha, bilal
from tests.security.keys.ring_on_disk import RingOnDisk

OFFICE, ELSEWHERE = "203.0.113.7", "198.51.100.9"
PLACE = {"table": "audit_event", "column": "address"}


class Addresses(RingOnDisk, ApiTestCase):
    """Events are found by a client's address at every moment of a rotation, and under the new key alone after it."""

    def setUp(self):
        super().setUp()
        self.person = asha()
        self.log_in(self.person, REMOTE_ADDR=OFFICE)
        self.log_in(bilal(company=self.person.company), REMOTE_ADDR=ELSEWHERE)
        self.post("/api/auth/login", {"email": "nobody@example.in", "password": "wrong"}, REMOTE_ADDR=OFFICE)
        self.events = self.found(OFFICE)
        self.assertEqual(len(self.events), 2)  # of Asha, and of nobody, under the month's key

    def found(self, address: str) -> list[int]:
        """Events of this address, as a search finds them: under every key of the ring."""
        indexes = blind_indexes(**PLACE, value=address)
        return list(AuditEvent.objects.filter(address_index__in=indexes).values_list("pk", flat=True))

    def found_by_the_active_key(self, address: str) -> list[int]:
        index = blind_index(**PLACE, value=address)
        return list(AuditEvent.objects.filter(address_index=index).values_list("pk", flat=True))

    def behind(self) -> int:
        return AuditEvent.objects.indexed_under_others(keyring().active("index").id).count()

    def steps(self, *names: str) -> str:
        return [self.rotate("index", "--step", name) for name in names][-1]

    def test_they_are_found_in_every_state_and_after_it_by_the_new_key_alone(self):
        for step in ("add", "activate", "rewrap", "remove"):
            self.steps(step)
            with self.subTest(step):
                self.assertEqual(self.found(OFFICE), self.events)
                self.assertEqual(self.found_by_the_active_key(OFFICE) == self.events, step != "activate")
        self.assertEqual(len(self.found(ELSEWHERE)), 1)
        self.assertEqual(self.behind(), 0)

    def test_the_event_itself_stays_as_it_is(self):
        before = list(AuditEvent.objects.filter(pk__in=self.events).values_list("leaf", "leaf_hash", "mac", "mac_key"))
        self.steps("add", "activate", "rewrap")
        after = list(AuditEvent.objects.filter(pk__in=self.events).values_list("leaf", "leaf_hash", "mac", "mac_key"))
        self.assertEqual(after, before)
        for event in AuditEvent.objects.all():
            self.assertEqual(leaf_hash(bytes(event.leaf)), bytes(event.leaf_hash))

    def test_the_old_key_stays_while_an_event_needs_it(self):
        self.steps("add", "activate")
        Company.objects.update(gstin_index=None)
        self.assertIn("rows are indexed under it", self.refused("index", "--step", "remove"))

    def test_broken_off_it_goes_on_where_it_was(self):
        self.steps("add", "activate")
        every = self.behind()

        def interrupt(_progress) -> None:
            if self.behind() < every:
                raise KeyboardInterrupt

        with self.assertRaises(KeyboardInterrupt):
            Rotation(use="index", operator="omar").rewrap(batch=1, tell=interrupt)
        self.assertEqual(self.behind(), every - 1)
        self.steps("rewrap")
        self.assertEqual(self.found_by_the_active_key(OFFICE), self.events)
        self.assertIn("0 rows", self.steps("rewrap"))

    def test_an_erased_address_stays_erased(self):
        self.steps("add", "activate")
        self.person.subject.destroy(at=timezone.now())
        AuditPii.objects.filter(event=self.events[1]).delete()
        self.steps("rewrap", "remove")
        self.assertEqual((self.found(OFFICE), len(self.found(ELSEWHERE))), ([], 1))

    def test_one_that_does_not_open_is_named_and_does_not_stop_the_others(self):
        event = AuditEvent.objects.get(pk=self.events[0])
        with maintenance():
            AuditPii.objects.filter(event=event).update(ciphertext=b"\x01" + b"x" * 60)
        self.steps("add", "activate")
        self.assertIn(f"event {event.event_id}", self.refused("index", "--step", "rewrap"))
        self.assertEqual(self.found_by_the_active_key(OFFICE), self.events[1:])
        self.assertEqual(self.found(OFFICE), self.events)  # by the old key, which stays
        self.refused("index", "--step", "remove")

    def test_a_key_that_the_ring_lacks_forgets_nothing(self):
        self.steps("add", "activate")
        with mock.patch("security.audit.addresses.opened", side_effect=UnknownKey):
            self.refused("index", "--step", "rewrap")
        self.assertEqual(self.found(OFFICE), self.events)

    def test_a_batch_costs_the_same_for_few_events_and_for_many(self):
        few = self.count_of_a_rewrap()
        for _ in range(5):
            self.log_in(self.person, REMOTE_ADDR=OFFICE)
        self.assertEqual(self.count_of_a_rewrap(), few)

    def count_of_a_rewrap(self) -> int:
        self.steps("add", "activate")
        seen = []

        def note(execute, sql, *rest):
            seen.append(sql)
            return execute(sql, *rest)

        with connection.execute_wrapper(note):
            self.steps("rewrap")
        return len(seen)


class KnownDevices(RingOnDisk, ApiTestCase):
    """Kept without any plaintext they cannot follow; they are known while the old key is in the ring (docs/keys.md)."""

    def setUp(self):
        super().setUp()
        self.person = asha()
        self.log_in(self.person)
        for step in ("add", "activate", "rewrap"):
            self.rotate("index", "--step", step)

    @override_settings(LOCKOUT_ACCOUNT_LIMIT=5)
    def test_a_stranger_locks_nobody_out_at_home_meanwhile(self):
        body = {"email": self.person.email, "password": "wrong"}
        for _ in range(5):
            self.post("/api/auth/login", body, REMOTE_ADDR=ELSEWHERE)
        self.assertProblem(self.post("/api/auth/login", body, REMOTE_ADDR=OFFICE), 429, "ACCOUNT_LOCKED")
        self.log_in(self.person)

    def test_a_changed_password_forgets_those_of_the_old_key_too(self):
        forget_devices(self.person.email)
        self.assertFalse(KnownDevice.objects.exists())
