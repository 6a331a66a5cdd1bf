"""When an event's mark may be under a key that the ring has no more."""

from datetime import UTC, datetime, timedelta
from unittest import TestCase

from security.audit import may_lack_key
from security.crypto import KeyRing
from security.crypto.keyring import fresh_key, generate
from security.keys.steps import with_adopted, with_next, with_next_active, with_removed

DAY = timedelta(days=1)


class Removed(TestCase):
    def setUp(self):
        self.began = datetime.now(UTC).replace(microsecond=0)
        ring = KeyRing.parse(generate())
        self.old = ring.active("audit_mac").id
        ring = with_next_active(with_next(ring, "audit_mac", at=self.began + DAY), "audit_mac", at=self.began + 2 * DAY)
        self.ring = with_removed(ring, "audit_mac", ids=[self.old], at=self.began + 3 * DAY)

    def test_an_event_of_before_its_removal_may_be_under_it(self):
        for at in (timedelta(0), 2 * DAY, 3 * DAY + timedelta(milliseconds=999)):
            self.assertTrue(may_lack_key(self.ring, self.old, at=self.began + at), at)

    def test_a_later_one_may_not(self):
        self.assertFalse(may_lack_key(self.ring, self.old, at=self.began + 3 * DAY + timedelta(seconds=1)))

    def test_a_key_that_the_ring_never_had_is_of_before_the_ring(self):
        self.assertTrue(may_lack_key(self.ring, "gone", at=self.began - DAY))
        self.assertFalse(may_lack_key(self.ring, "gone", at=self.began + timedelta(seconds=1)))

    def test_an_adopted_key_makes_the_ring_no_older(self):
        key = fresh_key("audit_mac", state="active", at=self.began - 9 * DAY)
        ring = with_adopted(self.ring, [key], at=self.began + 4 * DAY)
        self.assertTrue(may_lack_key(ring, "gone", at=self.began - DAY))
        ring = with_removed(ring, "audit_mac", ids=[key.id], at=self.began + 5 * DAY)
        self.assertTrue(may_lack_key(ring, key.id, at=self.began + 4 * DAY))
        self.assertFalse(may_lack_key(ring, key.id, at=self.began + 6 * DAY))
