"""Keys and what they seal: the key ring, data keys of people, encrypted columns, blind indexes. Not tokens.

Settings import `security.crypto.keyring` before Django's models can be loaded, and that import runs this
file. So the names that need models come through `__getattr__` (PEP 562) on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from security.crypto.aead import DecryptionFailed, open_sealed, seal
from security.crypto.blind_index import IndexedColumn, blind_index, blind_indexes, indexed_columns, register_indexed
from security.crypto.keyring import Key, KeyRing, KeyRingInvalid, UnknownKey, keyring

if TYPE_CHECKING:
    from security.crypto.fields import EncryptedTextField
    from security.crypto.models import KeyDestroyed, SubjectKey

__all__ = [
    "DecryptionFailed",
    "EncryptedTextField",
    "IndexedColumn",
    "Key",
    "KeyDestroyed",
    "KeyRing",
    "KeyRingInvalid",
    "SubjectKey",
    "UnknownKey",
    "blind_index",
    "blind_indexes",
    "indexed_columns",
    "keyring",
    "open_sealed",
    "register_indexed",
    "seal",
]

_NEED_MODELS = {
    "EncryptedTextField": "security.crypto.fields",
    "KeyDestroyed": "security.crypto.models",
    "SubjectKey": "security.crypto.models",
}


def __getattr__(name: str) -> Any:
    if name not in _NEED_MODELS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_NEED_MODELS[name]), name)
