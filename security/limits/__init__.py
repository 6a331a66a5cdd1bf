"""How often a client may ask: tiers, exact counters, and what an answer says about them."""

from security.limits.parking import hold_back
from security.limits.services import Spent, answer_over_limit, spend
from security.limits.signals import limit_reached
from security.limits.tiers import ADDRESS, GENERAL, PAGES, REGISTER, Tier, tiers_of

__all__ = [
    "ADDRESS",
    "GENERAL",
    "PAGES",
    "REGISTER",
    "Spent",
    "Tier",
    "answer_over_limit",
    "hold_back",
    "limit_reached",
    "spend",
    "tiers_of",
]
