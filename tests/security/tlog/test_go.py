"""A second implementation reads our log: Go's own, which proves what its checksum database says of modules.

The program is `go/check_log.go`. It needs Go and Debian's golang-golang-x-mod-dev; without them the closing lines of a
run say that nothing here was proved.
"""

import json
import os
import subprocess
import tempfile
import zipfile
from io import StringIO
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management import call_command

from accounts.login.services import sign_in
from accounts.staff import StaffRole
from security.tlog import AuditCheckpoint
from security.tlog.note import Checkpoint, sign_note, verifier_key
from tests.accounts.admin.door import hire, with_factor
from tests.base import ApiMixin
from tests.programs import GO_SOURCES
from tests.security.tlog.log import SIZES, SealedLog

pytestmark = pytest.mark.go

PROGRAM = Path(__file__).parent / "go" / "check_log.go"
BUILD_SECONDS = 300


class ReadByGo(ApiMixin, SealedLog):
    """What Go's x/mod/sumdb proves of a bundle and of the tiles at the API, and what it refuses."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.built = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        # Without modules: nothing is fetched, the packages are Debian's.
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(cls.built),
            "GOPATH": str(GO_SOURCES),
            "GO111MODULE": "off",
            "GOFLAGS": "",
            "CGO_ENABLED": "0",
        }
        subprocess.run(
            ["go", "build", "-o", str(cls.built / "check_log"), str(PROGRAM)],
            cwd=cls.built,
            env=environment,
            check=True,
            timeout=BUILD_SECONDS,
        )

    def setUp(self):
        super().setUp()
        self.out = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.path = self.out / "bundle.zip"
        self.key = AuditCheckpoint.objects.select_related("log").first().log.verifier_key

    def on_commit(self):
        return self.captureOnCommitCallbacks(execute=True)

    def export(self) -> dict[str, bytes]:
        """The members of a bundle that the command wrote."""
        self.path.unlink(missing_ok=True)
        call_command("audit_export", str(self.path), "--reason", "OPS-8", stdout=StringIO())
        with zipfile.ZipFile(self.path) as bundle:
            return {name: bundle.read(name) for name in bundle.namelist()}

    def check(self, members: dict[str, bytes], *, key: str = "", old: str = "") -> subprocess.CompletedProcess[str]:
        with zipfile.ZipFile(self.path, "w") as bundle:
            for name, content in members.items():
                bundle.writestr(name, content)
        (kept := self.out / "old").write_text(old)
        command = [str(self.built / "check_log"), key or self.key, str(self.path), *([str(kept)] if old else [])]
        return subprocess.run(command, env={}, capture_output=True, text=True, timeout=60, check=False)

    def assertProved(self, done: subprocess.CompletedProcess[str], **told: object) -> None:
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(json.loads(done.stdout), told)

    def assertRefused(self, done: subprocess.CompletedProcess[str], words: str) -> None:
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertRegex(done.stderr, words)

    def test_signature_root_and_every_event_hold_and_it_grew_from_each_checkpoint(self):
        members = self.export()
        for size in SIZES:
            old = AuditCheckpoint.objects.get(size=size).note
            self.assertProved(self.check(members, old=old), size=SIZES[-1], events=SIZES[-1], grew_from=[size])

    def test_the_tiles_at_the_api_are_the_same_log(self):
        omar = with_factor(hire(StaffRole.AUDITOR)).user
        token = sign_in(user=omar, amr="pwd otp").tokens.access
        names = [f"tile/{level}/{at}" for level in ("0", "entries") for at in ("000", "001", "002.p/18")]
        read = {}
        for name in ("checkpoint", *names, "tile/1/000.p/2"):
            response = self.get(f"/api/audit/log/{name}", token=token)
            self.assertEqual(response.status_code, 200, name)
            read[name] = response.content
        self.assertProved(self.check(read), size=SIZES[-1], events=SIZES[-1], grew_from=[])

    def test_what_is_forged_is_refused(self):
        members = self.export()
        entries, hashes, note = (members[name] for name in ("tile/entries/000", "tile/0/000", "checkpoint"))
        swapped = hashes[32:64] + hashes[:32] + hashes[64:]
        for words, name, content in (
            ("event 0: invalid transparency proof", "tile/entries/000", entries.replace(b"success", b"refused", 1)),
            ("the events are cut", "tile/entries/000", entries[:-1]),
            ("too many", "tile/entries/000", entries + b"\0\0"),
            # Which of the two says it is a matter of the release: up to 0.7 Go does not check this tile by itself.
            ("(downloaded inconsistent tile|event 0: invalid transparency proof)", "tile/0/000", swapped),
            ("downloaded inconsistent tile", "tile/0/002.p/18", members["tile/0/002.p/18"][::-1]),
            ("invalid signature for key", "checkpoint", note.replace(b"\n530\n", b"\n529\n")),
            ("malformed note", "checkpoint", b""),
        ):
            with self.subTest(words=words, name=name):
                self.assertRefused(self.check({**members, name: content}), words)

    def test_another_key_is_no_proof(self):
        stranger = verifier_key(self.key.partition("+")[0], Ed25519PrivateKey.generate())
        self.assertRefused(self.check(self.export(), key=str(stranger)), "no verifiable signatures")

    def test_a_checkpoint_that_it_did_not_grow_from_is_refused(self):
        members, origin, log = self.export(), self.key.partition("+")[0], Ed25519PrivateKey.generate()
        text = members["checkpoint"].decode().partition("\n\n")[0] + "\n"
        members["checkpoint"] = sign_note(text, name=origin, private=log).encode()
        key = str(verifier_key(origin, log))
        for root, is_ours in ((bytes(AuditCheckpoint.objects.get(size=SIZES[0]).root), True), (b"\7" * 32, False)):
            old = sign_note(Checkpoint(origin, SIZES[0], root).text, name=origin, private=log)
            done = self.check(members, key=key, old=old)
            if is_ours:
                self.assertProved(done, size=SIZES[-1], events=SIZES[-1], grew_from=[SIZES[0]])
            else:
                self.assertRefused(done, f"it did not grow from {SIZES[0]}")
