"""The log's signing key and its memory, in a folder outside the database. Signs a tree only if it grew from the last.

Who can rewrite the whole database cannot make this folder forget what it signed: a smaller tree, or another one of
the same size, is refused here. One folder serves one log; on many hosts it is one shared folder, or one sealing host.
"""

import json
import os
import secrets
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from security.tlog.note import Checkpoint, NoteInvalid, VerifierKey, open_note, sign_note, verifier_key
from security.tlog.tree import EMPTY_ROOT, ProofInvalid, verify_consistency
from security.whole_files import held, replace_whole, write_whole

STATE = "signed.json"
PUBLISHED = "checkpoints.txt"


class SignerUnavailable(RuntimeError):  # noqa: N818 - named for what happened
    """The folder cannot be read or written, or holds what is no signer. The message names file and remedy."""


class SignerElsewhere(SignerUnavailable):
    """The log has a signer, and it is not in this folder: another host seals."""


class LogForked(RuntimeError):  # noqa: N818 - named for what happened
    """The tree to sign did not grow out of the one that was signed last: the database is older, or was changed."""


@dataclass(frozen=True, slots=True)
class Signed:
    """The last tree that was signed, its note ("" before the first), and what checks it."""

    checkpoint: Checkpoint
    note: str
    key: VerifierKey


class Signer:
    """The signer of one folder, held for as long as the block of `hold_signer` lasts."""

    def __init__(
        self, folder: Path, *, origin: str, private: Ed25519PrivateKey, last: Signed, lost: Checkpoint | None
    ) -> None:
        self.origin = origin
        self.last = last
        self.lost = lost  # the last tree of the epoch before, as its first event quotes it
        self._folder = folder
        self._private = private

    @property
    def epoch(self) -> int:
        """The number of the epoch that is signed here."""
        return int(self.origin.rpartition("/")[2])

    @property
    def key(self) -> VerifierKey:
        """What checks the signatures made here."""
        return verifier_key(self.origin, self._private)

    def sign(self, checkpoint: Checkpoint, *, proof: Callable[[int, int], Sequence[bytes]]) -> str:
        """The note of `checkpoint`, remembered before it is returned; the same again for the tree signed last.

        `proof(old, new)` gives the consistency proof between two sizes. Raises LogForked, SignerUnavailable.
        """
        last = self.last.checkpoint
        if checkpoint.origin != self.origin:
            raise LogForked(f"the database belongs to the log {checkpoint.origin}, this folder to {self.origin}")
        if checkpoint.size < last.size:
            raise LogForked(f"the database ends at {checkpoint.size} events, and {last.size} were signed")
        if checkpoint == last:
            return self.last.note
        try:
            verify_consistency(
                old=last.size,
                old_root=last.root,
                new=checkpoint.size,
                new_root=checkpoint.root,
                proof=proof(last.size, checkpoint.size),
            )
        except ProofInvalid as invalid:
            raise LogForked(f"the tree of {checkpoint.size} did not grow from the signed one: {invalid}") from invalid
        return self._remember(checkpoint)

    def _remember(self, checkpoint: Checkpoint) -> str:
        note = sign_note(checkpoint.text, name=self.origin, private=self._private)
        lost = self.lost.text if self.lost else ""
        _write(self._folder / STATE, _document(self.origin, self._private, note=note, lost=lost))
        self.last = Signed(checkpoint, note, self.key)
        return note

    def publish(self, note: str) -> None:
        """Append a note to the folder's file of all checkpoints, a copy that the database does not hold."""
        path = self._folder / PUBLISHED
        with _as_unavailable(path), path.open("ab+") as file:
            if size := file.seek(0, os.SEEK_END):
                file.seek(-min(2, size), os.SEEK_END)
            # What a crash or a full disk cut off must not become the beginning of this one.
            ended = b"" if not size or file.read() == b"\n\n" else b"\n\n"
            file.write(ended + f"{note}\n".encode())
            file.flush()
            os.fsync(file.fileno())

    def begin_epoch(self, epoch: int, *, size: int, root: bytes, lost: Checkpoint) -> None:
        """Sign under the origin of `epoch` and a fresh key from now on; its tree begins with that of `size`.

        The old epoch's state stays beside the new one, as long as the folder does. Raises SignerUnavailable.
        """
        state, (log, _, before), self.lost = self._folder / STATE, self.origin.rpartition("/"), lost
        with _as_unavailable(state):
            kept = state.with_name(f"signed-{before}.json")
            kept.unlink(missing_ok=True)
            write_whole(kept, state.read_text())
        self.origin, self._private = f"{log}/{epoch}", Ed25519PrivateKey.generate()
        self._remember(Checkpoint(origin=self.origin, size=size, root=root))


@contextmanager
def hold_signer(folder: Path, *, host: str, may_create: bool) -> Iterator[Signer]:
    """The signer of `folder`, alone on this machine; `may_create` one with a new key and origin where there is none.

    Waits for another holder. Raises SignerElsewhere, SignerUnavailable.
    """
    if not may_create and not _is_there(folder / STATE):
        raise SignerElsewhere(f"the log's signer is not in {folder}; run this where it is")
    path = folder / STATE
    with ExitStack() as stack:
        with _as_unavailable(folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            stack.enter_context(held(path))
        if not _is_there(path):
            origin = f"{host}/audit/{secrets.token_hex(8)}/1"
            _write(path, _document(origin, Ed25519PrivateKey.generate(), note="", lost=""))
        yield _read(folder)


def read_signed(folder: Path) -> Signed | None:
    """What was signed last, without waiting for the holder; None where nothing ever was. Raises SignerUnavailable."""
    if not _is_there(folder / STATE):
        return None
    last = _read(folder).last
    return last if last.note else None


def _is_there(path: Path) -> bool:
    """Raises SignerUnavailable where this account may not look: that is no signer that is not there."""
    with _as_unavailable(path):
        return path.exists()


def _read(folder: Path) -> Signer:
    path = folder / STATE
    with _as_unavailable(path):
        try:
            document = json.loads(path.read_text())
            private = Ed25519PrivateKey.from_private_bytes(b64decode(document["key"], validate=True))
            origin, note = document["origin"], document["note"]
            lost = Checkpoint.parse(document["lost"]) if document["lost"] else None
            key = verifier_key(origin, private)
            last = _nothing(key)
            if note:
                last = Signed(Checkpoint.parse(open_note(note, [key]).text), note, key)
        except (ValueError, KeyError, TypeError, NoteInvalid):
            # The parser's error quotes the file, which holds a key.
            raise SignerUnavailable(f"{path} is not the state of a signer: put back the copy you keep of it") from None
    return Signer(folder, origin=origin, private=private, last=last, lost=lost)


def _nothing(key: VerifierKey) -> Signed:
    return Signed(Checkpoint(origin=key.name, size=0, root=EMPTY_ROOT), note="", key=key)


def _document(origin: str, private: Ed25519PrivateKey, *, note: str, lost: str) -> dict[str, Any]:
    return {"origin": origin, "key": b64encode(private.private_bytes_raw()).decode(), "note": note, "lost": lost}


def _write(path: Path, document: dict[str, Any]) -> None:
    with _as_unavailable(path):
        replace_whole(path, json.dumps(document))


@contextmanager
def _as_unavailable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SignerUnavailable(f"{path}: {error.strerror}; it must be writable by this account alone") from error
