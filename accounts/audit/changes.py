"""What an event tells of rows that were changed, column by column, for a page and for a spreadsheet."""

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to one row of a table: (column, value before, value after) of each column that differs."""

    table: str
    op: str
    id: str
    columns: list[tuple[str, str, str]]


def changes_in(told: Any) -> list[Change] | None:
    """The rows that an event says were changed; None where it says that in no form of ours."""
    if not isinstance(told, list) or not all(isinstance(one, dict) for one in told):
        return None
    return [
        Change(
            table=as_text(one.get("table", "")),
            op=as_text(one.get("op", "")),
            id=as_text(one.get("id", "")),
            columns=_columns(one.get("before"), one.get("after")),
        )
        for one in told
    ]


def as_text(value: Any) -> str:
    """A value of an event as people read it."""
    if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
        return ", ".join(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _told(values: dict[str, Any], name: str) -> str:
    """A value as people read it, "" where there is none; a text that is empty is there, and shows its quotes."""
    return (as_text(values[name]) or '""') if name in values else ""


def _columns(before: Any, after: Any) -> list[tuple[str, str, str]]:
    was, now = (values if isinstance(values, dict) else {} for values in (before, after))
    return [
        (name, _told(was, name), _told(now, name))
        for name in sorted({*was, *now})
        if (name in was) != (name in now) or was.get(name) != now.get(name)
    ]
