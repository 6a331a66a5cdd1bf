"""What a statement asks of each table: equalities, ranges, joins, orders, conditions. Reads the syntax tree only."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

_DIALECT = "postgres"


@dataclass(frozen=True, slots=True)
class Key:
    """One key of an index: a column, or an expression (`column` is "" then), with its order and operator class."""

    sql: str
    column: str = ""
    is_descending: bool = False
    nulls: str = ""
    opclass: str = ""

    def __str__(self) -> str:
        body = self.sql if self.column else f"({self.sql})"
        words = [body, self.opclass, "DESC" if self.is_descending else "", f"NULLS {self.nulls}" if self.nulls else ""]
        return " ".join(word for word in words if word)


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that could be the WHERE of a partial index: on a column, IS NULL, a boolean, or a value."""

    sql: str
    column: str
    kind: str  # null, not null, true, false, or the number of a place `$n`


@dataclass(slots=True)
class Use:
    """What one statement asks of one table, in one SELECT, UPDATE or DELETE of it."""

    table: str
    equal: list[Key] = field(default_factory=list)
    ranges: list[Key] = field(default_factory=list)
    joins: list[Key] = field(default_factory=list)
    order: list[Key] = field(default_factory=list)
    prefixes: list[Key] = field(default_factory=list)  # of LIKE, whose pattern may begin with letters
    contains: list[Key] = field(default_factory=list)  # for GIN, with its operator class
    alternatives: list[Key] = field(default_factory=list)  # sides of an OR
    conditions: list[Condition] = field(default_factory=list)
    patterns: dict[str, int] = field(default_factory=dict)  # key → place of its pattern


def uses(text: str) -> list[Use]:
    """The uses of tables in `text`, a folded statement with its JSON keys put back. Raises ValueError."""
    import sqlglot  # noqa: PLC0415 - tens of milliseconds, and only this command needs it
    from sqlglot import exp  # noqa: PLC0415

    try:
        tree = sqlglot.parse_one(text, dialect=_DIALECT)
    except sqlglot.errors.SqlglotError as error:
        raise ValueError("unreadable statement") from error
    found = []
    for node in tree.find_all(exp.Select, exp.Update, exp.Delete):
        found += list(_Reader(exp, node).uses())
    return found


class _Reader:
    """Reads one SELECT, UPDATE or DELETE; those inside it have readers of their own."""

    def __init__(self, exp: Any, node: Any) -> None:
        self.exp, self.node = exp, node
        tables = [node.this] if isinstance(node, exp.Update | exp.Delete) else []
        source = node.args.get("from") or node.args.get("from_")
        tables += [source.this] if source else []
        tables += [join.this for join in node.args.get("joins") or ()]
        self._uses = {one.alias_or_name: Use(one.name) for one in tables if isinstance(one, exp.Table)}

    def uses(self) -> Iterator[Use]:
        exp, node = self.exp, self.node
        where = node.args.get("where")
        conditions = [where.this] if where else []
        conditions += [join.args["on"] for join in node.args.get("joins") or () if join.args.get("on")]
        for condition in conditions:
            for part in self._flat(condition, exp.And):
                self._predicate(part)
        order = node.args.get("order")
        if order:
            self._order(order.expressions)
        yield from self._uses.values()

    def _flat(self, node: Any, kind: Any) -> Iterator[Any]:
        node = node.unnest()
        if isinstance(node, kind):
            yield from self._flat(node.left, kind)
            yield from self._flat(node.right, kind)
        else:
            yield node

    def _owner(self, node: Any) -> Use | None:
        """The use whose columns, and no others, `node` reads; values may stand beside them."""
        names = {column.table for column in node.find_all(self.exp.Column)}
        if len(names) != 1 or node.find(self.exp.Select, self.exp.AggFunc, self.exp.Window):
            return None
        [name] = names
        if not name and len(self._uses) == 1:
            return next(iter(self._uses.values()))
        return self._uses.get(name)

    def _key(self, node: Any, **more: Any) -> Key | None:
        """`node` as a key, where it is a column or an expression of one table without open values."""
        node = node.unnest()
        if node.find(self.exp.Parameter, self.exp.Placeholder) or not node.find(self.exp.Column):
            return None
        if isinstance(node, self.exp.Column):
            name = node.name if node.this.args.get("quoted") else node.name.lower()
            return Key(f'"{name}"', name, **more)
        bare = node.copy()
        for column in bare.find_all(self.exp.Column):
            column.set("table", None)
        return Key(bare.sql(dialect=_DIALECT), **more)

    def _predicate(self, part: Any) -> None:
        exp = self.exp
        if isinstance(part, exp.Or):
            self._or(part)
        elif isinstance(part, exp.EQ):
            self._equality(part.left, part.right)
        elif isinstance(part, exp.In) and not part.args.get("query"):
            self._add("equal", part.this)
        elif isinstance(part, exp.In):
            self._add("joins", part.this)
        elif isinstance(part, exp.GT | exp.GTE | exp.LT | exp.LTE | exp.Between):
            for side in (part.left, part.right) if not isinstance(part, exp.Between) else (part.this,):
                self._add("ranges", side)
        elif isinstance(part, exp.Like | exp.Escape | exp.ILike):
            self._like(part.this if isinstance(part, exp.Escape) else part)
        elif isinstance(part, exp.ArrayContainsAll | exp.JSONBContains):
            self._add("contains", part.this)
        else:
            self._condition(part)

    def _equality(self, left: Any, right: Any) -> None:
        mine, other = self._owner(left), self._owner(right)
        if mine and other and mine is not other:
            self._add("joins", left)
            self._add("joins", right)
            return
        for side, against in ((left, right), (right, left)):
            owner = self._owner(side)
            if owner and not self._owner(against):
                outside = against.find(self.exp.Column, self.exp.Select)
                self._add("joins" if outside else "equal", side)
                value = against.unnest()
                column = side.unnest()
                if isinstance(column, self.exp.Column) and isinstance(value, self.exp.Parameter):
                    key = self._key(column)
                    if key:
                        owner.conditions.append(Condition(f"{key.sql} = ${value.name}", key.column, value.name))

    def _add(self, kind: str, node: Any, **more: Any) -> None:
        owner, key = self._owner(node), self._key(node, **more)
        if owner and key and key not in getattr(owner, kind):
            getattr(owner, kind).append(key)

    def _like(self, part: Any) -> None:
        owner, key = self._owner(part.this), self._key(part.this)
        parameter = part.expression.find(self.exp.Parameter)
        if owner and key and parameter is not None:
            owner.prefixes.append(key)
            owner.patterns[key.sql] = int(parameter.name)

    def _or(self, part: Any) -> None:
        for side in self._flat(part, self.exp.Or):
            for one in self._flat(side, self.exp.And):
                if isinstance(one, self.exp.EQ | self.exp.In):
                    self._add("alternatives", one.this)

    def _condition(self, part: Any) -> None:
        exp = self.exp
        negated = isinstance(part, exp.Not)
        inner = part.this.unnest() if negated else part
        if isinstance(inner, exp.Is) and isinstance(inner.expression, exp.Null):
            column, kind = inner.this.unnest(), "not null" if negated else "null"
        else:
            column, kind = inner, "false" if negated else "true"
        owner, key = self._owner(column) if isinstance(column, exp.Column) else None, self._key(column)
        if owner and key:
            sql = {"null": f"{key.sql} IS NULL", "not null": f"{key.sql} IS NOT NULL", "true": key.sql}
            owner.conditions.append(Condition(sql.get(kind, f"NOT {key.sql}"), key.column, kind))

    def _order(self, ordered: list[Any]) -> None:
        first: Use | None = None
        keys: list[Key] = []
        for one in ordered:
            owner, descending = self._owner(one.this), bool(one.args.get("desc"))
            text = one.sql(dialect=_DIALECT).upper()
            nulls = "LAST" if text.endswith("NULLS LAST") else "FIRST" if text.endswith("NULLS FIRST") else ""
            key = self._key(one.this, is_descending=descending, nulls=nulls)
            if owner is None or key is None or (first and owner is not first):
                break  # what is ordered by another table comes after the join
            first = owner
            keys.append(key)
        if first is None:
            return
        if len({key.is_descending for key in keys}) == 1 and not any(key.nulls for key in keys):
            # The whole is read backwards as easily.
            keys = [Key(key.sql, key.column) for key in keys]
        first.order = keys[:3]
