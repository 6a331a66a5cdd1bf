"""What a well-formed GSTIN is: state, category, embedded PAN and check character (CGST Rules 2017, rule 10).

Not here: whether the number was issued, is still active, or belongs to whoever typed it: only the GST
portal knows.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Final

from accounts.identity.mistyped import MistypedError, upper_cased
from accounts.identity.pan import Pan, PanError
from accounts.identity.pan import parse as parse_pan

LENGTH: Final = 15
_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

# The census codes of 2011 and what was added since. 38 came with Ladakh, 97 is the sea and what no state
# covers, 99 the centre's own register for suppliers abroad: validators that stop at 37 turn real companies
# away. 25 (joined to 26 in 2020) and 28 (before Telangana) give no new numbers but stand on old papers.
# 96 ("other countries") is a place of supply on invoices and never the start of a GSTIN.
STATES: Mapping[str, str] = MappingProxyType(
    {
        "01": "Jammu and Kashmir",
        "02": "Himachal Pradesh",
        "03": "Punjab",
        "04": "Chandigarh",
        "05": "Uttarakhand",
        "06": "Haryana",
        "07": "Delhi",
        "08": "Rajasthan",
        "09": "Uttar Pradesh",
        "10": "Bihar",
        "11": "Sikkim",
        "12": "Arunachal Pradesh",
        "13": "Nagaland",
        "14": "Manipur",
        "15": "Mizoram",
        "16": "Tripura",
        "17": "Meghalaya",
        "18": "Assam",
        "19": "West Bengal",
        "20": "Jharkhand",
        "21": "Odisha",
        "22": "Chhattisgarh",
        "23": "Madhya Pradesh",
        "24": "Gujarat",
        "25": "Daman and Diu (until 2020)",
        "26": "Dadra and Nagar Haveli and Daman and Diu",
        "27": "Maharashtra",
        "28": "Andhra Pradesh (before division)",
        "29": "Karnataka",
        "30": "Goa",
        "31": "Lakshadweep",
        "32": "Kerala",
        "33": "Tamil Nadu",
        "34": "Puducherry",
        "35": "Andaman and Nicobar Islands",
        "36": "Telangana",
        "37": "Andhra Pradesh",
        "38": "Ladakh",
        "97": "Other Territory",
        "99": "Centre Jurisdiction",
    }
)
_OIDAR_STATE: Final = "99"


class Category(Enum):
    """The kind of registration, as far as the number itself tells it.

    REGULAR covers composition, casual, SEZ and input service distributor registrations: they look alike.
    """

    REGULAR = "regular"
    TDS = "tds"  # deducts tax at source, CGST Act s. 51
    TCS = "tcs"  # e-commerce operator that collects tax at source, s. 52
    GOVERNMENT = "government"  # department that registers with its TAN
    UIN = "uin"  # UN bodies, embassies and others notified, s. 25(9)
    NRI = "nri"  # non-resident taxable person, s. 24
    OIDAR = "oidar"  # online services supplied from abroad, IGST Act s. 14


# After the state, ten characters of one of three makes: a PAN; a TAN, the number of one who deducts tax; or,
# where neither was asked for, year, country and serial. Characters 13 and 14 then tell the category. No two
# of these overlap, so the order of the table does not matter.
_SHAPES: Final = (
    (Category.REGULAR, re.compile(r"[0-9]{2}[A-Z]{5}[0-9]{4}[A-Z][1-9A-Z][1-9ABE-JZ][0-9A-Z]")),
    (Category.TDS, re.compile(r"[0-9]{2}[A-Z]{4}[A-Z0-9][0-9]{4}[A-Z][1-9A-Z]D[0-9A-Z]")),
    (Category.TCS, re.compile(r"[0-9]{2}[A-Z]{5}[0-9]{4}[A-Z][1-9A-Z]C[0-9A-Z]")),
    (Category.GOVERNMENT, re.compile(r"[0-9]{2}[A-Z]{4}[0-9]{5}[A-Z][0-9]Z[0-9A-Z]")),
    (Category.UIN, re.compile(r"[0-9]{4}[A-Z]{3}[0-9]{5}[UO]N[0-9A-Z]")),
    # NR is what the portal issues; the tax network's first notice, in 2017, announced NF.
    (Category.NRI, re.compile(r"[0-9]{4}[A-Z]{3}[0-9]{5}N[RF][0-9A-Z]")),
    (Category.OIDAR, re.compile(r"[0-9]{4}[A-Z]{3}[0-9]{5}OS[0-9A-Z]")),
)


class GstinError(MistypedError):
    """A GSTIN is refused.

    ``code`` is one of ``length``, ``format``, ``state``, ``pan``, ``check_character``, ``pan_mismatch``.
    """


@dataclass(frozen=True, slots=True)
class Gstin:
    """A well-formed GSTIN of 15 upper-case characters and what it says.

    ``pan`` is None where the number embeds none: UIN, NRI, OIDAR, GOVERNMENT, and TDS registered with a TAN.
    The number and the PAN stay out of repr(), which ends up in logs and error reports.
    """

    value: str = field(repr=False)
    state_code: str
    state_name: str
    pan: str | None = field(repr=False)
    category: Category


def check_character(first14: str) -> str:
    """The 15th character that belongs to ``first14``, by the GST network's mod 36 (rule 10 asks for one).

    Each character counts 0 to 35, every second one doubled, and the two base-36 digits of each product are
    added. This finds any one wrong character and any two swapped neighbours save 0 and Z. Raises GstinError
    (``length``, ``format``) when ``first14`` is not 14 digits and upper-case letters.
    """
    if len(first14) != LENGTH - 1:
        raise GstinError(f"The check character is reckoned from {LENGTH - 1} characters.", "length")
    total = 0
    for position, character in enumerate(first14):
        digit = _ALPHABET.find(character)
        if digit < 0:
            raise GstinError("A GSTIN holds only the letters A to Z and the digits 0 to 9.", "format")
        high, low = divmod(digit * (1 + position % 2), 36)
        total += high + low
    return _ALPHABET[-total % 36]


def parse(text: str) -> Gstin:
    """The GSTIN in ``text``; blanks around it and lower case are forgiven, nothing else is.

    Raises GstinError. The check character is judged last, for naming the expected one helps only when the rest can
    be right.
    """
    value = upper_cased(text, name="GSTIN", length=LENGTH, refusal=GstinError)
    category = _category(value)
    state_code = value[:2]
    state_name = STATES.get(state_code)
    if state_name is None:
        raise GstinError("The first two digits of a GSTIN are a state code; these name none.", "state")
    if category is Category.OIDAR and state_code != _OIDAR_STATE:
        raise GstinError(f"The GSTIN of an online service from abroad starts with {_OIDAR_STATE}.", "state")
    pan = _embedded_pan(value)
    expected = check_character(value[:-1])
    if value[-1] != expected:
        raise GstinError(
            f"If the rest of this GSTIN is right, its last character should be {expected}. Please check it.",
            "check_character",
        )
    return Gstin(value=value, state_code=state_code, state_name=state_name, pan=pan, category=category)


def check_matches_pan(gstin: Gstin, pan: Pan) -> None:
    """Refuses a GSTIN and a PAN that belong to different holders: GstinError, code ``pan_mismatch``.

    A GSTIN that embeds no PAN has nothing to contradict and passes.
    """
    if gstin.pan is not None and gstin.pan != pan.value:
        raise GstinError(
            "The GSTIN and the PAN do not match: characters 3 to 12 of the GSTIN are another PAN.",
            "pan_mismatch",
        )


def _category(value: str) -> Category:
    for category, shape in _SHAPES:
        if shape.fullmatch(value):
            return category
    raise GstinError(
        "A GSTIN is a state code of two digits, the ten characters of the PAN, then three more characters.",
        "format",
    )


def _embedded_pan(value: str) -> str | None:
    # A TAN has a digit where a PAN has its fifth letter, and year-country-serial starts with digits.
    if not value[2:7].isalpha():
        return None
    try:
        return parse_pan(value[2:12]).value
    except PanError as exc:
        raise GstinError(f"Characters 3 to 12 of this GSTIN are not a PAN. {exc.message}", "pan") from exc
