"""The rules a new password must meet, as functions of their arguments. Holds no list of bad passwords.

Two policies. `default` is the one the product promises: 8 characters of four classes. `asvs` follows NIST
SP 800-63B-4 section 3.1.1.2 and ASVS 5.0 (6.2.1, 6.2.5): length instead of classes, 15 characters where the
password is the only factor. Both count Unicode code points, as NIST does, and take up to 1,024 bytes.
"""

import unicodedata
from collections.abc import Callable, Iterable, Sequence

from accounts.passwords.spelling import fold, readings

MAX_BYTES = 1024
_SHORTEST = 8
_SHORTEST_ALONE = 15
_SHORTEST_WORD = 4
_PHONE_DIGITS = 10  # without the country code, which nobody types into a password


def unusable(password: str) -> list[str]:
    """Why `password` cannot even be looked at, if so: the other rules need not be asked then."""
    try:
        size = len(password.encode())
    except UnicodeEncodeError:
        return ["Use whole characters only; one of these is broken."]  # half a surrogate pair, from JSON
    return [f"Use at most {MAX_BYTES:,} bytes."] if size > MAX_BYTES else []


def default_rules(password: str, *, has_second_factor: bool) -> list[str]:  # noqa: ARG001 - the policies' one shape
    """What the promised policy misses in `password`: 8 characters, upper, lower, digit, special."""
    missing = _too_short(password, at_least=_SHORTEST)
    if not any(char.isupper() for char in password):
        missing.append("Use at least one upper-case letter.")
    if not any(char.islower() for char in password):
        missing.append("Use at least one lower-case letter.")
    if not any(char.isdecimal() for char in password):
        missing.append("Use at least one digit.")
    if not any(_is_special(char) for char in password):
        missing.append("Use at least one special character.")
    return missing


def asvs_rules(password: str, *, has_second_factor: bool) -> list[str]:
    """What the ASVS policy misses in `password`: 15 characters, or 8 beside a second factor."""
    return _too_short(password, at_least=_SHORTEST if has_second_factor else _SHORTEST_ALONE)


POLICIES = {"default": default_rules, "asvs": asvs_rules}


def _too_short(password: str, *, at_least: int) -> list[str]:
    return [f"Use at least {at_least} characters."] if len(password) < at_least else []


def _is_special(char: str) -> bool:
    # A vowel sign belongs to its letter; counting it would make every Hindi word "special".
    return not char.isalnum() and not _is_mark(char)


def _is_mark(char: str) -> bool:
    return unicodedata.category(char).startswith("M")


def is_built_from(password: str, words: Sequence[str], *, is_common: Callable[[str], bool]) -> bool:
    """Whether `password` lives on the person's own `words` (names, e-mails, numbers), however spelt.

    Those words are the first guess of anyone who knows the person, so they count for nothing: without them a
    password must still have 8 characters, and these must not be a common password. A long passphrase may hold
    one.
    """
    own = _own_words(words)
    folded = fold(password)
    seen = set()  # most texts read the same in several ways
    for typed in (folded, "".join(_parts(folded))):
        for spelling, known in zip(readings(typed), _spellings(own), strict=True):
            rest = spelling
            for word in known:
                rest = rest.replace(word, "")
            if rest == spelling or rest in seen:
                continue
            seen.add(rest)
            if len(rest) < _SHORTEST or is_common(rest):
                return True
    return False


def _own_words(words: Iterable[str]) -> set[str]:
    """Every piece of four characters or more that a person might type: whole, in parts, without digits."""
    pieces: set[str] = set()
    for word in words:
        for folded in (fold(word), fold(word).partition("@")[0]):
            parts = _parts(folded)
            pieces.update(parts, _parts(folded, with_digits=False), ["".join(parts)])
    pieces |= {piece[-_PHONE_DIGITS:] for piece in pieces if piece.isdecimal()}
    return {piece for piece in pieces if len(piece) >= _SHORTEST_WORD}


def _parts(text: str, *, with_digits: bool = True) -> list[str]:
    """Runs of letters (and digits) in `text`; a vowel sign or accent belongs to its letter."""
    kept = (char if char.isalpha() or _is_mark(char) or (with_digits and char.isdigit()) else " " for char in text)
    return "".join(kept).split()


def _spellings(words: set[str]) -> Iterable[list[str]]:
    """The words in each of the readings that a password is looked at in, longest first."""
    read = [readings(word) for word in words]
    for index in range(len(readings(""))):
        yield sorted({spelt[index] for spelt in read}, key=lambda word: (-len(word), word))
