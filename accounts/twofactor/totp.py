"""Time-based one-time passwords: six digits, 30 seconds, HMAC-SHA-1 (RFC 6238). Pure: what is spent, others store."""

import re
import secrets
from base64 import b32decode, b32encode
from hmac import compare_digest

from django_otp.oath import hotp

STEP_SECONDS = 30
DIGITS = 6
SECRET_BYTES = 20  # RFC 4226 §4 R6 recommends 160 bits
# int() would take "1_2", "+12345" and Arabic digits: what is no code is refused before it is a number.
_CODE = re.compile(rf"[0-9]{{{DIGITS}}}", re.ASCII)


def new_secret() -> str:
    """A fresh 160-bit secret as 32 characters of base32."""
    return b32encode(secrets.token_bytes(SECRET_BYTES)).decode("ascii")


def secret_bytes(secret: str) -> bytes:
    """The key that base32 text stands for. Raises binascii.Error (a ValueError) for other text."""
    return b32decode(secret)


def is_code(text: str) -> bool:
    """Whether `text` has the form of a code: exactly six ASCII digits."""
    return _CODE.fullmatch(text) is not None


def matching_step(secret: bytes, code: str, *, at: int, drift: int) -> int | None:
    """Time step whose code is `code`, or None (RFC 6238 §5.2).

    `at` is Unix time in seconds; `drift` counts steps either way. A code works once: the caller stores the returned
    step before anyone is admitted, and admits nobody by a step that is not later than the one it has stored.
    """
    if not is_code(code):
        return None
    present = at // STEP_SECONDS
    # All are compared, and the latest wins: two steps that share a code by chance must not be two admissions.
    steps = [
        step
        for step in range(max(present - drift, 0), present + drift + 1)
        if compare_digest(f"{hotp(secret, step, DIGITS):0{DIGITS}d}", code)
    ]
    return max(steps, default=None)
