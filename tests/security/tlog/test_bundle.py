"""Bundles: written by the command, verified by a program that knows nothing else of ours, and refused when forged."""

import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from base64 import b64decode
from io import StringIO
from pathlib import Path
from unittest import mock

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management import CommandError, call_command

from security.audit import AuditEvent
from security.tlog import AuditCheckpoint, prove, seal_pending, verify_bundle
from security.tlog.note import sign_note, verifier_key
from tests.commands import output_of
from tests.security.audit.examples import ADDRESS
from tests.security.tlog.bundles import VERIFIER, BundleCase
from tests.security.tlog.log import SIZES, Intruder, SealedLog


class Bundles(BundleCase):
    def test_a_stranger_proves_the_whole_log(self):
        self.assertIn(f"{SIZES[-1]} of {SIZES[-1]} signed events", self.export())
        checked = self.check("--key", self.key)
        self.assertEqual((checked.returncode, checked.stderr), (0, ""), checked.stderr)
        self.assertIn(f"signed {SIZES[-1]} events", checked.stdout)
        self.assertIn(f"{SIZES[-1]} of them are here", checked.stdout)
        self.assertIn("3 checkpoints lead to this one", checked.stdout)

    def test_of_old_checkpoints_the_last_of_each_day_goes_along(self):
        with mock.patch("security.tlog.export._MOST_CHECKPOINTS", 1):
            self.export()
        sizes = [note.split("\n")[1] for note in verify_bundle.split_notes(self.member("checkpoints").decode())]
        self.assertEqual(sizes, [str(size) for size in SIZES[1:]])
        self.assertIn("2 checkpoints lead to this one", self.check("--key", self.key).stdout)

    def test_the_command_verifies_one_as_a_stranger_does(self):
        self.export()
        self.assertIn(f"signed {SIZES[-1]} events", self.by_command("--key", self.key))
        self.assertIn("NOT PROVED", self.by_command(ends=2))
        told = json.loads(self.by_command("--key", self.key, "--json"))
        self.assertEqual((told["verified"], told["said"][2]), (True, f"Events 0 to {SIZES[-1] - 1} are whole."))
        self.forge("checkpoint", "forged")
        self.assertIn("WRONG: ", self.by_command("--key", self.key, ends=1))
        with self.assertRaises(CommandError):
            self.by_command("--processes", "1")

    def by_command(self, *arguments: str, ends: int = 0) -> str:
        out = StringIO()
        with self.assertRaises(SystemExit) as ended:
            call_command("audit_verify", "--bundle", str(self.path), *arguments, stdout=out)
        self.assertEqual(ended.exception.code, ends)
        return out.getvalue()

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
        printed, published, empty = (self.out / name for name in ("printed.txt", "checkpoints.txt", "empty.txt"))
        printed.write_text(output_of("audit_checkpoint"))  # with the key behind it
        published.write_bytes((self.folder / "checkpoints.txt").read_bytes())
        empty.write_text("\n")
        self.act(300)
        seal_pending()
        self.export()
        for kept, count in ((printed, 1), (published, len(SIZES))):
            checked = self.check("--key", self.key, "--old", str(kept))
            self.assertEqual(checked.returncode, 0, checked.stderr)
            self.assertIn(f"{count} of them kept by you", checked.stdout)
        self.assertIn("not a signed note", self.check("--key", self.key, "--old", str(empty)).stderr)

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

    def test_a_history_of_the_same_size_that_differs_from_the_checkpoint_you_kept_is_wrong(self):
        kept = AuditCheckpoint.objects.get(size=SIZES[-1]).note
        text = kept.rpartition("\n\n")[0] + "\n"
        forked = text.replace(text.split("\n")[2], "A" * 43 + "=")
        stolen = b64decode(json.loads((self.folder / "signed.json").read_text())["key"])
        private = Ed25519PrivateKey.from_private_bytes(stolen)
        self.export()
        (self.out / "kept.txt").write_text(kept)
        (self.out / "forked.txt").write_text(sign_note(forked, name=self.log.origin, private=private))
        for old, code in ((["kept.txt"], 0), (["forked.txt"], 1), (["forked.txt", "kept.txt"], 1)):
            with self.subTest(old):
                arguments = [part for name in old for part in ("--old", str(self.out / name))]
                checked = self.check("--key", self.key, *arguments)
                self.assertEqual(checked.returncode, code, checked.stdout)
                if code:
                    self.assertIn(f"the root of the checkpoint you kept of {SIZES[-1]} events", checked.stderr)

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

    def test_a_pruning_from_before_the_tree_is_none(self):
        """Its tile would be one that no root is over."""
        self.export("--since", "1")
        digest = hashlib.sha256(bytes(8) + self.member("tile/0/000")[:32]).hexdigest()
        data = {"class": "noise", "until": "2032-03-20T06:00:03.000000Z", "count": 1, "digest": digest}
        leaf = json.dumps({"type": "audit.pruned", "data": data})
        lines = {"event": -1, "leaf": leaf}, {"event": -1, "tile": 0, "places": "80" + "0" * 62}
        self.forge("prunings", "".join(json.dumps(line) + "\n" for line in lines))
        with zipfile.ZipFile(self.path, "a") as bundle:
            bundle.writestr("tile/0/999", bytes(255 * 32) + hashlib.sha256(b"\0" + leaf.encode()).digest())
        self.assertRefused("the hashes from place -256 on are missing", "--whole")

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

    def test_nothing_is_exported_before_something_is_signed(self):
        Intruder().run("UPDATE audit_checkpoint SET note = ''")
        with self.assertRaisesRegex(CommandError, "nothing is signed"):
            self.export()
        self.assertFalse(self.path.exists())
        self.assertFalse(AuditEvent.objects.filter(type="audit.exported").exists())

    def test_a_reason_that_may_not_be_kept_for_ever_is_refused(self):
        for reason in ("", "asked by asha@lotus.example.in", "x" * 9000):
            with self.subTest(reason=reason[:40]), self.assertRaisesRegex(CommandError, "reason"):
                self.export("--reason", reason)
        self.assertFalse(self.path.exists())

    def test_an_index_below_zero_is_refused(self):
        for arguments in (("--since", "-1"), ("--since", "5", "--until", "4")):
            with self.subTest(arguments=arguments), self.assertRaises(CommandError):
                self.export(*arguments)


class SingleEvents(SealedLog):
    """One event and its proof in a file each (c2sp.org/tlog-proof): a stranger needs no more, and the log's key."""

    def setUp(self):
        super().setUp()
        self.out = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.key = AuditCheckpoint.objects.select_related("log").first().log.verifier_key

    def check(self, index: int, *arguments: str, proof: str | None = None, event: bytes | None = None):
        row = AuditEvent.objects.get(tree_index=index)
        (self.out / "proof").write_text(prove(row).text if proof is None else proof)
        (self.out / "event").write_bytes(bytes(row.leaf) if event is None else event)
        command = [sys.executable, "-I", str(VERIFIER), "--proof", "proof", "--event", "event", *arguments]
        return subprocess.run(command, cwd=self.out, env={}, capture_output=True, text=True, timeout=60, check=False)

    def test_every_place_of_the_tree_proves(self):
        key = verify_bundle.parse_key(self.key)
        for row in AuditEvent.objects.filter(tree_index__in=[0, 1, 2, 254, 255, 256, 257, 511, 512, 528, 529]):
            told = verify_bundle.verify_single(prove(row).text, bytes(row.leaf), [key])
            self.assertIn(f"is event {row.tree_index} of them", told[1])

    def test_the_file_is_the_one_of_the_specification(self):
        lines = prove(AuditEvent.objects.get(tree_index=5)).text.split("\n")
        self.assertEqual(lines[:2], ["c2sp.org/tlog-proof@v1", "index 5"])
        empty = lines.index("")
        self.assertEqual({len(line) for line in lines[2:empty]}, {44})
        self.assertEqual("\n".join(lines[empty + 1 :]), AuditCheckpoint.objects.get(size=SIZES[-1]).note)

    def test_a_stranger_proves_one_event_however_its_file_is_laid_out(self):
        leaf = json.loads(bytes(AuditEvent.objects.get(tree_index=300).leaf))
        for event in (None, json.dumps(leaf, indent=2).encode()):
            checked = self.check(300, "--key", self.key, event=event)
            self.assertEqual((checked.returncode, checked.stderr), (0, ""))
            self.assertIn("session.created of", checked.stdout)

    def test_extra_data_is_passed_over(self):
        text = prove(AuditEvent.objects.get(tree_index=3)).text.replace("\nindex", "\nextra AAAA\nindex", 1)
        self.assertEqual(self.check(3, "--key", self.key, proof=text).returncode, 0)

    def test_what_does_not_belong_together_is_wrong(self):
        row = AuditEvent.objects.get(tree_index=7)
        text, leaf = prove(row).text, bytes(row.leaf)
        lines = text.split("\n")
        cases = {
            "not the event": {"event": leaf.replace(b"success", b"refused")},
            "this is not the event": {"proof": text.replace("index 7", "index 8")},
            "no path from event 7": {"proof": "\n".join([*lines[:2], *[lines[2]] * 11, *lines[lines.index("") :]])},
            "no path from event 530 to a root over 530": {"proof": text.replace("index 7", "index 530")},
            "no path from event 7 ": {"proof": "\n".join([*lines[:2], *lines[3:]])},
            "not the proof of an event": {"proof": "x\n\n" + text},
            "stands twice": {"event": b'{"type":"session.ended",' + leaf[1:]},
            "BOM": {"event": "\ufeff".encode() + leaf},
            "signature of": {"proof": text.replace(f"\n{SIZES[-1]}\n", f"\n{SIZES[-1] - 1}\n")},
        }
        for words, files in cases.items():
            with self.subTest(words=words):
                checked = self.check(7, "--key", self.key, **files)
                self.assertEqual(checked.returncode, 1, checked.stdout)
                self.assertIn(words, checked.stderr)
        for files in (
            {"event": b"{"},
            {"event": b"[" * 100_000},
            {"proof": ""},
            {"proof": text.replace("index 7", "index x")},
        ):
            checked = self.check(7, "--key", self.key, **files)
            self.assertEqual((checked.returncode, checked.stderr.count("\n")), (1, 1), checked.stderr)

    def test_no_key_is_believed(self):
        self.assertIn("give the one you trust", self.check(7).stderr)
        checked = self.check(7, "--key", str(verifier_key("x.example", Ed25519PrivateKey.generate())))
        self.assertIn("not signed by the key you gave", checked.stderr)

    def test_a_checkpoint_that_was_kept_is_not_passed_over_in_silence(self):
        kept = self.folder.parent / "kept"
        kept.write_text("of another history")
        checked = self.check(7, "--key", self.key, "--old", str(kept))
        self.assertEqual((checked.returncode, checked.stdout), (2, ""))
        self.assertIn("no --old", checked.stderr)

    def test_half_of_it_is_refused(self):
        for arguments in (["--proof", "p"], ["--event", "e"], [], ["--proof", "p", "--event", "e", "bundle.zip"]):
            done = subprocess.run(
                [sys.executable, "-I", str(VERIFIER), *arguments],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            self.assertEqual(done.returncode, 2)
            self.assertIn("give a bundle, or --proof and --event", done.stderr)
