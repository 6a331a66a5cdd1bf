"""A bundle of the small sealed log, whoever altered it on its way, and a stranger with the verifier alone."""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from security.tlog import AuditCheckpoint
from tests.commands import output_of
from tests.koshflow.servers import ROOT
from tests.security.tlog.log import SealedLog

VERIFIER = ROOT / "security" / "tlog" / "verify_bundle.py"


class BundleCase(SealedLog):
    def setUp(self):
        super().setUp()
        self.out = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.path = self.out / "bundle.zip"
        self.log = AuditCheckpoint.objects.select_related("log").first().log
        self.key = self.log.verifier_key

    def export(self, *arguments: str) -> str:
        self.path.unlink(missing_ok=True)
        return output_of("audit_export", str(self.path), "--reason", "OPS-8", *arguments)

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

    def assertRefused(self, words: str, *arguments: str) -> None:
        """In one line that can be printed."""
        checked = self.check("--key", self.key, *arguments)
        self.assertEqual((checked.returncode, checked.stderr[:7]), (1, "WRONG: "), checked.stderr or checked.stdout)
        self.assertIn(words, checked.stderr)
        self.assertTrue(checked.stderr.removesuffix("\n").isprintable(), checked.stderr)
