"""Which indexes a database misses, which it could do without, and what its statements cost."""

from monitoring.database.advice.answers import Advice, AdvisedIndex
from monitoring.database.advice.services import advice

__all__ = ["Advice", "AdvisedIndex", "advice"]
