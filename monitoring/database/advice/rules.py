"""What would help where no index can be tried (no hypopg): the same candidates, judged by statistics alone."""

from monitoring.database.advice.answers import RULE
from monitoring.database.advice.candidates import Candidate
from monitoring.database.advice.choice import Question
from monitoring.database.advice.schema import Schema, Table

# A page of a table against one row found by an index, in the planner's units.
_ROW, _DESCENT = 0.5, 8.0
_RANGE_SHARE, _PARTIAL_SHARE = 0.33, 0.1
_PAGE = 8192
_FEWEST_ROWS = 2000.0


class ByRules:
    """Guesses: rows that are left times the price of one."""

    confidence = RULE

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self.sizes: dict[Candidate, int] = {}

    def price(self, question: Question, candidate: Candidate) -> float | None:
        table = self._schema.tables[candidate.table]
        # Only a statement that reads about the whole table now.
        if table.rows < _FEWEST_ROWS or question.cost < 0.5 * (table.bytes / _PAGE + table.rows * 0.01):
            return None
        share = 1.0
        for key in candidate.keys:
            share *= _share(key.column, table) if key.sql in question.selective else 1.0
        for key in candidate.keys:
            share *= _RANGE_SHARE if key.sql in question.ranged else 1.0
        if candidate.where:
            share *= _PARTIAL_SHARE
        found = _DESCENT + table.rows * share * _ROW
        return found if share < 1.0 and found < question.cost else None

    def generic(self, question: Question, candidate: Candidate) -> float:
        return 0.0  # rules know of no values

    def together(self, question: Question, found: tuple[Candidate, ...]) -> None:
        return None

    def keep(self, candidate: Candidate) -> None:
        """Nothing is in place."""

    def end(self) -> None:
        """Nothing is to be undone."""


def _share(name: str, table: Table) -> float:
    """Of the rows, those that a usual value of the column keeps, or its most common one if that is far from usual."""
    column = table.columns.get(name)
    most_common = column.frequencies[0] if column and column.frequencies else 0.0
    return max(1 / table.values(name), most_common)
