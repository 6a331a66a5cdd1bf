"""Password hashing: the hashers, the bulkhead around them, and equal work for nobody's password."""

from security.hashing.bulkhead import check_room, hash_slot, password_hashed
from security.hashing.hashers import (
    BcryptHmacHasher,
    GuardedBCryptSHA256Hasher,
    GuardedPBKDF2Hasher,
    ImportedBcryptHasher,
    burn,
    import_hash,
)

__all__ = [
    "BcryptHmacHasher",
    "GuardedBCryptSHA256Hasher",
    "GuardedPBKDF2Hasher",
    "ImportedBcryptHasher",
    "burn",
    "check_room",
    "hash_slot",
    "import_hash",
    "password_hashed",
]
