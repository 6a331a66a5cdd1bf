"""`keys_rotate`: one explicit step after the other, each in the file, in the log, and in no running process's way."""

import json
import os
from pathlib import Path
from unittest import mock

from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import override_settings

from security.audit import AuditEvent
from security.crypto import KeyRing
from security.operator_account import operator_name
from tests.base import ApiTestCase
from tests.factories import asha
from tests.security.keys.ring_on_disk import RingOnDisk


class TheFile(RingOnDisk, ApiTestCase):
    """The ring changes whole or not at all, and each change leaves its event."""

    def test_a_key_is_added_as_next_and_nothing_else_changes(self):
        before = self.ring
        self.assertIn("kek key 2 added as next", self.rotate("kek", "--step", "add"))
        self.assertEqual(self.ring.keys[:-1], before.keys)
        self.assertEqual((self.ring.keys[-1].id, self.ring.keys[-1].state), ("2", "next"))

    def test_field_and_audit_are_other_words_for_kek_and_audit_mac(self):
        self.rotate("field", "--step", "add")
        self.rotate("audit", "--step", "add")
        self.assertEqual([key.use for key in self.ring.keys if key.state == "next"], ["kek", "audit_mac"])

    def test_only_its_owner_reads_the_ring_and_the_one_backup(self):
        before = os.umask(0)
        try:
            self.rotate("kek", "--step", "add")
        finally:
            os.umask(before)
        files = {path.name: path.stat().st_mode & 0o7777 for path in self.path.parent.iterdir()}
        self.assertEqual(files, {"keyring.json": 0o600, "keyring.json.before": 0o600})

    def test_the_backup_is_the_ring_from_before(self):
        first = self.path.read_text()
        self.rotate("kek", "--step", "add")
        second = self.path.read_text()
        self.assertEqual(self.path.with_name("keyring.json.before").read_text(), first)
        self.rotate("kek", "--step", "activate")
        self.assertEqual(self.path.with_name("keyring.json.before").read_text(), second)

    def test_the_group_that_could_read_it_still_can(self):
        self.path.chmod(0o640)
        self.rotate("kek", "--step", "add")
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o640)

    def test_a_link_stays_a_link(self):
        link = self.path.with_name("link.json")
        link.symlink_to(self.path)
        with override_settings(KEYRING_FILE=str(link)):
            self.rotate("kek", "--step", "add")
        self.assertTrue(link.is_symlink())
        self.assertEqual(self.states("kek"), ["active", "next"])

    def test_a_full_disk_leaves_ring_and_log_as_they_were(self):
        before = self.path.read_text()
        full = mock.patch("os.fsync", side_effect=OSError(28, "No space left on device"))
        with full:
            said = self.refused("kek", "--step", "add")
        self.assertIn("No space left on device", said)
        self.assertEqual(self.path.read_text(), before)
        self.assertEqual([path.name for path in self.path.parent.iterdir()], ["keyring.json"])
        self.assertFalse(AuditEvent.objects.filter(type="keys.added").exists())

    def test_each_step_is_in_the_log_with_key_and_operator_and_without_a_secret(self):
        self.rotate("kek", "--step", "add")
        self.rotate("kek", "--step", "activate")
        self.rotate("kek", "--step", "remove")
        for type_, key in (("keys.added", "2"), ("keys.activated", "2"), ("keys.removed", "1")):
            (event,) = self.audited(type_)
            data = event.parsed_leaf().data
            self.assertEqual((data["use"], data["keys"], data["operator"]), ("kek", [key], operator_name()))
        leaves = b"".join(bytes(event.leaf) for event in AuditEvent.objects.all()).decode()
        secrets = [entry["key"] for entry in json.loads(self.path.read_text())["keys"] if entry["key"]]
        self.assertEqual([secret for secret in secrets if secret in leaves], [])

    def test_a_dry_run_checks_and_changes_nothing(self):
        before = self.path.read_text()
        said = self.rotate("kek", "--step", "add", "--dry-run")
        self.assertIn("dry run, nothing was changed; it would say: kek key 2 added", said)
        self.assertIn("no kek key waits as next", self.refused("kek", "--step", "activate", "--dry-run"))
        self.assertEqual(self.path.read_text(), before)
        self.assertFalse(AuditEvent.objects.exists())

    def test_a_damaged_ring_is_said_and_stays(self):
        self.path.write_text("{")
        self.assertIn("is not JSON", self.refused("kek", "--step", "add"))
        self.assertEqual(self.path.read_text(), "{")


class TheOrder(RingOnDisk, ApiTestCase):
    """A step may only be done when the one before it was."""

    def test_of_two_next_keys_nobody_could_tell_which_is_next(self):
        self.rotate("kek", "--step", "add")
        self.assertIn("waits as next already", self.refused("kek", "--step", "add"))

    def test_nothing_to_activate(self):
        self.assertIn("begin with --step add", self.refused("kek", "--step", "activate"))

    def test_nothing_to_remove(self):
        self.assertIn("no kek key is retired", self.refused("kek", "--step", "remove"))

    def test_an_id_is_never_used_again(self):
        for step in ("add", "activate", "remove", "add"):
            self.rotate("kek", "--step", step)
        self.assertEqual([key.id for key in self.ring.keys if key.use == "kek"], ["1", "2", "3"])

    def test_a_removed_key_has_no_secret_any_more(self):
        secret = json.loads(settings.KEYRING)["keys"][1]["key"]
        for step in ("add", "activate", "remove"):
            self.assertIn(secret, self.path.read_text())
            self.rotate("kek", "--step", step)
        self.assertNotIn(secret, self.path.read_text())
        self.assertEqual(self.states("kek"), ["removed", "active"])

    def test_json_is_for_the_status_and_nothing_is_done_by_the_way(self):
        before = self.path.read_text()
        for arguments in (("kek",), ("kek", "--step", "add")):
            self.assertIn("add --status", self.refused(*arguments, "--json"))
        self.assertEqual(self.path.read_text(), before)

    def test_a_use_must_be_named(self):
        names = "jwt, kek (or field), index, pepper, audit_mac (or audit)"
        with self.assertRaisesMessage(CommandError, f"no key has the use cookies; name one: {names}"):
            self.rotate("cookies")
        with self.assertRaisesMessage(CommandError, f"name a use: {names}; or ask for --status"):
            call_command("keys_rotate")


class TheEnvironment(ApiTestCase):
    """A ring that came as text cannot be changed in its place: the new one goes to a file of the operator's."""

    rotate, refused = RingOnDisk.rotate, RingOnDisk.refused

    def test_it_is_refused_with_the_way_out(self):
        self.assertIn("--out FILE", self.refused("kek", "--step", "add"))
        self.assertFalse(AuditEvent.objects.exists())

    def test_the_new_ring_goes_to_a_new_file(self):
        out = Path(settings.DATA_DIR) / f"ring-{os.getpid()}.json"
        out.parent.mkdir(exist_ok=True)
        self.addCleanup(out.unlink, missing_ok=True)
        self.rotate("kek", "--step", "add", "--out", str(out))
        self.assertEqual([key.state for key in KeyRing.parse(out.read_text()).all("kek")], ["active", "next"])
        self.assertEqual(out.stat().st_mode & 0o777, 0o600)
        self.assertIn("File exists", self.refused("kek", "--step", "add", "--out", str(out)))


class TheStatus(RingOnDisk, ApiTestCase):
    """Which key stands where, and what still needs it."""

    def status(self, *arguments: str) -> dict:
        return json.loads(self.rotate("--status", "--json", *arguments))

    def test_it_tells_state_and_rows_and_no_secret(self):
        person = asha()
        self.rotate("kek", "--step", "add")
        keys = self.status("kek")["keys"]
        self.assertEqual(
            [(k["use"], k["id"], k["state"]) for k in keys], [("kek", "1", "active"), ("kek", "2", "next")]
        )
        self.assertGreaterEqual(keys[0]["rows"], 2)  # of the person and of their company
        self.assertEqual(keys[1]["rows"], 0)
        person.subject.destroy(at=person.created_at)
        self.assertEqual(self.status("kek")["keys"][0]["rows"], keys[0]["rows"] - 1)
        text = self.rotate("--status")
        for entry in json.loads(self.path.read_text())["keys"]:
            self.assertNotIn(entry["key"], text)
            self.assertIn(entry["id"], text)

    def test_every_use_counts_what_needs_its_key(self):
        asha()
        self.log_in(asha())
        rows = {key["use"]: key["rows"] for key in self.status()["keys"]}
        companies_and_addresses = 2 + AuditEvent.objects.filter(address_index__isnull=False).count()
        self.assertEqual((rows["jwt"], rows["index"], rows["pepper"]), (None, companies_and_addresses, 2))
        self.assertEqual(rows["audit_mac"], AuditEvent.objects.filter(tree_index=None).count())

    def test_its_fingerprint_is_equal_for_equal_rings_only(self):
        first = self.status()["fingerprint"]
        self.assertEqual(self.status()["fingerprint"], first)
        self.rotate("kek", "--step", "add")
        self.assertNotEqual(self.status()["fingerprint"], first)


class AllThatCanBeDoneNow(RingOnDisk, ApiTestCase):
    """On a single machine one command goes as far as it can, and the next run goes on from there."""

    def setUp(self):
        super().setUp()
        alone = override_settings(IS_POSTGRESQL=False)
        alone.enable()
        self.addCleanup(alone.disable)

    def test_the_kek_is_done_in_one_run(self):
        person = asha()
        said = self.rotate("kek")
        self.assertEqual(self.states("kek"), ["removed", "active"])
        for words in ("added as next", "is active", "rows brought under kek key 2", "kek key 1 removed"):
            self.assertIn(words, said)
        person.subject.refresh_from_db()
        self.assertEqual(person.subject.kek_version, 2)
        # A server beside it has taken up each ring before what it cannot open is written.
        self.assertEqual(self.waited.call_count, 2)

    def test_the_token_key_waits_twice_and_each_run_says_until_when(self):
        clock = self.stop_the_clock()
        self.assertIn("Then run this again", self.rotate("jwt"))
        self.assertEqual(self.states("jwt"), ["active", "next"])
        clock.advance(seconds=301)
        self.assertIn("jwt key", self.rotate("jwt"))
        self.assertEqual(self.states("jwt"), ["retired", "active"])
        self.assertIn("tokens it signed live until", self.rotate("jwt"))
        self.assertEqual(self.states("jwt"), ["retired", "active"])
        clock.advance(seconds=settings.SESSION_ABSOLUTE_SECONDS + 61)
        self.rotate("jwt")
        self.assertEqual(self.states("jwt"), ["removed", "active"])

    def test_a_dry_run_says_the_first_step(self):
        before = self.path.read_text()
        said = self.rotate("kek", "--dry-run")
        self.assertRegex(said, "dry run.*added as next\nafter it would come: activate, rewrap, remove")
        self.assertEqual(self.path.read_text(), before)

    def test_where_other_hosts_may_be_it_wants_to_be_told_each_step(self):
        with override_settings(IS_POSTGRESQL=True):
            self.assertIn("--step", self.refused("kek"))
        self.assertEqual(self.states("kek"), ["active"])
