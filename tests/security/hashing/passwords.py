"""Stored passwords for tests, of every kind. Cost 4 keeps them quick; the form is that of cost 14."""

import bcrypt
from django.contrib.auth.hashers import check_password, make_password

from security.hashing import BcryptHmacHasher
from tests.security.crypto.rings import a_ring, entry, written

RIGHT = "Monsoon-Ledger-47"


def ours(password: str = RIGHT) -> str:
    """In the product's own form, at today's cost and pepper."""
    hasher = BcryptHmacHasher()
    return hasher.encode(password, hasher.salt())


def bare(password: bytes, *, cost: int = 4, prefix: str = "$2b$") -> str:
    """As another system stores it: plain bcrypt."""
    return prefix + bcrypt.hashpw(password[:72], bcrypt.gensalt(cost)).decode()[4:]


def upgraded(stored: str, password: str = RIGHT) -> str | None:
    """What replaces `stored` when `password` is tried; None when nothing does."""
    replaced: list[str] = []
    check_password(password, stored, lambda raw: replaced.append(make_password(raw)))
    return replaced[0] if replaced else None


def rotate_pepper(settings, *, old_state: str = "retired") -> None:
    """A new active pepper; the old one in `old_state`."""

    def change(keys):
        fresh = {**entry(keys, "pepper"), "id": "pepper-2", "key": written(b"2" * 32)}
        entry(keys, "pepper")["state"] = old_state
        keys.append(fresh)

    settings.KEYRING = a_ring(change, text=settings.KEYRING)
