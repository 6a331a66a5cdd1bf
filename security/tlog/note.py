"""Signed notes and checkpoints (c2sp.org: signed-note, tlog-checkpoint, tlog-cosignature). Stores nothing.

A note is text, an empty line, and lines "— <name> <base64(key id || signature)>". Others may add signatures of
their own: those of unknown keys are passed over, a bad one of a known key spoils the note.
"""

import hashlib
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from security.tlog.tree import HASH_BYTES

ED25519 = 0x01
COSIGNATURE = 0x04  # Ed25519 over the checkpoint and the time at which a witness saw it
_KEY_ID_BYTES = 4
_NAME = re.compile(r"[^\s+]{1,200}")
_SIGNATURE_LINE = re.compile(r"— ([^\s+]{1,200}) ([A-Za-z0-9+/]{4,400}={0,2})")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
MAX_NOTE_BYTES = 64_000


class NoteInvalid(ValueError):  # noqa: N818 - named for what it says
    """The note has no valid form, or a known key's signature on it is wrong or missing."""


class NotSigned(NoteInvalid):
    """The note has a valid form, and a known key's signature on it is wrong or missing."""


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """The public half of a key that signs notes. `algorithm` is ED25519 or COSIGNATURE."""

    name: str
    public: bytes
    algorithm: int = ED25519

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads "<name>+<8 hex digits>+<base64>". Raises NoteInvalid."""
        name, _, rest = text.partition("+")
        key_hex, _, encoded = rest.partition("+")
        key = from_base64(encoded)
        if not _NAME.fullmatch(name) or len(key) != 33 or key[0] not in (ED25519, COSIGNATURE):
            raise NoteInvalid("not the text of a verifier key")
        parsed = cls(name=name, public=key[1:], algorithm=key[0])
        if parsed.id.hex() != key_hex:
            raise NoteInvalid("the key's id does not belong to it")
        return parsed

    @property
    def id(self) -> bytes:
        """SHA-256(name || 0x0A || algorithm || public key), the first 4 bytes."""
        return hashlib.sha256(f"{self.name}\n".encode() + bytes([self.algorithm]) + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{to_base64(bytes([self.algorithm]) + self.public)}"

    def check(self, text: str, signature: bytes) -> int | None:
        """Raises NotSigned for a wrong signature. The Unix time of a cosignature, None of any other."""
        seen_at, message = None, text.encode()
        if self.algorithm == COSIGNATURE:
            seen_at = int.from_bytes(signature[:8], "big")
            message, signature = _cosigned(text, seen_at), signature[8:]
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except InvalidSignature:
            raise NotSigned(f"the signature of {self.name} is wrong") from None
        return seen_at


@dataclass(frozen=True, slots=True)
class Opened:
    """A note's text, and who of the known keys signed it: name -> time of a cosignature or None.

    `note` is the note without the lines of unknown keys, which anybody may have added.
    """

    text: str
    signers: dict[str, int | None]
    note: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log signs: the root over its first `size` leaves. `origin` names the log and is its key's name."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """Three lines: origin, size, base64 of the root."""
        return f"{self.origin}\n{self.size}\n{to_base64(self.root)}\n"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises NoteInvalid. Lines after the third are extensions, which this log never writes: refused."""
        lines = text.split("\n")
        if len(lines) != 4 or lines[3] or not _NAME.fullmatch(lines[0]) or not _SIZE.fullmatch(lines[1]):
            raise NoteInvalid("not the text of a checkpoint")
        root = from_base64(lines[2])
        if len(root) != HASH_BYTES:
            raise NoteInvalid("a checkpoint's root has 32 bytes")
        return cls(origin=lines[0], size=int(lines[1]), root=root)


def open_note(note: str, keys: Iterable[VerifierKey]) -> Opened:
    """The text of a note that at least one of `keys` signed. Raises NoteInvalid, of which NotSigned is one."""
    known = {(key.name, key.id): key for key in keys}
    text, empty, tail = note.rpartition("\n\n")
    if len(note) > MAX_NOTE_BYTES or not empty or not tail.endswith("\n"):
        raise NoteInvalid("not a signed note")
    text += "\n"
    kept, signers = f"{text}\n", dict[str, int | None]()
    for line in tail[:-1].split("\n"):
        match = _SIGNATURE_LINE.fullmatch(line)
        if match is None:
            raise NoteInvalid("a line of signatures has no valid form")
        payload = from_base64(match[2])
        key = known.get((match[1], payload[:_KEY_ID_BYTES]))
        if key is not None and key.name not in signers:
            signers[key.name] = key.check(text, payload[_KEY_ID_BYTES:])
            kept += f"{line}\n"
    if not signers:
        raise NotSigned("no known key signed the note")
    return Opened(text=text, signers=signers, note=kept)


def sign_note(text: str, *, name: str, private: Ed25519PrivateKey) -> str:
    """The note of `text` with the one signature of `name`. The same text gives the same bytes."""
    key = verifier_key(name, private)
    return f"{text}\n{_line(name, key.id + private.sign(text.encode()))}"


def cosignature(text: str, *, name: str, private: Ed25519PrivateKey, seen_at: int) -> str:
    """A witness's line to add to the note of `text`, with the Unix time `seen_at` (tlog-cosignature v1)."""
    key = verifier_key(name, private, algorithm=COSIGNATURE)
    return _line(name, key.id + seen_at.to_bytes(8, "big") + private.sign(_cosigned(text, seen_at)))


def verifier_key(name: str, private: Ed25519PrivateKey, *, algorithm: int = ED25519) -> VerifierKey:
    """The public half of `private` under `name`. ValueError for a name with a space or a plus sign."""
    if not _NAME.fullmatch(name):
        raise ValueError("a key's name has neither spaces nor plus signs")
    return VerifierKey(name, private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw), algorithm)


def _cosigned(text: str, seen_at: int) -> bytes:
    return f"cosignature/v1\ntime {seen_at}\n{text}".encode()


def _line(name: str, payload: bytes) -> str:
    return f"— {name} {to_base64(payload)}\n"


def to_base64(data: bytes) -> str:
    """The one spelling of `data` in these formats."""
    return b64encode(data).decode()


def from_base64(text: str) -> bytes:
    """The bytes of `text`. Raises NoteInvalid for anything but their one spelling."""
    try:
        data = b64decode(text, validate=True)
    except ValueError:
        raise NoteInvalid("not base64") from None
    if to_base64(data) != text:  # a second spelling of the same bytes
        raise NoteInvalid("not the canonical base64 of its bytes")
    return data
