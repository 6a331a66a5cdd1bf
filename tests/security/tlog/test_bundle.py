"""Bundles: written by the command, verified by a program that knows nothing else of ours, and refused when forged."""

import json
import subprocess
import sys
import tempfile
import zipfile
from io import StringIO
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management import CommandError, call_command

from security.audit import AuditEvent
from security.tlog import AuditCheckpoint, seal_pending, verify_bundle
from tests.koshflow.servers import ROOT
from tests.security.audit.examples import ADDRESS
from tests.security.tlog.log import SIZES, Intruder, SealedLog

VERIFIER = ROOT / "security" / "tlog" / "verify_bundle.py"


class Bundles(SealedLog):
    def setUp(self):
        super().setUp()
        self.out = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.path = self.out / "bundle.zip"
        self.key = AuditCheckpoint.objects.select_related("log").first().log.verifier_key

    def export(self, *arguments: str) -> str:
        self.path.unlink(missing_ok=True)
        out = StringIO()
        call_command("audit_export", str(self.path), "--reason", "OPS-8", *arguments, stdout=out)
        return out.getvalue()

    def check(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the verifier as a stranger would: elsewhere, alone."""
        alone = self.out / "alone"
        alone.mkdir(exist_ok=True)
        (alone / "verify_bundle.py").write_text(VERIFIER.read_text())
        command = [sys.executable, "-I", "verify_bundle.py", *arguments, str(self.path)]
        return subprocess.run(command, cwd=alone, env={}, capture_output=True, text=True, timeout=60, check=False)

    def forge(self, name: str, content: bytes | str | None) -> None:
        """Replace a member of the bundle, or leave it out."""
        with zipfile.ZipFile(self.path) as bundle:
            members = {member: bundle.read(member) for member in bundle.namelist()}
        members.pop(name)
        with zipfile.ZipFile(self.path, "w") as bundle:
            for member, held in members.items():
                bundle.writestr(member, held)
            if content is not None:
                bundle.writestr(name, content)

    def member(self, name: str) -> bytes:
        with zipfile.ZipFile(self.path) as bundle:
            return bundle.read(name)

    def test_a_stranger_proves_the_whole_log(self):
        self.assertIn(f"{SIZES[-1]} of {SIZES[-1]} signed events", self.export())
        checked = self.check("--key", self.key)
        self.assertEqual((checked.returncode, checked.stderr), (0, ""), checked.stderr)
        self.assertIn(f"signed {SIZES[-1]} events", checked.stdout)
        self.assertIn(f"{SIZES[-1]} of them are here", checked.stdout)
        self.assertIn("3 checkpoints lead to this one", checked.stdout)

    def test_the_file_is_its_makers_alone_and_never_replaced(self):
        self.export()
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)
        with self.assertRaisesRegex(CommandError, "name a new file"):
            call_command("audit_export", str(self.path), "--reason", "x")

    def test_part_of_the_log_is_proved_without_the_rest(self):
        told = json.loads(self.export("--since", "250", "--until", "300", "--json"))
        self.assertEqual(told, {"size": SIZES[-1], "events": 50, "disclosures": 0})
        checked = self.check("--key", self.key, "--list")
        listed = [json.loads(line) for line in checked.stdout.splitlines()]
        self.assertEqual([one["index"] for one in listed], list(range(250, 300)))
        self.assertEqual({one["event"]["type"] for one in listed}, {"session.created"})

    def test_personal_values_go_along_only_when_asked_for_and_are_proved(self):
        self.export()
        self.assertNotIn(ADDRESS, self.check("--key", self.key, "--list").stdout)
        told = json.loads(self.export("--until", "3", "--disclose", "--json"))
        self.assertEqual(told["disclosures"], 3)
        checked = self.check("--key", self.key, "--list")
        self.assertEqual(json.loads(checked.stdout.splitlines()[0])["disclosed"], {"address": ADDRESS})
        self.forge("disclosures", self.member("disclosures").replace(ADDRESS.encode(), b"203.0.113.8"))
        self.assertIn("address of event 0 is not the value", self.check("--key", self.key).stderr)

    def test_the_export_is_itself_an_event(self):
        self.export("--disclose")
        event = AuditEvent.objects.latest("id").parsed_leaf()
        self.assertEqual(
            (event.type, event.data["reason"], event.data["disclosing"]), ("audit.exported", "OPS-8", True)
        )

    def test_a_log_that_grew_proves_the_checkpoint_you_kept(self):
        kept = self.out / "kept.txt"
        kept.write_text(AuditCheckpoint.objects.get(size=SIZES[0]).note)
        self.act(300)
        seal_pending()
        self.export()
        checked = self.check("--key", self.key, "--old", str(kept))
        self.assertEqual(checked.returncode, 0, checked.stderr)
        self.assertIn("1 of them kept by you", checked.stdout)

    def test_a_history_that_differs_from_the_checkpoint_you_kept_is_wrong(self):
        kept = self.out / "kept.txt"
        kept.write_text(AuditCheckpoint.objects.get(size=SIZES[0]).note)
        private = Ed25519PrivateKey.generate()
        Intruder().sign_again(private, is_key_replaced=True)  # all fits together, under another key
        self.export()
        self.assertIn("not signed by the key you gave", self.check("--key", self.key, "--old", str(kept)).stderr)
        mine = AuditCheckpoint.objects.select_related("log").first().log.verifier_key
        self.assertEqual(self.check("--key", mine).returncode, 0)
        self.assertEqual(self.check("--key", mine, "--old", str(kept)).returncode, 1)

    def test_without_a_key_of_yours_nothing_is_proved(self):
        self.export()
        checked = self.check()
        self.assertEqual(checked.returncode, 2)
        self.assertIn("NOT PROVED", checked.stderr)

    def test_what_is_forged_in_the_file_is_found(self):
        self.export()
        entries = self.member("tile/entries/000")
        hashes = self.member("tile/0/000")
        note = self.member("checkpoint").decode()
        cases = {
            "event 0 is not": ("tile/entries/000", entries.replace(b"success", b"refused", 1)),
            "are cut": ("tile/entries/000", entries[:-1]),
            "do not give the root": ("tile/0/000", hashes[32:64] + hashes[:32] + hashes[64:]),
            "hashes from place 256 on are missing": ("tile/0/001", None),
            "signature of": ("checkpoint", note.replace(f"\n{SIZES[-1]}\n", f"\n{SIZES[-1] - 1}\n")),
            "not signed by the key": ("checkpoint", note.rpartition("\n\n")[0] + "\n\n"),
            "not a signed note": ("checkpoint", ""),
        }
        for words, (name, content) in cases.items():
            with self.subTest(words=words):
                # Without its events, nothing but the root can show a swapped hash.
                self.export(*(["--since", "300"] if "root" in words else []))
                self.forge(name, content)
                checked = self.check("--key", self.key)
                self.assertEqual(checked.returncode, 1, checked.stdout)
                self.assertIn(words, checked.stderr)

    def test_what_is_no_bundle_is_said_in_a_line(self):
        self.path.write_bytes(b"no zip")
        for path, code in ((str(self.path), 1), (str(self.out / "absent.zip"), 2)):
            done = subprocess.run(
                [sys.executable, "-I", str(VERIFIER), path], capture_output=True, text=True, timeout=60, check=False
            )
            self.assertEqual((done.returncode, done.stderr.count("\n")), (code, 1), done.stderr)

    def test_the_verifier_needs_python_and_one_package(self):
        imported = {
            line.split()[1].split(".")[0]
            for line in VERIFIER.read_text().splitlines()
            if line.startswith(("import ", "from "))
        }
        self.assertEqual(imported - set(sys.stdlib_module_names), {"cryptography"})
        self.assertIs(verify_bundle.Tree().root().__class__, bytes)

    def test_nothing_is_exported_before_something_is_signed(self):
        AuditCheckpoint.objects.update(note="")
        with self.assertRaisesRegex(CommandError, "nothing is signed"):
            self.export()
        self.assertFalse(self.path.exists())

    def test_an_index_below_zero_is_refused(self):
        for arguments in (("--since", "-1"), ("--since", "5", "--until", "4")):
            with self.subTest(arguments=arguments), self.assertRaises(CommandError):
                self.export(*arguments)
