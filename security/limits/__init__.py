"""How often a client may ask: tiers, exact counters, and what an answer says about them."""

from security.limits.parking import hold_back
from security.limits.services import answer_over_limit, spend
from security.limits.signals import limit_reached
from security.limits.tiers import ADDRESS, GENERAL, PAGES, REGISTER, tiers_of

__all__ = [
    "ADDRESS",
    "GENERAL",
    "PAGES",
    "REGISTER",
    "answer_over_limit",
    "hold_back",
    "limit_reached",
    "spend",
    "tiers_of",
]
