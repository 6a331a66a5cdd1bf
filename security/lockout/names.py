"""How accounts are spelled and digested in the tables of the lock-out: whoever copies them learns no name."""

import unicodedata

from security.crypto.blind_index import blind_index, blind_indexes

_TABLE = "lockout_counter"
_MAX_ACCOUNT_LENGTH = 254  # RFC 5321 §4.5.3.1.3: no longer text can be an address of ours


def normal_account(account: str) -> str:
    """The one spelling `account` is counted under, coarser than sign-in's: nobody has two buckets."""
    text = unicodedata.normalize("NFC", account.strip()[:_MAX_ACCOUNT_LENGTH]).casefold()
    # A lone surrogate has no UTF-8; it is a guess like any other.
    return unicodedata.normalize("NFC", text).encode(errors="replace").decode()


def digest(kind: str, value: str) -> str:
    """Keyed digest (64 hex digits) of what `kind` names."""
    return blind_index(table=_TABLE, column=kind, value=value).hex()


def account_digest(account: str) -> str:
    """The digest that rows of `account` bear, however it is spelled."""
    return digest("account", normal_account(account))


def account_digests(account: str) -> list[str]:
    """That digest under each index key that a row may have."""
    return [index.hex() for index in blind_indexes(table=_TABLE, column="account", value=normal_account(account))]
