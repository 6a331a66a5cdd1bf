"""The weekly reviews of performance: the latest, and those before it."""

from datetime import date, timedelta
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from koshflow.operators.pages import OperatorsAdmin
from monitoring.reviews import PerformanceReview

MOST_WEEKS = 53


@admin.register(PerformanceReview)
class ReviewsAdmin(OperatorsAdmin):
    """One page; `week` chooses another than the latest."""

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """The review that is asked for, beside the list of all."""
        self.staff(request)
        weeks = list(PerformanceReview.objects.values_list("week", flat=True)[:MOST_WEEKS])
        try:
            wanted = date.fromisoformat(request.GET.get("week", ""))
        except ValueError:
            wanted = None
        chosen = wanted if wanted in weeks else next(iter(weeks), None)
        review = PerformanceReview.objects.filter(pk=chosen).first() if chosen else None
        until = chosen + timedelta(days=6) if chosen else None
        return self.page(request, "reviews", title="Performance reviews", weeks=weeks, review=review, until=until)
