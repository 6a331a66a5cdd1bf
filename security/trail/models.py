"""Changes of rows that the database noted by itself, until the next seal makes events of them."""

from django.db import models


class AuditChange(models.Model):
    """One row that was written, noted by a trigger in the transaction that wrote it. `row` is "" for a whole table.

    `old_values` and `new_values` hold the columns that the table's entry names, and no others. `db_role` and
    `db_client` are who PostgreSQL says was connected, and how they called their program.
    """

    id = models.BigAutoField(primary_key=True)
    tx = models.TextField()
    table = models.CharField(max_length=63, db_column="table_name")
    operation = models.CharField(max_length=8)
    row = models.TextField(db_column="row_key")
    subject = models.UUIDField(null=True)
    old_values = models.JSONField(null=True)
    new_values = models.JSONField(null=True)
    at = models.DateTimeField()
    db_role = models.TextField()
    db_client = models.TextField()

    class Meta:
        db_table = "audit_change"
        # Before an event gets its place in the tree, it is looked up whether notes of its transaction wait.
        indexes = [models.Index(fields=["tx"], name="audit_change_tx")]

    def __str__(self) -> str:
        return f"{self.operation} {self.table}"
