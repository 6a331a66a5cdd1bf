"""What a stranger learns by the key of a witness: which history somebody outside has seen, and that it is this one."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from security.audit import AuditEvent
from security.tlog import AuditLog, prove
from security.tlog.note import COSIGNATURE, verifier_key
from tests.commands import output_of
from tests.koshflow.servers import ROOT
from tests.security.tlog.log import SIZES
from tests.security.tlog.test_testimony import RewriteCase
from tests.security.tlog.witnesses import NAME

pytestmark = pytest.mark.usefixtures("witness")

VERIFIER = ROOT / "security" / "tlog" / "verify_bundle.py"


class Cosigned(RewriteCase):
    def setUp(self):
        super().setUp()
        self.out = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.path = self.out / "bundle.zip"

    def export(self) -> None:
        output_of("audit_export", str(self.path), "--reason", "OPS-8")

    def verify_alone(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        key = AuditLog.objects.get().verifier_key
        command = [sys.executable, "-I", str(VERIFIER), "--key", key, *arguments]
        return subprocess.run(command, env={}, capture_output=True, text=True, timeout=60, check=False)

    def test_it_says_up_to_where_the_witness_has_seen_this_history(self):
        self.act(20)
        self.export()
        done = self.verify_alone("--witness", self.host.key, str(self.path))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn(f"{NAME} cosigned 1, the last of {SIZES[-1]} events.", done.stdout)

    def test_a_history_written_anew_under_the_stolen_key_is_found_by_the_witness_alone(self):
        self.write_anew(added=1, are_anchors_kept=True)
        self.export()
        self.assertEqual(self.verify_alone(str(self.path)).returncode, 0)
        done = self.verify_alone("--witness", self.host.key, str(self.path))
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn(f"the root of a checkpoint that {NAME} cosigned of {SIZES[-1]} events", done.stderr)

    def test_what_the_witness_did_not_sign_proves_nothing(self):
        self.export()
        other = Ed25519PrivateKey.generate()
        keys = {
            "not signed by the key you gave": str(verifier_key(NAME, other, algorithm=COSIGNATURE)),
            "no checkpoint here is cosigned by w.example": str(verifier_key("w.example", other, algorithm=COSIGNATURE)),
            "not the text of a witness's": AuditLog.objects.get().verifier_key,
        }
        for words, key in keys.items():
            with self.subTest(words):
                done = self.verify_alone("--witness", key, str(self.path))
                self.assertEqual(done.returncode, 1, done.stdout)
                self.assertIn(words, done.stderr)

    def test_the_key_of_a_witness_is_not_taken_for_the_one_of_the_log(self):
        self.export()
        self.assertIn("not the text of a log's", self.verify_alone("--key", self.host.key, str(self.path)).stderr)

    def test_without_its_signature_a_bundle_is_refused(self):
        self.intruder.forget_anchors()
        self.export()
        done = self.verify_alone("--witness", self.host.key, str(self.path))
        self.assertEqual((done.returncode, done.stderr), (1, f"WRONG: no checkpoint here is cosigned by {NAME}\n"))

    def test_a_single_event(self):
        event = AuditEvent.objects.get(tree_index=300)
        proof, leaf = self.out / "proof", self.out / "event"
        leaf.write_bytes(bytes(event.leaf))
        proof.write_text(prove(event).text)
        arguments = ("--witness", self.host.key, "--proof", str(proof), "--event", str(leaf))
        self.assertIn(f"{NAME} cosigned it.", self.verify_alone(*arguments).stdout)
        self.intruder.forget_anchors()
        proof.write_text(prove(event).text)
        self.assertIn("no checkpoint here is cosigned", self.verify_alone(*arguments).stderr)
