"""Owns the stored forms of passwords and how each is verified. Does not say which passwords are good.

Our own form is `bcrypt_hmac$<pepper id>$$2b$<cost>$<salt and checksum>`: bcrypt over the base64 of
HMAC-SHA-384, keyed with a pepper that is not in the database. The 64 characters fit bcrypt's 72 bytes and
hold no NUL, so every byte of a long password counts; and a bcrypt hash stolen elsewhere cannot be tried
against it, as it could against a plain SHA-2 prehash ("password shucking").
"""

import hmac
import logging
import re
from base64 import b64encode
from typing import Any, ClassVar, NoReturn

import bcrypt
from django.conf import settings
from django.contrib.auth.hashers import (
    BasePasswordHasher,
    BCryptSHA256PasswordHasher,
    PBKDF2PasswordHasher,
    mask_hash,
)

from security.crypto import Key, UnknownKey, keyring
from security.hashing.bulkhead import hash_slot, hashing

logger = logging.getLogger("security.hashing")

MAX_PASSWORD_BYTES = 1024
# bcrypt reads no more; the older systems whose hashes we import cut there in silence.
_BCRYPT_BYTES = 72
_IMPORT_COSTS = range(4, 17)  # one hash of cost 31 would hold the slot for a day

_BCRYPT = r"\$2[aby]\$(?P<cost>[0-9]{2})\$(?P<salt>[./A-Za-z0-9]{22})(?P<checksum>[./A-Za-z0-9]{31})"
_BARE = re.compile(_BCRYPT, re.ASCII)
_PEPPERED = re.compile(rf"bcrypt_hmac\$(?P<pepper>[A-Za-z0-9_-]{{1,32}})\$(?P<bcrypt>{_BCRYPT})", re.ASCII)
_IMPORTED = re.compile(rf"bcrypt_imported\$(?P<bcrypt>{_BCRYPT})", re.ASCII)


def _bytes(password: str) -> bytes:
    # JSON can carry half a surrogate pair. Nobody can have set such a password, so comparing it must say
    # "wrong".
    return password.encode("utf-8", "surrogatepass")


def _prehash(pepper: Key, password: bytes) -> bytes:
    return b64encode(hmac.digest(pepper.secret, password, "sha384"))


def _hash(secret: bytes, salt: bytes) -> bytes:
    with hashing():
        return bcrypt.hashpw(secret, salt)


def _is_match(secret: bytes, stored: str) -> bool:
    expected = stored.encode("ascii")
    return hmac.compare_digest(_hash(secret, expected), expected)


def burn(password: str = "") -> None:  # nosec B107
    """Do the work of one verification, for an account that is unknown, inactive or has no password.

    Raises Busy.
    """
    _hash(_prehash(keyring().active("pepper"), _bytes(password)), bcrypt.gensalt(settings.BCRYPT_ROUNDS))


def _top_up(cost: int) -> None:
    """Add to one hash of `cost` the work that it lacks against one of today's cost.

    A wrong password against an old, cheap hash would otherwise be answered sooner than one for an unknown
    account, and tell that the account exists. The powers of two from 2**cost up to 2**(rounds - 1) add up to
    the difference.
    """
    with hash_slot():
        for step in range(cost, settings.BCRYPT_ROUNDS):
            bcrypt.hashpw(b"", bcrypt.gensalt(step))


def _refuse_unreadable(event: str, password: str) -> bool:
    # Closed: the person can reset the password; the answer and its time stay those of a wrong one.
    logger.error(event)
    burn(password)
    return False


class _StoredForm(BasePasswordHasher):
    """What a stored hash of the form `stored` says of itself."""

    stored: ClassVar[re.Pattern[str]]

    def decode(self, encoded: str) -> dict[str, Any]:
        """Parts of the stored form. Raises ValueError."""
        found = self.stored.fullmatch(encoded)
        if found is None:
            raise ValueError(f"not a hash of {self.algorithm}")
        return {**found.groupdict(), "algorithm": self.algorithm, "work_factor": int(found["cost"])}

    def safe_summary(self, encoded: str) -> dict[Any, Any]:
        parts = self.decode(encoded)
        shown = {"algorithm": parts["algorithm"], "work factor": parts["work_factor"]}
        return shown | {"salt": mask_hash(parts["salt"]), "checksum": mask_hash(parts["checksum"])}


class BcryptHmacHasher(_StoredForm):
    """Hasher of new passwords: 1 to 1024 bytes of UTF-8, compared byte by byte."""

    algorithm = "bcrypt_hmac"
    stored = _PEPPERED

    def salt(self) -> str:
        return bcrypt.gensalt(settings.BCRYPT_ROUNDS).decode("ascii")

    def encode(self, password: str, salt: str | bytes) -> str:
        """The stored form under the active pepper.

        Raises Busy, or ValueError for a password that may not be one.
        """
        secret = password.encode()
        if not 1 <= len(secret) <= MAX_PASSWORD_BYTES:
            raise ValueError(f"a password has 1 to {MAX_PASSWORD_BYTES} bytes")
        pepper = keyring().active("pepper")
        made = _hash(_prehash(pepper, secret), salt.encode("ascii") if isinstance(salt, str) else salt)
        return f"{self.algorithm}${pepper.id}${made.decode('ascii')}"

    def verify(self, password: str, encoded: str) -> bool:
        found = _PEPPERED.fullmatch(encoded)
        if found is None:
            return _refuse_unreadable("password_hash_unreadable", password)
        try:
            pepper = keyring().get("pepper", found["pepper"])
        except UnknownKey:
            return _refuse_unreadable("password_pepper_missing", password)
        return _is_match(_prehash(pepper, _bytes(password)), found["bcrypt"])

    def must_update(self, encoded: str) -> bool:
        found = _PEPPERED.fullmatch(encoded)
        if found is None or found["pepper"] != keyring().active("pepper").id:
            return True
        return int(found["cost"]) != settings.BCRYPT_ROUNDS

    def harden_runtime(self, password: str, encoded: str) -> None:
        found = _PEPPERED.fullmatch(encoded)
        if found is not None:
            _top_up(int(found["cost"]))


class ImportedBcryptHasher(_StoredForm):
    """Verifies plain bcrypt hashes brought from another system; the first right password replaces the hash.

    Stored as `bcrypt_imported$` and the hash: Django tells hashers by the text before the first dollar, which
    is empty in a plain hash. Passwords are cut at 72 bytes as the older systems cut them, or the people whose
    password is longer could not sign in.
    """

    algorithm = "bcrypt_imported"
    stored = _IMPORTED

    def salt(self) -> NoReturn:
        raise NotImplementedError("imported hashes are verified, never made")

    def encode(self, password: str, salt: str) -> NoReturn:
        raise NotImplementedError("imported hashes are verified, never made")

    def verify(self, password: str, encoded: str) -> bool:
        found = _IMPORTED.fullmatch(encoded)
        if found is None:
            return _refuse_unreadable("password_hash_unreadable", password)
        with hash_slot():
            is_right = _is_match(_bytes(password)[:_BCRYPT_BYTES], found["bcrypt"])
            if not is_right:
                _top_up(int(found["cost"]))
        return is_right

    def must_update(self, encoded: str) -> bool:
        return True

    def harden_runtime(self, password: str, encoded: str) -> None:
        """Nothing: `verify` has done the whole work."""


def import_hash(raw: str) -> str:
    """The form in which a `$2a$`, `$2b$` or `$2y$` hash of another system is stored.

    Raises ValueError for anything else, and for a cost outside 4 to 16.
    """
    found = _BARE.fullmatch(raw)
    if found is None or int(found["cost"]) not in _IMPORT_COSTS:
        raise ValueError("not a bcrypt hash of cost 4 to 16")
    return f"{ImportedBcryptHasher.algorithm}${raw}"


class GuardedBCryptSHA256Hasher(BCryptSHA256PasswordHasher):
    """Django's hasher in the slot: for people who come from a plain Django installation."""

    def encode(self, password: str, salt: Any) -> str:
        with hashing():
            return super().encode(password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        with hash_slot():
            is_right = super().verify(password, encoded)
            if not is_right:
                _top_up(int(self.decode(encoded)["work_factor"]))
        return is_right


class GuardedPBKDF2Hasher(PBKDF2PasswordHasher):
    """Django's default hasher in the slot: for people who come from a plain Django installation.

    A wrong password here takes PBKDF2's time, not bcrypt's, until the person's first sign-in replaces the
    hash.
    """

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        with hashing():
            return super().encode(password, salt, iterations)
