"""How an Indian mobile number is read and stored: typed in many ways, kept in one (ITU-T E.164).

Not here: whether the number is in service or who answers it, landlines, and numbers of other countries.
"""

import re

from accounts.identity.mistyped import BLANKS, MistypedError

# "+91-98765 43210" takes 15 characters. What is longer than this is refused before anything is done with it.
_MAX_TYPED_LENGTH = 32
_SEPARATORS = str.maketrans("", "", " -")
# [0-9] and not \d: \d takes Devanagari and full-width digits for digits too.
_WRITTEN = re.compile(r"\+?[0-9]+")
# Only the length tells the prefix 91 from a number that itself begins with 91.
_MOBILE = re.compile(r"(?:\+91|91|0)?([0-9]{10})")


class PhoneError(MistypedError):
    """A number is refused. ``code`` is one of ``length``, ``format``, ``country``, ``not_mobile``."""


def to_e164(text: str) -> str:
    """``text`` as ``+91`` and ten digits, the only form that is stored.

    Takes ten digits that start with 6 to 9 (the mobile levels of the National Numbering Plan), alone or after
    0, 91 or +91, with spaces and hyphens anywhere. Raises PhoneError; the length is judged first, so that an
    oversized input costs nothing.
    """
    if len(text) > _MAX_TYPED_LENGTH:
        raise PhoneError("A mobile number has ten digits, with or without +91 before them.", "length")
    digits = text.strip(BLANKS).translate(_SEPARATORS)
    if not digits:
        raise PhoneError("Give a mobile number of ten digits.", "length")
    if not _WRITTEN.fullmatch(digits):
        raise PhoneError("Use only the digits 0 to 9, spaces, hyphens and one leading +.", "format")
    if digits.startswith("+") and not digits.startswith("+91"):
        raise PhoneError("Only Indian numbers are accepted: the country code is +91.", "country")
    mobile = _MOBILE.fullmatch(digits)
    if mobile is None:
        raise PhoneError("A mobile number has ten digits, with or without +91 before them.", "length")
    subscriber = mobile[1]
    if subscriber[0] not in "6789":
        raise PhoneError("An Indian mobile number starts with 6, 7, 8 or 9.", "not_mobile")
    return f"+91{subscriber}"
