"""Invented Indian identifiers, valid in form: one number for each seed."""

from accounts.identity import gstin

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_REGISTRATIONS = "123456789" + _LETTERS
_MOBILES = 4_000_000_000  # 6000000000 to 9999999999


def a_pan(seed: int, holder: str = "C") -> str:
    """A PAN whose holder is of the kind ``holder``; distinct for each seed from 0 to ten thousand million."""
    rest, serial = divmod(seed, 9999)
    letters = []
    for _ in range(5):
        rest, letter = divmod(rest, 26)
        letters.append(_LETTERS[letter])
    return f"{letters[4]}{letters[3]}{letters[2]}{holder}{letters[1]}{serial + 1:04d}{letters[0]}"


def a_gstin(seed: int, state: str = "27", pan: str | None = None) -> str:
    """A regular GSTIN of ``state``; with ``pan`` given, the seed picks one of its 35 registrations."""
    first14 = f"{state}{pan or a_pan(seed)}{_REGISTRATIONS[seed % 35]}Z"
    return first14 + gstin.check_character(first14)


def a_phone(seed: int) -> str:
    """A mobile number in its stored form, +91 and ten digits; distinct for four thousand million seeds."""
    # The multiplier shares no factor with the modulus, so that seeds spread without ever meeting.
    return f"+91{6_000_000_000 + seed * 1_000_000_007 % _MOBILES}"
