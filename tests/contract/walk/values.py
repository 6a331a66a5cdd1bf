"""Values that must stay nowhere, how they could be spelled, and the table of what stands in clear by design."""

import base64
import html
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote, quote_plus

# What stands in clear by design: kind → where → why. Every other kind is a secret or sealed, and stands nowhere. A kind
# named here may stand in that column alone: not in another, nor in the audit trail, Redis, the log or a refusal.
IN_CLEAR: dict[str, dict[str, str]] = {
    "person's e-mail": {"accounts_user.email": "The person is found by it at sign-in; an erasure blanks it."},
    "company's e-mail": {"accounts_company.email": "One company an address: the database refuses the second."},
    "person's name": {"accounts_user.name": "Staff search by it; an erasure blanks it."},
    "company's name": {"accounts_company.name": "Businesses publish theirs; an erasure blanks it."},
    "staff's e-mail": {"accounts_user.email": "As every person's."},
}
_FRAGMENT = 9  # characters: half a password is as good as a whole one to whoever guesses the rest


@dataclass(frozen=True)
class Canary:
    """One value. `kind` is its row in IN_CLEAR, or says what secret it is."""

    kind: str
    value: str

    @property
    def in_clear(self) -> Mapping[str, str]:
        return IN_CLEAR.get(self.kind, {})

    @cached_property
    def forms(self) -> tuple[bytes, ...]:
        """Lower-case bytes, each of which gives the value away."""
        # A token without its signature opens nothing, and its first part is the same for all.
        secret = self.value.rsplit(".", 1)[-1] if self.value.startswith("eyJ") else self.value
        spelled = {secret}
        if "password" in self.kind:
            spelled |= {part for part in re.split(r"[^\w.-]+", secret) if len(part) >= _FRAGMENT}
        spelled |= {quote(secret, safe=""), quote_plus(secret), html.escape(secret), json.dumps(secret)[1:-1]}
        found = {text.encode() for text in spelled}
        raw = secret.encode()
        found.add(raw.hex().encode())
        for before in range(3):  # base64 reads three bytes at a time, from wherever the text around it began
            encoded = base64.b64encode(b"\0" * before + raw)
            # The first and the last sign hold bits of the neighbours.
            inner = encoded[(8 * before + 5) // 6 : (8 * (before + len(raw))) // 6]
            found |= {inner, inner.translate(bytes.maketrans(b"+/", b"-_"))}
        return tuple(form.lower() for form in found)

    def is_in(self, lowered: bytes) -> bool:
        """Whether any spelling of it is in `lowered`, which is in lower case."""
        return any(form in lowered and self._stands_alone(form, lowered) for form in self.forms)

    def _stands_alone(self, form: bytes, lowered: bytes) -> bool:
        # Six digits are in every long number and every digest; as a code they stand between other signs.
        if not (form.isdigit() and len(form) <= 6):
            return True
        return re.search(rb"(?<![0-9a-z.])" + form + rb"(?![0-9a-z])", lowered) is not None


def found(canaries: Iterable[Canary], places: Mapping[str, bytes]) -> list[tuple[str, str]]:
    """(kind, place) of each canary that is somewhere in `places`, sorted."""
    lowered = {place: content.lower() for place, content in places.items()}
    together = b"\n".join(lowered.values())  # nearly always there is nothing: one look instead of one a place
    suspects = [one for one in canaries if one.is_in(together)]
    return sorted({(one.kind, place) for one in suspects for place, content in lowered.items() if one.is_in(content)})
