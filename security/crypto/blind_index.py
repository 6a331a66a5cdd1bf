"""Finds an encrypted value by equality: a keyed hash beside the column.

Does not normalise what it is given.
"""

import hmac

from security.crypto.keyring import keyring


def blind_index(*, table: str, column: str, value: str) -> bytes:
    """32-byte HMAC-SHA-256 of `table|column|value` under the active index key.

    The caller normalises `value` first: two spellings have two indexes. Equal values of one column show as
    equal, so a column of few possible values (a state, a yes or no) must not have one.
    """
    key = keyring().active("index")
    return hmac.digest(key.secret, f"{table}|{column}|{value}".encode(), "sha256")
