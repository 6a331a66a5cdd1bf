"""One row a target: its last backup that succeeded, as the job that made it told."""

from django.db import models
from django.db.models import Q

LONGEST_NAME = 40


class LastBackup(models.Model):
    """What is backed up, by the operator's name for it. `size_bytes` is None where the job did not tell."""

    target = models.CharField(primary_key=True, max_length=LONGEST_NAME)
    finished_at = models.DateTimeField()
    size_bytes = models.BigIntegerField(null=True)

    class Meta:
        db_table = "last_backup"
        constraints = [models.CheckConstraint(name="last_backup_is_not_empty", condition=Q(size_bytes__gt=0))]

    def __str__(self) -> str:
        return self.target
