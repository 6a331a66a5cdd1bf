"""The witness's side of c2sp.org/tlog-witness: cosigns a checkpoint only if its tree grew from the last cosigned one.

Owns the witness's folder, one file with its key and what it saw of each log. Speaks no HTTP, needs no database and no
key ring: it belongs on another host, or at least under another account, than the log.
"""

import hmac
import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from security.tlog.note import (
    COSIGNATURE,
    ED25519,
    MAX_NOTE_BYTES,
    Checkpoint,
    NoteInvalid,
    NotSigned,
    VerifierKey,
    cosignature,
    from_base64,
    open_note,
    verifier_key,
)
from security.tlog.tree import EMPTY_ROOT, HASH_BYTES, ProofInvalid, verify_consistency
from security.whole_files import held, replace_whole

STATE = "witness.json"
MAX_PROOF_LINES = 63
MAX_BODY_BYTES = MAX_NOTE_BYTES + 64 * 50
_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})", re.ASCII)


class WitnessUnavailable(RuntimeError):  # noqa: N818 - named for what happened
    """The folder cannot be read or written, or is not what the command takes it for. The message names the remedy."""


class Refused(Exception):  # noqa: N818 - an answer, no error
    """Not cosigned. `status` is the answer of tlog-witness; `size` that of the last cosigned tree, where it is told.

    `note` is what the log signed where that is another tree than the cosigned one: the proof that it did.
    """

    def __init__(self, status: HTTPStatus, what: str, *, size: int | None = None, note: str = "") -> None:
        super().__init__(what)
        self.status, self.size, self.note = status, size, note


@dataclass(frozen=True, slots=True)
class Submission:
    """What a log sends: the size of the tree that the witness knows, a proof of growth, and the new checkpoint."""

    old: int
    proof: tuple[bytes, ...]
    note: str
    checkpoint: Checkpoint

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Raises Refused (400). A checkpoint with extension lines is refused: nothing here would know their meaning."""
        try:
            head, _, note = body.decode().partition("\n\n")
            first, *lines = head.split("\n")
            old, proof = _OLD.fullmatch(first), tuple(from_base64(line) for line in lines)
            checkpoint = Checkpoint.parse(note.rpartition("\n\n")[0] + "\n")
        except (UnicodeDecodeError, NoteInvalid) as invalid:
            raise Refused(HTTPStatus.BAD_REQUEST, f"not a submission: {invalid}") from invalid
        if old is None or len(proof) > MAX_PROOF_LINES or any(len(one) != HASH_BYTES for one in proof):
            raise Refused(HTTPStatus.BAD_REQUEST, "not a submission: its first lines have no valid form")
        if int(old[1]) > checkpoint.size:
            raise Refused(HTTPStatus.BAD_REQUEST, "the old size is above the checkpoint's")
        return cls(old=int(old[1]), proof=proof, note=note, checkpoint=checkpoint)


@dataclass(frozen=True, slots=True)
class Log:
    """A log that the witness was told to trust, and its last cosigned note, "" before the first."""

    key: VerifierKey
    note: str = ""

    @property
    def last(self) -> Checkpoint:
        """The last cosigned tree."""
        if not self.note:
            return Checkpoint(origin=self.key.name, size=0, root=EMPTY_ROOT)
        return Checkpoint.parse(open_note(self.note, [self.key]).text)

    def judge(self, submission: Submission) -> str:
        """The submitted note with the log's signature alone, which may be cosigned. Raises Refused (400 to 422)."""
        try:
            opened = open_note(submission.note, [self.key])
        except NotSigned as unsigned:
            raise Refused(HTTPStatus.FORBIDDEN, str(unsigned)) from unsigned
        except NoteInvalid as invalid:
            raise Refused(HTTPStatus.BAD_REQUEST, str(invalid)) from invalid
        last, new = self.last, submission.checkpoint
        if submission.old != last.size:
            raise Refused(HTTPStatus.CONFLICT, f"the last cosigned tree has {last.size} leaves", size=last.size)
        if new.size == last.size and not hmac.compare_digest(new.root, last.root):
            what = f"another tree of {last.size} leaves is cosigned"
            raise Refused(HTTPStatus.CONFLICT, what, size=last.size, note=opened.note)
        try:
            verify_consistency(
                old=last.size, old_root=last.root, new=new.size, new_root=new.root, proof=submission.proof
            )
        except ProofInvalid as invalid:
            raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, str(invalid), note=opened.note) from invalid
        return opened.note


def make_witness(folder: Path, *, name: str) -> VerifierKey:
    """Make the witness of `folder`, or find it there under the same name; its verifier key.

    Raises WitnessUnavailable, ValueError for a name with a space or a plus sign.
    """
    private = Ed25519PrivateKey.generate()
    key = verifier_key(name, private, algorithm=COSIGNATURE)
    with _as_unavailable(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with held(folder / STATE):
            if not (folder / STATE).exists():
                _State(folder, name, private, {}).write()
                return key
    with _hold(folder) as state:
        if state.name != name:
            raise WitnessUnavailable(f"{folder} is the folder of the witness {state.name}; name another folder")
        return state.key


def check_is_witness(folder: Path) -> None:
    """Raises WitnessUnavailable unless `folder` is a witness's and can be read."""
    with _hold(folder):
        return


def trust_log(folder: Path, key: VerifierKey) -> None:
    """Cosign checkpoints of the log with `key` from now on. Raises WitnessUnavailable."""
    if key.algorithm != ED25519:
        raise WitnessUnavailable("this is the key of a witness; a log's is printed by audit_checkpoint")
    with _hold(folder) as state:
        if state.logs.setdefault(key.name, Log(key)).key != key:
            # Whoever could exchange the key could begin another history under the same name.
            raise WitnessUnavailable(f"{key.name} is trusted under another key; a log whose key is lost has a new name")
        state.write()


def cosign(folder: Path, body: bytes, *, now: int) -> str:
    """The cosignature line over the checkpoint that the request `body` submits, remembered before it is returned.

    `now` is Unix time in seconds. Raises Refused, WitnessUnavailable.
    """
    submission = Submission.parse(body)
    # Held from reading to writing: of two trees that come at once, the second meets the first.
    with _hold(folder) as state:
        log = state.logs.get(submission.checkpoint.origin)
        if log is None:
            raise Refused(HTTPStatus.NOT_FOUND, "this log is not trusted here")
        note = log.judge(submission)
        line = cosignature(submission.checkpoint.text, name=state.name, private=state.private, seen_at=now)
        state.logs[log.key.name] = Log(log.key, note + line)
        state.write()
        return line


def last_cosigned(folder: Path, origin: str) -> str:
    """The last checkpoint of the log `origin` with the witness's signature. Raises WitnessUnavailable."""
    with _hold(folder) as state:
        log = state.logs.get(origin)
        if log is None:
            raise WitnessUnavailable(f"no such log is trusted here, but these: {', '.join(state.logs) or 'none'}")
        if not log.note:
            raise WitnessUnavailable(f"nothing of {origin} was cosigned yet")
        return log.note


@dataclass(frozen=True, slots=True)
class _State:
    folder: Path
    name: str
    private: Ed25519PrivateKey
    logs: dict[str, Log]

    @property
    def key(self) -> VerifierKey:
        return verifier_key(self.name, self.private, algorithm=COSIGNATURE)

    def write(self) -> None:
        logs = {origin: {"key": str(log.key), "note": log.note} for origin, log in self.logs.items()}
        key = b64encode(self.private.private_bytes_raw()).decode()
        replace_whole(self.folder / STATE, json.dumps({"name": self.name, "key": key, "logs": logs}))


@contextmanager
def _hold(folder: Path) -> Iterator[_State]:
    """The state of `folder`, which nobody else on this machine reads or writes inside the block."""
    path = folder / STATE
    with _as_unavailable(path), held(path):
        try:
            document = json.loads(path.read_text())
            private = Ed25519PrivateKey.from_private_bytes(b64decode(document["key"], validate=True))
            logs = {origin: Log(VerifierKey.parse(log["key"]), log["note"]) for origin, log in document["logs"].items()}
            state = _State(folder, document["name"], private, logs)
        except (ValueError, KeyError, TypeError, AttributeError):
            # The parser's error quotes the file, which holds a key.
            raise WitnessUnavailable(f"{path} is not the state of a witness: put back the copy you keep") from None
        yield state


@contextmanager
def _as_unavailable(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise WitnessUnavailable(f"{path} is not there; --init NAME makes a witness") from error
    except OSError as error:
        raise WitnessUnavailable(f"{path}: {error.strerror}; it must be writable by this account alone") from error
