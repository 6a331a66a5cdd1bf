"""Foreign keys whose children are searched for row by row whenever a parent goes."""

from collections.abc import Iterator

from monitoring.database.advice.candidates import Candidate
from monitoring.database.advice.schema import ForeignKey, Schema
from monitoring.database.advice.syntax import Key
from monitoring.database.advice.upkeep import leads_with
from monitoring.database.advice.workload import Workload

LEAST_ROWS = 1000.0
# Deleting one row by its key takes a fraction of this; the rest is the search for its children.
LEAST_MEAN_MS = 5.0


def missing(workload: Workload, schema: Schema) -> Iterator[tuple[Candidate, ForeignKey, float]]:
    """A candidate, the key it serves, and the time that deletions of the parent took in all.

    Not every foreign key wants an index: only one whose parent is deleted from, slowly, or whose values change.
    """
    for table in schema.tables.values():
        for foreign in table.foreign_keys:
            if table.rows < LEAST_ROWS or any(
                leads_with(one, foreign.columns) for one in table.indexes if one.is_valid
            ):
                continue
            took = sum(
                one.total_ms
                for one in workload.statements
                if one.operation == "delete"
                and _deletes_from(one.text, foreign.referred)
                and one.mean_ms > LEAST_MEAN_MS
            )
            if took:
                keys = tuple(Key(f'"{column}"', column) for column in foreign.columns)
                yield Candidate(table.name, keys), foreign, took


def _deletes_from(text: str, table: str) -> bool:
    words = text.replace('"', "").split()
    return words[:2] == ["DELETE", "FROM"] and words[2].rpartition(".")[2] == table
