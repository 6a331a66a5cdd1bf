"""Signatures of webhooks by Standard Webhooks 1.0: who receives one knows that it is ours, whole, and of now. Pure."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

_PREFIX = "whsec_"
_LEAST_BYTES, _MOST_BYTES = 24, 64


class SecretInvalid(ValueError):  # noqa: N818 - named for what it is
    """Not `whsec_` and the base64 of 24 to 64 bytes. The text does not quote it."""


def key_of(secret: str) -> bytes:
    """The bytes of a secret as it is handed out. Raises SecretInvalid."""
    try:
        key = base64.b64decode(secret.strip().removeprefix(_PREFIX), validate=True)
    except binascii.Error as error:
        raise SecretInvalid("a secret is whsec_ and base64") from error
    if not secret.strip().startswith(_PREFIX) or not _LEAST_BYTES <= len(key) <= _MOST_BYTES:
        raise SecretInvalid(f"a secret is whsec_ and base64 of {_LEAST_BYTES} to {_MOST_BYTES} bytes")
    return key


def signed_headers(body: bytes, *, message_id: str, timestamp: int, secrets: Sequence[str]) -> dict[str, str]:
    """The three headers. One signature for each secret: while one is exchanged, either satisfies the receiver."""
    content = f"{message_id}.{timestamp}.".encode() + body
    marks = (base64.b64encode(hmac.digest(key_of(secret), content, hashlib.sha256)).decode() for secret in secrets)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{mark}" for mark in marks),
    }
