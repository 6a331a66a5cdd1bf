"""Names the models that lie in their features, so that Django finds them."""

from monitoring.database.models import RecordedStatement

__all__ = ["RecordedStatement"]
