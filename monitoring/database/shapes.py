"""What may be remembered of a value: its kind, and the value itself only where it is one of a public few. Pure.

pg_stat_statements hides which value a statement is run with, and with it whether `status = $1` keeps half of the rows
or a hundredth. The kind tells most of that. A value is kept where the statistics of its column list it among at most
a dozen that occur (states, types, currencies), and never under a name that `security.redaction` calls sensitive.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from monitoring.database.fingerprints import Folded
from security.redaction import is_sensitive

MOST_COMMON_VALUES = 12
_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "boolean"),
    (int, "integer"),
    (float, "number"),
    (Decimal, "number"),
    (UUID, "uuid"),
    (datetime, "time"),
    (date, "date"),
    (time, "clock"),
    (timedelta, "interval"),
    (bytes, "bytes"),
    (memoryview, "bytes"),
    (str, "text"),
    (list, "list"),
    (tuple, "list"),
)
_PLACE = re.compile(r"\$(\d+)")
_COLUMN = re.compile(
    r"""(?<![$\w"])(?:"?(?P<table>\w+)"?\.)?"?(?P<column>\w+)"?(?:::\w+(?:\(\d+\))?)*\)*
    \s*(?P<operator>=|<>|!=|IN\s*\(|[<>]=?|BETWEEN|(?:BETWEEN\ \$\d+\ )?AND|(?:I?LIKE)|@>
    |->>?|\#>>?|\?)\s*(?:\w+\()*$""",
    re.VERBOSE | re.IGNORECASE,
)
_TABLE = re.compile(
    r'\b(?:FROM|JOIN|UPDATE|INTO)\s+(?:ONLY\s+)?"?(\w+)"?(?:\s+(?:AS\s+)?"?(?!SET\b|WHERE\b|ON\b|INNER\b|LEFT\b|ORDER\b|GROUP\b|LIMIT\b|VALUES\b|CROSS\b)(\w+)"?)?',
    re.I,
)
_JSON = ("->", "->>", "#>", "#>>", "?")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: the column it is compared with, how, and in which table; "" where it is not told."""

    table: str
    column: str
    operator: str


IsCommon = Callable[[str, str, str], bool]
"""Whether the statistics of (table, column) list this value, as text, among at most a dozen."""


def shapes(folded: Folded, params: Sequence[Any] | None, is_common: IsCommon) -> list[dict[str, Any]]:
    """One entry for each `$n`: `kind`; `like` for the form of a pattern; `keys` of JSON; `value` where it is public."""
    found = []
    values = list(params or ())
    for at, place in zip(folded.places, places(folded.text), strict=True):
        if isinstance(at, str):
            found.append(_shape(_literal(at), place, is_common))
        elif at < len(values):
            found.append(_shape(values[at], place, is_common))
        else:
            found.append({})
    return found


def places(text: str) -> list[Place]:
    """The surroundings of each `$n` of a folded `text`, in order."""
    tables = {alias or table: table for table, alias in _TABLE.findall(text)}
    found = []
    for match in _PLACE.finditer(text):
        before = text[max(0, match.start() - 200) : match.start()]
        if limit := re.search(r"\b(LIMIT|OFFSET) $", before):
            found.append(Place("", "", limit[1]))
        elif before.endswith("EXTRACT("):
            found.append(Place("", "", "EXTRACT"))
        elif column := _COLUMN.search(before):
            named: str = column["table"] or next(iter(tables), "")
            table = tables.get(named, named)
            found.append(Place(table, column["column"], column["operator"].rstrip("( ").upper()))
        else:
            found.append(Place("", "", ""))
    return found


def _shape(value: Any, place: Place, is_common: IsCommon) -> dict[str, Any]:
    if value is None:
        return {"kind": "null"}
    value = getattr(value, "obj", value)  # what psycopg's Jsonb and the like wrap
    shape: dict[str, Any] = {"kind": _kind(value)}
    if place.operator in ("LIMIT", "OFFSET") and isinstance(value, int):
        return shape | {"value": value}
    if place.operator == "EXTRACT":
        return {"kind": "word", "value": value}
    if place.operator in _JSON:
        # The path of a field, which is a word of our code.
        return shape | {"keys": [value] if isinstance(value, str | int) else list(value)}
    if place.operator == "@>":
        return {"kind": "json", "keys": _keys(value)}
    if place.operator in ("LIKE", "ILIKE") and isinstance(value, str):
        return shape | {"like": re.sub(r"(?:\\.|[^%_])+", "x", value)}
    if isinstance(value, str | int | bool) and place.operator in ("=", "IN") and not is_sensitive(place.column):
        text = str(value).lower() if isinstance(value, bool) else str(value)
        if is_common(place.table, place.column, text):
            shape["value"] = value
    return shape


def _keys(value: Any) -> list[str]:
    if isinstance(value, str):
        return re.findall(r'"(\w+)"\s*:', value)
    return [str(key) for key in value] if isinstance(value, dict) else []


def _kind(value: Any) -> str:
    return next((kind for of, kind in _KINDS if isinstance(value, of)), "other")


def _literal(text: str) -> Any:
    if text[:1].isdigit():
        return int(text) if text.isdigit() else float(text)
    return text[text.index("'") + 1 : -1].replace("''", "'") if text.endswith("'") else text
