"""Finds an encrypted value by equality: a keyed hash beside the column, and which columns have one.

Does not normalise what it is given.
"""

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING

from security.crypto.keyring import Key, keyring

if TYPE_CHECKING:
    from django.db.models import Model


def blind_index(*, table: str, column: str, value: str) -> bytes:
    """32-byte HMAC-SHA-256 of `table|column|value` under the active index key: what is stored.

    The caller normalises `value` first: two spellings have two indexes. Equal values of one column show as
    equal, so a column of few possible values (a state, a yes or no) must not have one.
    """
    return active_index(table=table, column=column, value=value)[1]


def active_index(*, table: str, column: str, value: str) -> tuple[str, bytes]:
    """The id of the active index key and the index under it, by one look at the ring: the next may find another."""
    key = keyring().active("index")
    return key.id, _index(key, table=table, column=column, value=value)


def blind_indexes(*, table: str, column: str, value: str) -> list[bytes]:
    """The index of `value` under each key that a row may have: what is looked for.

    The next key too: another host may have made it active a moment ago.
    """
    return [_index(key, table=table, column=column, value=value) for key in keyring().all("index")]


def _index(key: Key, *, table: str, column: str, value: str) -> bytes:
    return hmac.digest(key.secret, f"{table}|{column}|{value}".encode(), "sha256")


@dataclass(frozen=True, slots=True)
class IndexedColumn:
    """The encrypted column `text` of `model`, and the column `index` that holds its blind index."""

    model: "type[Model]"
    text: str
    index: str

    def indexes_of(self, value: str) -> dict[str, bytes]:
        """The index of `value` under each key of the ring, by the key's id."""
        table, column = self.model._meta.db_table, self.text
        return {key.id: _index(key, table=table, column=column, value=value) for key in keyring().all("index")}


_columns: list[IndexedColumn] = []


def register_indexed(column: IndexedColumn) -> None:
    """Have `column`'s index follow when the index key is rotated."""
    _columns.append(column)


def indexed_columns() -> tuple[IndexedColumn, ...]:
    """Every column whose index must follow."""
    return tuple(_columns)
