"""What plain text is: normalised (NFC), trimmed, and without markup or characters that hide or reorder others.

It knows lines of text, such as names. Identifiers have parsers of their own, and secrets never come here.
"""

import unicodedata

from security.sanitize.markup import holds_markup, without_markup

# ZWNJ, ZWJ and variation selectors stay: Indian scripts and emoji need them.
_ALLOWED_FORMAT = frozenset("\u200c\u200d")
_REFUSED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
# What draws nothing by itself: marks and spaces, and fillers that Unicode counts as letters or symbols.
_MARKS_AND_SPACES = frozenset({"Mn", "Me", "Zs"})
_FILLERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
# White space, markup and decomposed characters go before the length counts; this much of them may come.
_ALLOWANCE = 4


class TextRefused(ValueError):  # noqa: N818 - named for what happened
    """The text is longer than it may be, or holds a character that plain text may not.

    `code` is for programs, `message` for the person who typed it.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def plain_text(text: str, *, max_length: int) -> str:
    """`text` in NFC, without markup and surrounding white space; blank if nothing that can be seen was there.

    Raises TextRefused for control characters, bidirectional overrides, zero-width space and BOM, and for what is
    longer than `max_length` characters afterwards, or than four times that before anything else is looked at.
    """
    if len(text) > max_length * _ALLOWANCE:
        raise _too_long(max_length)
    if not (text.isascii() and text.isprintable()):
        _check_characters(text)
        text = unicodedata.normalize("NFC", text)
    if holds_markup(text):
        # Once more: an accent can stand behind the tag that parted it from its letter.
        text = unicodedata.normalize("NFC", without_markup(text))
    text = text.strip()
    if len(text) > max_length:
        raise _too_long(max_length)
    # Somebody named by one joiner would be nobody in every list and mail.
    return "" if _shows_nothing(text) else text


def _shows_nothing(text: str) -> bool:
    return all(
        character in _ALLOWED_FORMAT or character in _FILLERS or unicodedata.category(character) in _MARKS_AND_SPACES
        for character in text
    )


def _check_characters(text: str) -> None:
    for character in text:
        if unicodedata.category(character) in _REFUSED_CATEGORIES and character not in _ALLOWED_FORMAT:
            raise TextRefused("control_character", "Remove invisible or control characters.")


def _too_long(max_length: int) -> TextRefused:
    return TextRefused("max_length", f"This field may have at most {max_length} characters.")
