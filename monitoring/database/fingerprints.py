"""What a statement is, whatever values it was run with: its folded text and the digest of that. Pure; runs nothing.

The folded text is SQL that can be planned: each value, bound or written out, is `$1`, `$2` … in the order of the text,
a list of IN and the rows of VALUES are one value and one row. What pg_stat_statements keeps folds to the same text.
"""

import re
from dataclasses import dataclass
from hashlib import blake2b

MAX_TEXT = 20_000
# Statements whose text is new each time or tells nothing: they share one fingerprint a kind.
_CONTROL = re.compile(r"\s*(SAVEPOINT|RELEASE|ROLLBACK|BEGIN|COMMIT|SET|SHOW|PRAGMA|DEALLOCATE|DISCARD|LISTEN)\b", re.I)
_VERB = re.compile(r"\s*(?:\(\s*)*(\w+)")
_OPERATIONS = {"SELECT": "select", "INSERT": "insert", "UPDATE": "update", "DELETE": "delete"}
_WITH_VERB = re.compile(r"\b(INSERT INTO|UPDATE|DELETE FROM)\b", re.I)
OTHER = "other"

_MARK = "\x01"
_TOKEN = re.compile(
    r"""(?P<space>(?:\s+|--[^\n]*|/\*.*?\*/)+)
    |(?P<verbatim>"(?:[^"]|"")*"|ESCAPE\s+'[^']*'|\b(?:ORDER|GROUP)\ BY\ \d+(?:,\ ?\d+)*|%%
        |::\s*\w+(?:\(\d+(?:,\s*\d+)?\))?)
    |(?P<literal>[eE]'(?:[^'\\]|\\.|'')*'|\b[bBxX]?'(?:[^']|'')*'|'(?:[^']|'')*'|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
    |\bEXTRACT\s*\(\s*(?P<field>[a-z]+)(?=\s+FROM\b)
    |(?P<bound>%s|%\(\w+\)s|\$\d+)
    |(?P<word>[A-Za-z_][\w$]*)
    |(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)""",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_IN_LIST = re.compile(rf"(?<=\bIN \(){_MARK}(?:, ?{_MARK})+(?=\))", re.I)
_ROW = rf"\((?:[^()]|\([^()]*\))*{_MARK}(?:[^()]|\([^()]*\))*\)"
_MORE_ROWS = re.compile(rf"(?<=\bVALUES )({_ROW})(?:, ?{_ROW})+", re.I)


@dataclass(frozen=True, slots=True)
class Folded:
    """A statement without its values.

    `places` says, for each `$n` of `text`, which bound parameter stood there (counted from 0), or the literal itself.
    """

    text: str
    fingerprint: str
    operation: str
    places: tuple[int | str, ...]

    @property
    def is_control(self) -> bool:
        """Whether it steers the session or changes the schema: nothing that an index could help."""
        return self.operation == OTHER


def fold(sql: str) -> Folded:
    """`sql` as Django sends it (`%s`), or as PostgreSQL keeps it (`$1`), without values."""
    control = _CONTROL.match(sql)
    if control:
        word = control[1].upper()
        return Folded(word, _digest(word), OTHER, ())
    marked, places = _marked(sql[:MAX_TEXT])
    marked, places = _without_repetition(marked, places)
    counted = iter(range(1, len(places) + 1))
    text = re.sub(_MARK, lambda _: f"${next(counted)}", marked)
    return Folded(text, _digest(marked), operation(marked), tuple(places))


def operation(sql: str) -> str:
    """select, insert, update, delete, or other; of WITH, what it does in the end if that writes."""
    match = _VERB.match(sql)
    verb = match[1].upper() if match else ""
    if verb == "WITH":
        writes = _WITH_VERB.search(sql)
        verb = writes[1].split()[0].upper() if writes else "SELECT"
    return _OPERATIONS.get(verb, OTHER)


def _marked(sql: str) -> tuple[str, list[int | str]]:
    places: list[int | str] = []
    bound = iter(range(len(sql)))

    def replace(match: re.Match[str]) -> str:
        kind = "literal" if match.lastgroup == "tag" else match.lastgroup
        if kind == "space":
            return " "
        if kind in ("literal", "number"):
            places.append(match[0])
            return _MARK
        if kind == "field":
            # PostgreSQL keeps the name of the field as a value.
            places.append(f"'{match[kind]}'")
            return f"EXTRACT({_MARK}"
        if kind == "bound":
            places.append(next(bound))
            return _MARK
        return "%" if match[0] == "%%" else match[0]

    return _TOKEN.sub(replace, sql).strip().rstrip(";"), places


def _without_repetition(marked: str, places: list[int | str]) -> tuple[str, list[int | str]]:
    kept: list[int | str] = []
    position, done = 0, 0
    pieces = []
    found = sorted([*_IN_LIST.finditer(marked), *_MORE_ROWS.finditer(marked)], key=lambda match: match.start())
    for match in found:
        if match.start() < done:
            continue  # a list inside a row that is folded already
        first = match[1] if match.re is _MORE_ROWS else _MARK
        before = marked[done : match.start()]
        pieces += [before, first]
        count = before.count(_MARK) + first.count(_MARK)
        kept += places[position : position + count]
        position += before.count(_MARK) + match[0].count(_MARK)
        done = match.end()
    return "".join([*pieces, marked[done:]]), kept + places[position:]


def _digest(marked: str) -> str:
    return blake2b(marked.encode(), digest_size=8).hexdigest()
