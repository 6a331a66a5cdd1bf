"""A key of another ring, taken over for the events that wait under its mark."""

from django.db import transaction
from django.test import override_settings

from security.audit import Action, AuditEvent, record
from security.crypto.keyring import generate
from security.tlog import SealRefused, seal_pending, verify_log
from tests.base import ApiTestCase
from tests.security.keys.ring_on_disk import RingOnDisk


class AnEventOfAnotherRing(RingOnDisk, ApiTestCase):
    """Recorded by a command that had another ring, it stops the seal until the key of its mark is adopted."""

    def setUp(self):
        super().setUp()
        self.enterContext(override_settings(AUDIT_SIGNER_DIR=self.path.parent / "signer"))
        self.other = self.path.with_name("other.json")
        self.other.write_text(generate())
        with override_settings(KEYRING_FILE="", KEYRING=self.other.read_text()), transaction.atomic():
            self.event = record(Action.AUDIT_HEARTBEAT)

    def test_the_seal_and_a_verification_name_it_and_its_key(self):
        with self.assertRaises(SealRefused) as refused:
            seal_pending()
        [fault] = verify_log().faults
        name = f"event {self.event.event_id} waits under audit_mac key {self.event.mac_key}, which the key ring lacks"
        for said in (str(refused.exception), fault.what):
            self.assertIn(name, said)
            self.assertIn("docs/audit-log.md", said)

    def test_with_its_key_it_is_sealed_and_the_key_goes_again(self):
        self.assertIn("audit_mac key", self.rotate("audit", "--step", "adopt", "--from", str(self.other)))
        self.assertEqual(self.states("audit_mac"), ["active", "retired"])
        self.assertIn("carry its mark", self.refused("audit", "--step", "remove"))
        self.assertEqual(seal_pending().events, 2)  # and the event of the step
        self.rotate("audit", "--step", "remove")
        seal_pending()
        self.assertEqual(verify_log().faults, [])
        self.assertEqual(AuditEvent.objects.get(type="keys.added").parsed_leaf().data["keys"], [self.event.mac_key])

    def test_nothing_else_is_adopted(self):
        self.assertIn("only audit keys", self.refused("kek", "--step", "adopt", "--from", str(self.other)))
        self.assertIn("only audit keys", self.refused("audit", "--step", "adopt"))
        self.assertIn("can be read", self.refused("audit", "--step", "adopt", "--from", "/nonexistent/ring"))
        self.other.write_text(generate())
        self.assertIn("no event waits", self.refused("audit", "--step", "adopt", "--from", str(self.other)))
        self.assertEqual(self.states("audit_mac"), ["active"])
