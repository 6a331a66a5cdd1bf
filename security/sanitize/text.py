"""What plain text may hold: normalised (NFC), trimmed, and free of characters that hide or reorder others."""

import unicodedata

# ZWNJ, ZWJ and variation selectors stay: Indian scripts and emoji need them.
_ALLOWED_FORMAT = frozenset("\u200c\u200d")
_REFUSED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


class TextRefused(ValueError):  # noqa: N818 - named for what happened
    """The text holds a character that plain text may not; the message is for the person who typed it."""


def plain_text(text: str) -> str:
    """`text` in NFC without surrounding white space.

    Raises TextRefused for control characters, bidirectional overrides, zero-width space and BOM.
    """
    if text.isascii() and text.isprintable():
        return text.strip()
    for character in text:
        if unicodedata.category(character) in _REFUSED_CATEGORIES and character not in _ALLOWED_FORMAT:
            raise TextRefused("Remove invisible or control characters.")
    return unicodedata.normalize("NFC", text).strip()
