"""Erasing a person or a company: the pseudonym stays; what it stood for goes, at once or when the last hold ends."""

from accounts.erasure.finding import ErasureRefused
from accounts.erasure.holds import Listed, disclose, is_erased, lift_hold, list_holds, place_hold
from accounts.erasure.models import Basis, LegalHold, Withheld
from accounts.erasure.release import destroy_released_keys, overwrite_freed_pages
from accounts.erasure.services import Erased, erase, survey

__all__ = [
    "Basis",
    "Erased",
    "ErasureRefused",
    "LegalHold",
    "Listed",
    "Withheld",
    "destroy_released_keys",
    "disclose",
    "erase",
    "is_erased",
    "lift_hold",
    "list_holds",
    "overwrite_freed_pages",
    "place_hold",
    "survey",
]
