"""What a well-formed PAN is: its shape, and the kind of holder its fourth letter names.

Not here: whether a PAN was ever issued, or to whom. The tenth letter is said to be a check letter, but the
Income Tax Department has not published how it is reckoned: a PAN cannot prove itself the way a GSTIN does.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from accounts.identity.mistyped import MistypedError, upper_cased

# The Income Tax Department's explanation of the number names all of these but K, which stands on PANs of some
# trusts. A firm's F also covers limited liability partnerships.
HOLDER_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "A": "association of persons",
        "B": "body of individuals",
        "C": "company",
        "F": "firm",
        "G": "government",
        "H": "Hindu undivided family",
        "J": "artificial juridical person",
        "K": "trust (Krish)",
        "L": "local authority",
        "P": "person",
        "T": "trust",
    }
)

LENGTH = 10
_SHAPE = re.compile(r"[A-Z]{5}[0-9]{4}[A-Z]")


class PanError(MistypedError):
    """A PAN is refused. ``code`` is one of ``length``, ``format``, ``holder_type``, ``serial``."""


@dataclass(frozen=True, slots=True)
class Pan:
    """A well-formed PAN: ``value`` is 10 upper-case characters, ``holder_type`` a name out of HOLDER_TYPES.

    The value stays out of repr(), which ends up in logs and error reports.
    """

    value: str = field(repr=False)
    holder_type: str


def parse(text: str) -> Pan:
    """The PAN in ``text``: five letters, four digits, a letter; blanks around it and lower case are forgiven.

    Raises PanError.
    """
    value = upper_cased(text, name="PAN", length=LENGTH, refusal=PanError)
    if not _SHAPE.fullmatch(value):
        raise PanError("A PAN is five letters, then four digits, then one letter.", "format")
    holder_type = HOLDER_TYPES.get(value[3])
    if holder_type is None:
        letters = ", ".join(HOLDER_TYPES)
        raise PanError(f"The fourth letter of a PAN, the kind of holder, is one of {letters}.", "holder_type")
    if value[5:9] == "0000":
        raise PanError("The four digits of a PAN run from 0001 to 9999.", "serial")
    return Pan(value=value, holder_type=holder_type)
