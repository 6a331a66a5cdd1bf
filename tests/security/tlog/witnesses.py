"""A witness as its operator runs it, a process with a folder of its own; and a log without a database to show it."""

import hashlib
import os
import re
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.test import override_settings

from security.tlog import AuditLog, anchoring
from security.tlog.note import Checkpoint, VerifierKey, sign_note, to_base64, verifier_key
from security.tlog.tiles import perfect_root
from security.tlog.tree import CompactRange, consistency_proof
from security.tlog.witness import trust_log
from tests import warm
from tests.ports import free_port
from tests.security.tlog.log import SealedLog

NAME = "witness.example.in"
ORIGIN = "koshflow.example.in/audit/0123456789abcdef/1"


class InventedLog:
    """A log of as many leaves as asked for. Another `history` has other leaves from the sixth on."""

    def __init__(self, *, private: Ed25519PrivateKey | None = None, history: str = "first") -> None:
        self.private = private or Ed25519PrivateKey.generate()
        self.key = verifier_key(ORIGIN, self.private)
        self.history = history

    def leaf(self, index: int) -> bytes:
        text = f"{index if index < 5 else (index, self.history)}"
        return hashlib.sha256(text.encode()).digest()

    def node(self, level: int, index: int) -> bytes:
        return perfect_root(b"".join(self.leaf(at) for at in range(index << level, (index + 1) << level)))

    def checkpoint(self, size: int) -> Checkpoint:
        tree = CompactRange.of(self, size)
        return Checkpoint(origin=ORIGIN, size=size, root=tree.root())

    def note(self, size: int) -> str:
        return sign_note(self.checkpoint(size).text, name=ORIGIN, private=self.private)

    def submission(self, old: int, new: int) -> bytes:
        proof = consistency_proof(self, old=old, new=new)
        return submission(f"old {old}", *map(to_base64, proof), note=self.note(new))


def submission(*lines: str, note: str) -> bytes:
    return ("".join(f"{line}\n" for line in lines) + "\n" + note).encode()


class WitnessHost:
    """`manage.py audit_witness` on a host that has the repository and `home`, and nothing else of ours."""

    def __init__(self, home: Path) -> None:
        self.home, self.folder = home, home / "witness"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.key = ""
        self.process: warm.Process | None = None

    def _command(self, *arguments: str) -> list[str]:
        return ["manage.py", "audit_witness", "--folder", str(self.folder), *arguments]

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "KOSHFLOW_ENV": "local", "KOSHFLOW_DATA_DIR": str(self.home / "nothing")}

    def run(self, *arguments: str) -> str:
        """What the command prints."""
        ended = warm.python(self._command(*arguments), self._environment())
        assert ended.returncode == 0, (ended.returncode, ended.stdout, ended.stderr)
        return ended.stdout

    def start(self) -> "WitnessHost":
        ours, its = os.pipe()
        self._said = os.fdopen(ours)  # until it has ended: it says so
        command = self._command("--serve", f"127.0.0.1:{self.port}")
        self.process = warm.start(command, self._environment(), output=its)
        os.close(its)
        said = self._said.readline()
        assert re.fullmatch(r"Listening on http://127\.0\.0\.1:\d+/add-checkpoint\n", said), said
        return self

    def stop(self) -> int:
        """Ask it to end; its exit code."""
        if self.process is None:
            return 0
        self.process.terminate()
        code = self.process.wait(30)
        self._said.close()
        return code


class WitnessedLog(SealedLog):
    """A sealed log and one witness that trusts it; what the witness remembers goes back after each test."""

    host: WitnessHost  # one for all classes, by a fixture: each has a log of its own, of which it knows nothing yet

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        trust_log(cls.host.folder, VerifierKey.parse(AuditLog.objects.get().verifier_key))
        cls.entry = f"{cls.host.url} {cls.host.key}"

    def setUp(self):
        super().setUp()
        state = self.host.folder / "witness.json"
        self.addCleanup(state.write_bytes, state.read_bytes())
        self.enterContext(override_settings(AUDIT_WITNESSES=[self.entry]))
        anchoring._standings.clear()
