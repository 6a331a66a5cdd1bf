"""Owns the form of a sealed value: AES-256-GCM (NIST SP 800-38D) in a versioned envelope. Holds no keys.

    0x01 || KEK version (2, big-endian) || nonce (12) || ciphertext || tag (16)

The KEK version tells an operator under which key-encryption key the data key stood when the value was
written. It is a hint: the row of the data key says what wraps it now, so nothing is decided by it and it is
not authenticated.
"""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
_FORMAT = b"\x01"
_NONCE_BYTES = 12
_TAG_BYTES = 16
_HEADER_BYTES = 3
_BODY_AT = _HEADER_BYTES + _NONCE_BYTES
OVERHEAD_BYTES = _BODY_AT + _TAG_BYTES


class DecryptionFailed(Exception):  # noqa: N818 - named for what happened
    """A sealed value did not open.

    One message for every cause, so that no answer tells a forger how near they are.
    """

    def __init__(self) -> None:
        super().__init__("sealed value refused")


def cipher(key: bytes) -> AESGCM:
    """The reusable cipher of a 32-byte key; building it anew would cost a third of sealing a field.

    Raises ValueError.
    """
    if len(key) != KEY_BYTES:
        raise ValueError(f"a data key has {KEY_BYTES} bytes")  # AESGCM itself would take a 128-bit key
    return AESGCM(key)


def seal(key: bytes | AESGCM, plaintext: bytes, *, aad: bytes, kek_version: int) -> bytes:
    """Envelope of `plaintext`, which opens only with the same `key` and `aad`.

    The nonce is random: one key must not seal more than 2**32 values (SP 800-38D section 8.3), which a key
    for one person never nears. Raises ValueError for a key of another length, OverflowError for a version
    beyond 65535.
    """
    nonce = os.urandom(_NONCE_BYTES)
    used = key if isinstance(key, AESGCM) else cipher(key)
    return _FORMAT + kek_version.to_bytes(2, "big") + nonce + used.encrypt(nonce, plaintext, aad)


def open_sealed(key: bytes | AESGCM, blob: bytes, *, aad: bytes) -> bytes:
    """Plaintext of an envelope. Raises DecryptionFailed for a changed, cut, moved or foreign one."""
    if len(blob) < OVERHEAD_BYTES or blob[:1] != _FORMAT:
        raise DecryptionFailed
    used = key if isinstance(key, AESGCM) else cipher(key)
    try:
        return used.decrypt(blob[_HEADER_BYTES:_BODY_AT], blob[_BODY_AT:], aad)
    except InvalidTag as error:
        raise DecryptionFailed from error
