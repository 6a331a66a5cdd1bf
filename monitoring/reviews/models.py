"""A week's review as it was computed: numbers of routes and statements, no person and no value of a statement."""

from typing import ClassVar

from django.db import models


class PerformanceReview(models.Model):
    """The review of the seven days from `week` (a Monday, UTC) on; `document` is put together by `make_review`."""

    week = models.DateField(primary_key=True)
    made_at = models.DateTimeField()
    document = models.JSONField()

    class Meta:
        db_table = "performance_review"
        ordering: ClassVar = ["-week"]

    def __str__(self) -> str:
        return f"week of {self.week}"
