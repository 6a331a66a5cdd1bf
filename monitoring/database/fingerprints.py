"""What a statement is, whatever values it was run with: its folded text and the digest of that. Pure; runs nothing.

The folded text is SQL that can be planned: each value, bound or written out, is `$1`, `$2` … in the order of the text,
a list of IN and the rows of VALUES are one value and one row. What pg_stat_statements keeps folds to the same text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b

MAX_TEXT = 20_000
# Statements whose text is new each time or tells nothing: they share one fingerprint a kind.
_CONTROL = re.compile(r"\s*(SAVEPOINT|RELEASE|ROLLBACK|BEGIN|COMMIT|SET|SHOW|PRAGMA|DEALLOCATE|DISCARD|LISTEN)\b", re.I)
_VERB = re.compile(r"\s*(?:\(\s*)*(\w+)")
_OPERATIONS = {"SELECT": "select", "INSERT": "insert", "UPDATE": "update", "DELETE": "delete"}
_WITH_VERB = re.compile(r"\b(INSERT INTO|UPDATE|DELETE FROM)\b", re.I)
OTHER = "other"

# What a statement is called whose text does not say where its values end. Nothing of it is kept.
UNREADABLE = "(a statement that could not be read)"

_MARK = "\x01"
# Nothing here is tried twice at one place, and what opens and does not close ends the reading: the time is linear.
_TOKEN = re.compile(
    r"""(?P<comment>/\*)
    |(?P<space>(?:\s+|--[^\n]*)+)
    |(?P<verbatim>"[^"]*+(?:""[^"]*+)*+"|ESCAPE\s+'(?:[^']|'')'(?!')
        |\b(?:ORDER|GROUP)\ BY\ \d{1,4}(?!\w)(?:,\ ?\d{1,4}(?!\w))*
        |%%|::\s*\w+(?:\(\d+(?:,\s*\d+)?\))?)
    |(?P<literal>[eE]'(?:[^'\\]|\\.|'')*+'|\b[bBxX]?'[^']*+(?:''[^']*+)*+'|'[^']*+(?:''[^']*+)*+'
        |\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?-i:(?P=tag))\$)
    |(?P<open>[eE]?'|"|\$(?:[^\W\d]\w*)?\$)
    |\bEXTRACT\s*\(\s*(?P<field>[a-z]+)(?=\s+FROM\b)
    |(?P<bound>%s|%\(\w+\)s|\$\d+)
    |(?P<word>[^\W\d][\w$]*)
    |(?P<number>\d[\w.]*(?:(?<=[eE])[+-]\d+)?)""",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_EDGE_OF_COMMENT = re.compile(r"/\*|\*/")
_IN_LIST = re.compile(rf"(?<=\bIN \(){_MARK}(?:, ?{_MARK})+(?=\))", re.I)
_VALUES = re.compile(r"\bVALUES ?(?=\()", re.I)
_PARENTHESIS = re.compile(r""""[^"]*"|'[^']*'|[()]""")
_NEXT_ROW = re.compile(r", ?(?=\()")


class _Unreadable(ValueError):  # noqa: N818 - named for what happened
    """A literal or a comment has no end: whatever follows may be a value."""


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
    """`sql` as Django sends it (`%s`), or as PostgreSQL keeps it (`$1`), without values.

    Takes time in proportion to the length, whatever the text. UNREADABLE where a literal or a comment has no end, also
    because it was cut at MAX_TEXT.
    """
    control = _CONTROL.match(sql)
    if control:
        word = control[1].upper()
        return Folded(word, _digest(word), OTHER, ())
    try:
        # The mark is ours alone.
        marked, places = _marked(sql[:MAX_TEXT].replace(_MARK, " "))
    except _Unreadable:
        return Folded(UNREADABLE, _digest(UNREADABLE), OTHER, ())
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
    pieces: list[str] = []
    bound, at = 0, 0
    while match := _TOKEN.search(sql, at):
        if match.start() > at:
            pieces.append(sql[at : match.start()])
        kind, at = match.lastgroup, match.end()
        if kind == "open":
            raise _Unreadable
        if kind in ("space", "comment"):
            if kind == "comment":
                at = _end_of_comment(sql, at)
            if pieces and pieces[-1] != " ":
                pieces.append(" ")
        elif kind in ("literal", "tag", "number"):
            places.append(match[0])
            pieces.append(_MARK)
        elif kind == "field":
            # PostgreSQL keeps the name of the field as a value.
            places.append(f"'{match[kind]}'")
            pieces.append(f"EXTRACT({_MARK}")
        elif kind == "bound":
            places.append(bound)
            bound += 1
            pieces.append(_MARK)
        else:
            pieces.append("%" if match[0] == "%%" else match[0])
    return "".join([*pieces, sql[at:]]).strip().rstrip(";"), places


def _end_of_comment(sql: str, at: int) -> int:
    """Where the comment ends that began before `at`. PostgreSQL's hold others; SQLite's would have ended before."""
    depth = 1
    for edge in _EDGE_OF_COMMENT.finditer(sql, at):
        depth += 1 if edge[0] == "/*" else -1
        if depth == 0:
            return edge.end()
    raise _Unreadable


def _without_repetition(marked: str, places: list[int | str]) -> tuple[str, list[int | str]]:
    kept: list[int | str] = []
    position, done = 0, 0
    pieces = []
    lists = [(match.start(), match.start() + len(_MARK), match.end()) for match in _IN_LIST.finditer(marked)]
    for start, end_of_first, end in sorted([*lists, *_rows(marked)]):
        if start < done:
            continue  # a list inside a row that is folded already
        before, first = marked[done:start], marked[start:end_of_first]
        pieces += [before, first]
        count = before.count(_MARK) + first.count(_MARK)
        kept += places[position : position + count]
        position += count + marked.count(_MARK, end_of_first, end)
        done = end
    return "".join([*pieces, marked[done:]]), kept + places[position:]


def _rows(marked: str) -> Iterator[tuple[int, int, int]]:
    """Of each VALUES with more than one row: where the first begins and ends, and where the last ends."""
    closing: dict[int, int] = {}
    opened: list[int] = []
    for parenthesis in _PARENTHESIS.finditer(marked):
        if parenthesis[0] == "(":
            opened.append(parenthesis.start())
        elif parenthesis[0] == ")" and opened:
            closing[opened.pop()] = parenthesis.end()
    for values in _VALUES.finditer(marked):
        end = end_of_first = closing.get(values.end(), 0)
        while end and (following := _NEXT_ROW.match(marked, end)) and following.end() in closing:
            end = closing[following.end()]
        if end > end_of_first:
            yield values.end(), end_of_first, end


def _digest(marked: str) -> str:
    # A half of a pair of surrogates, which no database takes, is no reason to fail.
    return blake2b(marked.encode(errors="replace"), digest_size=8).hexdigest()
