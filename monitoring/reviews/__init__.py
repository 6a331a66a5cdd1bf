"""The weekly review of performance: how long routes take against the weeks before, and what changed meanwhile."""

from monitoring.reviews.models import PerformanceReview
from monitoring.reviews.services import NothingCounted, last_week, make_review, review_on_schedule
from monitoring.reviews.wording import plain_text

__all__ = ["NothingCounted", "PerformanceReview", "last_week", "make_review", "plain_text", "review_on_schedule"]
