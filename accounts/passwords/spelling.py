"""Undoes what people do to a word to make it look like a password. Pure; what is hashed is never touched."""

import unicodedata

_LOOK_ALIKES = {
    "@": "a", "4": "a", "8": "b", "(": "c", "3": "e", "€": "e", "6": "g", "9": "g", "#": "h", "!": "i",
    "0": "o", "$": "s", "5": "s", "+": "t", "7": "t", "%": "x", "2": "z",
}  # fmt: skip
# The one and the bar stand for either letter: both readings are tried.
_AS_LETTERS = tuple(str.maketrans(_LOOK_ALIKES | {"1": letter, "|": letter}) for letter in "il")
_AS_UNSHIFTED = str.maketrans("!@#$%^&*()", "1234567890")
# As long as a password may be in bytes. Some characters are eighteen in their plain form: a password of them, taken
# apart whole, cost 33 ms of CPU.
_LONGEST = 1024


def fold(text: str) -> str:
    """`text` without case, accents and other shapes of the same letters (full-width ones, say); what of it is longer
    than any password is left out.
    """
    decomposed = unicodedata.normalize("NFKD", text.casefold()[:_LONGEST])[:_LONGEST]
    if decomposed.isascii():
        return decomposed
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def readings(text: str) -> tuple[str, ...]:
    """`text` as it stands, and as it may have been before it was made up.

    Digits and symbols become the letters they look like (P@ssw0rd), symbols the digits on their keys (!qaz).
    """
    as_letters = (text.translate(table) for table in _AS_LETTERS)
    return (text, *as_letters, text.translate(_AS_UNSHIFTED))
