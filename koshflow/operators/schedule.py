"""The page of the schedule: each function's last run, how long it took, how it ended, and when it is due next."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from koshflow.operators.pages import OperatorsAdmin
from monitoring.schedule import ScheduleRun, is_overdue


@admin.register(ScheduleRun)
class ScheduleAdmin(OperatorsAdmin):
    """One table; what is overdue or fails stands first."""

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """The table as it stands."""
        self.staff(request)
        now = timezone.now()
        runs = [(run, is_overdue(run, now)) for run in ScheduleRun.objects.order_by("name")]
        runs.sort(key=lambda pair: not (pair[1] or pair[0].failures_in_row))
        return self.page(request, "schedule", title="Schedule", runs=runs, now=now)
