"""Puts values back into a statement, to plan it with: those its shapes allow, else likely ones of the statistics.

What comes from the statistics is somebody's data. It is sent beside the text of an EXPLAIN and never in it: the server
writes texts into pg_stat_statements, and into its log when one fails or takes its time.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from monitoring.database.advice.schema import Column, Schema
from monitoring.database.shapes import Place, places

_PLACE = re.compile(r"\$(\d+)")
# Beside values that occur about as often as any other, which one is taken makes no difference.
_SKEWED = 3.0
# By the kind of what was seen, or by PostgreSQL's name of the type that it wants there.
_OF_KIND = {
    **dict.fromkeys(("integer", "number", "bigint", "smallint", "numeric", "double precision", "real"), "1"),
    **dict.fromkeys(("time", "date", "timestamp without time zone", "timestamp with time zone"), "now"),
    "boolean": "true",
    "interval": "1 day",
    "uuid": "00000000-0000-0000-0000-000000000000",
}
# How many of the values of a column are tried where nobody knows which it is asked for: `_likely`.
_CHOICES = 4
# From which end of the values an operator keeps some, and how much of the share lies there.
_ENDS = {
    "<": (False, 1.0),
    "<=": (False, 1.0),
    ">": (True, 1.0),
    ">=": (True, 1.0),
    "BETWEEN": (True, 1.5),
    "AND": (True, 0.5),
}
_STRUCTURE = ("->", "->>", "#>", "#>>", "?", "EXTRACT")


@dataclass(frozen=True, slots=True)
class Filled:
    """A statement that can be planned: `%s` in `text` where one of `values` is bound."""

    text: str
    values: tuple[str, ...] = ()


class _Bound(tuple[str, ...]):
    """Values of the statistics, for one place; several for a list."""

    __slots__ = ()


def fillings(text: str, shapes: Sequence[dict[str, Any]], schema: Schema) -> list[Filled]:
    """`text` with a value for each `$n`: the likely ones first, then others that some column has; [] as for `fill`."""
    found = [fill(text, shapes, schema, choice=choice) for choice in range(_CHOICES)]
    return list(dict.fromkeys(one for one in found if one is not None))


def fill(text: str, shapes: Sequence[dict[str, Any]], schema: Schema, *, choice: int = 0) -> Filled | None:
    """`text` with a value for each `$n`; None where one cannot be guessed, such as the key of a JSON field."""
    found = places(text)
    pieces: list[str] = []
    bound: list[str] = []
    at = 0
    for match in _PLACE.finditer(text):
        n = int(match[1]) - 1
        is_json = text.startswith("::json", match.end())
        value = _value(found[n], shape_at(shapes, n), schema, is_json=is_json, choice=choice)
        if value is None:
            return None
        pieces.append(text[at : match.start()].replace("%", "%%"))
        if isinstance(value, _Bound):
            bound += value
            pieces.append(", ".join(["%s"] * len(value)))
        else:
            pieces.append(value.replace("%", "%%"))
        at = match.end()
    return Filled("".join([*pieces, text[at:].replace("%", "%%")]), tuple(bound))


def fill_structure(text: str, shapes: Sequence[dict[str, Any]]) -> str:
    """`text` with those values alone that belong to an expression: keys of JSON, fields of EXTRACT."""
    found = places(text)

    def replace(match: re.Match[str]) -> str:
        n = int(match[1]) - 1
        if found[n].operator not in _STRUCTURE:
            return match[0]
        return _path(found[n], shape_at(shapes, n)) or match[0]

    return _PLACE.sub(replace, text)


def like_form(shape: dict[str, Any], schema: Schema) -> str | None:
    """The form of a LIKE pattern; where none was seen, the one whose index finds all others too, if there is such."""
    return shape.get("like") or ("%x%" if "pg_trgm" in schema.extensions else None)


def shape_at(shapes: Sequence[dict[str, Any]], n: int) -> dict[str, Any]:
    """What was seen at place `n` (from 0) of a statement; {} where nothing was."""
    return shapes[n] if n < len(shapes) else {}


def _path(place: Place, shape: dict[str, Any]) -> str | None:
    if place.operator == "EXTRACT":
        return _quoted(shape.get("value", "year"))
    keys = shape.get("keys")
    if not keys:
        return None
    if place.operator in ("#>", "#>>"):
        return _quoted("{" + ",".join(str(key) for key in keys) + "}")
    return str(keys[0]) if isinstance(keys[0], int) else _quoted(keys[0])


def _value(place: Place, shape: dict[str, Any], schema: Schema, *, is_json: bool, choice: int) -> str | _Bound | None:
    if place.operator in _STRUCTURE:
        return _path(place, shape)
    if shape.get("kind") == "null":
        return "NULL"
    if "value" in shape:
        return _quoted(shape["value"])
    if place.operator in ("LIMIT", "OFFSET"):
        return "'21'" if place.operator == "LIMIT" else "'0'"
    column = schema.column(place.table, place.column)
    if place.operator == "@>":
        if column is not None and column.type.endswith("[]"):
            return _quoted("{x}")
        # Whatever is looked for, the same index finds it.
        return _quoted(json.dumps({(shape.get("keys") or ["x"])[0]: "x"}))
    if is_json:
        return _quoted('"x"')
    if place.operator in ("LIKE", "ILIKE"):
        return _pattern(like_form(shape, schema), column)
    if place.operator == "IN":
        several = _several(column, choice)
        return _Bound(several) if several else _invented(column, shape)
    likely = (_end(place.operator, column) or _likely(column, choice)) if column else None
    return _invented(column, shape) if likely is None else _Bound([likely])


def _invented(column: Column | None, shape: dict[str, Any]) -> str:
    return _quoted(_OF_KIND.get(shape.get("kind", "text" if column is None else ""), "1" if column else "x"))


def _likely(column: Column, choice: int) -> str | None:
    """The most common value where it is far more common than the rest, for that decides; else one from the middle.

    Another `choice`: of the common ones that in the middle, or the rarest, or one that is not common.
    """
    others = [*column.common[len(column.common) // 2 :][:1], *column.common[-1:], *column.bounds[:1]]
    if column.common and 0 < choice <= len(others):
        return others[choice - 1]
    if column.frequencies and column.frequencies[0] > _SKEWED * (1 - column.null_share) / column.values(1000):
        return column.common[0]
    if column.bounds:
        return column.bounds[len(column.bounds) // 2]
    # All values are common ones: the most common, which an index helps least, so that nothing is promised.
    return column.common[0] if column.common else None


def _end(operator: str, column: Column) -> str | None:
    """A bound that keeps a tenth of the times, which are mostly asked for near an end; of all else a third."""
    if not column.bounds or operator not in _ENDS:
        return None
    share = 0.1 if column.type.startswith(("timestamp", "date")) else 0.33
    from_end, part = _ENDS[operator]
    last = len(column.bounds) - 1
    return column.bounds[round(last * (1 - share * part if from_end else share * part))]


def _several(column: Column | None, choice: int) -> list[str]:
    if column is None:
        return []
    if choice and column.common:
        return [str(_likely(column, choice))]
    # Of a few values not all: nobody asks for those.
    some = column.bounds[len(column.bounds) // 3 :: max(1, len(column.bounds) // 4)][:3] or column.common[1:][-3:]
    return list(some or column.common)


def _pattern(form: str | None, column: Column | None) -> _Bound | None:
    if form is None:
        return None
    known = [*column.bounds, *column.common] if column else []
    whole = re.sub(r"[%_\\']", "", known[len(known) // 2]) if known else "abcdef"
    # Not as it stands: a bound of the histogram counts for a hundredth of the rows in every estimate.
    likely = whole[:4] + chr(ord(whole[4]) + 1) if len(whole) > 4 else whole or "abc"
    return _Bound([form.replace("x", likely, 1)])


def _quoted(value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return "'" + text.replace("'", "''") + "'"
