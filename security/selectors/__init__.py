"""Named reads that are kept for a while: in the process for a second, in Redis until what they read has changed.

What may be kept, and what never: `docs/caching.md`. A selector is declared beside the tables that it reads.
"""

from security.selectors.selector import CompanySelector, PublicSelector
from security.selectors.signals import Result, selector_asked

__all__ = ["CompanySelector", "PublicSelector", "Result", "selector_asked"]
