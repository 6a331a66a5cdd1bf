"""Tables of the roll-ups. The numbers are added and folded by `store.py` alone."""

from django.db import models

MAX_LABELS = 500


class Kind(models.TextChoices):
    """How two values of one interval become one."""

    SUM = "sum"
    MAX = "max"


class MetricSeries(models.Model):
    """A name with its labels, JSON of sorted pairs. Few: labels come from closed lists."""

    name = models.CharField(max_length=100)
    labels = models.CharField(max_length=MAX_LABELS)
    kind = models.CharField(max_length=3, choices=Kind.choices)

    class Meta:
        db_table = "metric_series"
        constraints = [models.UniqueConstraint(fields=["name", "labels"], name="metric_series_once")]

    def __str__(self) -> str:
        return f"{self.name}{self.labels}"


class MetricDay(models.Model):
    """The same of the day (UTC) that begins at the Unix time `at`, for the few series that have no route."""

    pk = models.CompositePrimaryKey("series_id", "at")
    series = models.ForeignKey(MetricSeries, on_delete=models.CASCADE, db_index=False)
    at = models.BigIntegerField()
    value = models.FloatField()

    class Meta:
        db_table = "metric_day"

    def __str__(self) -> str:
        return f"{self.series_id} {self.at}"


class MetricPoint(models.Model):
    """What a series came to in the `step` seconds (10, 60 or 3600) from the Unix time `at` on, over all processes."""

    pk = models.CompositePrimaryKey("series_id", "step", "at")
    series = models.ForeignKey(MetricSeries, on_delete=models.CASCADE, db_index=False)
    step = models.SmallIntegerField()
    at = models.BigIntegerField()
    value = models.FloatField()

    class Meta:
        db_table = "metric_point"
        indexes = [models.Index(fields=["step", "at"], name="metric_point_time")]

    def __str__(self) -> str:
        return f"{self.series_id} {self.step} {self.at}"
