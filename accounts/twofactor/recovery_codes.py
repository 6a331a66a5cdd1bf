"""Recovery codes: how they are made, written, read back and recognised. Pure; who owns which is in `models.py`."""

import hashlib
import re
import secrets

COUNT = 10
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"  # base32 (RFC 4648 §6): five bits a character
_LENGTH = 23  # 115 bits, above the 112 from which a plain hash is enough (ASVS 6.5.2)
_GROUP = 6
_CODE = re.compile(rf"[A-Z2-7]{{{_LENGTH}}}", re.ASCII)
_SEPARATORS = str.maketrans("", "", " -")


def new_codes() -> list[str]:
    """Ten fresh codes of 115 bits, as people see them: `ABCDEF-GHIJKL-MNOPQR-STUVW`."""
    return [_grouped("".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))) for _ in range(COUNT)]


def code_hash(text: str) -> bytes | None:
    """SHA-256 of the code that `text` spells, whatever its case, spaces and hyphens; None where it spells none."""
    code = text.translate(_SEPARATORS)
    # ASCII first: upper() turns "ı" into an "I" that nobody was given.
    if not code.isascii() or _CODE.fullmatch(code.upper()) is None:
        return None
    return hashlib.sha256(code.upper().encode("ascii")).digest()


def _grouped(code: str) -> str:
    return "-".join(code[start : start + _GROUP] for start in range(0, len(code), _GROUP))
