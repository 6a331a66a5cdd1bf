"""Names the models that lie in their features, so that Django finds them."""

from monitoring.database.models import RecordedStatement
from monitoring.errors.models import ErrorGroup

__all__ = ["ErrorGroup", "RecordedStatement"]
