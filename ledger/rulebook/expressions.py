"""The little language of the rule book: SQL scalar expressions over the columns of one table.

Looked through word by word (lexicon), parsed by sqlglot, then checked node by node against an allowlist and the table's
columns; whatever is not on the list is refused with the place of the offending token. What comes out is a typed tree
that any engine can be given.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import sqlglot
from sqlglot import expressions as sql
from sqlglot.errors import SqlglotError

from ledger.rulebook.lexicon import stray

Kind = Literal["text", "integer", "boolean", "time", "day", "duration"]

MAX_LENGTH = 2_000
MAX_DEPTH = 40
INT64 = 2**63

COMPARISONS: Mapping[type[sql.Expr], str] = {
    sql.EQ: "=",
    sql.NEQ: "<>",
    sql.GT: ">",
    sql.GTE: ">=",
    sql.LT: "<",
    sql.LTE: "<=",
}
ARITHMETIC: Mapping[type[sql.Expr], str] = {sql.Add: "+", sql.Sub: "-", sql.Mul: "*"}
LOGIC: Mapping[type[sql.Expr], str] = {sql.And: "and", sql.Or: "or"}
PARTS: Mapping[type[sql.Expr], frozenset[str]] = {
    sql.Paren: frozenset({"this"}),
    sql.Column: frozenset({"this", "table", "db", "catalog"}),
    sql.Literal: frozenset({"this", "is_string"}),
    sql.Boolean: frozenset({"this"}),
    sql.Null: frozenset(),
    sql.Not: frozenset({"this"}),
    sql.Is: frozenset({"this", "expression", "negate"}),
    sql.In: frozenset({"this", "expressions", "query", "unnest"}),
    sql.Neg: frozenset({"this"}),
    sql.Coalesce: frozenset({"this", "expressions"}),
    sql.Case: frozenset({"this", "ifs", "default"}),
    **dict.fromkeys([*COMPARISONS, *ARITHMETIC, *LOGIC], frozenset({"this", "expression"})),
}
"""The allowlist: node types, and the parts of each that are understood; any other part is refused, not overlooked."""


class BadExpression(ValueError):
    """An expression of the rule book that is not allowed; the message says which, where (counted from 1) and why."""

    def __init__(self, text: str, place: int, problem: str) -> None:
        super().__init__(f"{problem} (at character {place + 1} of {text!r})")
        self.place = place


@dataclass(frozen=True)
class Expression:
    """A checked expression: an operator, its operands, and the kind of value it gives (None: only NULL)."""

    op: str
    kind: Kind | None
    args: tuple[Expression, ...] = ()
    value: str | int | bool | None = None

    def columns(self) -> frozenset[str]:
        """Names of the columns it reads."""
        own = frozenset({str(self.value)}) if self.op == "column" else frozenset[str]()
        return own.union(*(arg.columns() for arg in self.args))


def parse(text: str, schema: Mapping[str, Kind]) -> Expression:
    """Check an expression against the columns of its table.

    `schema` maps column names, qualified ones such as `first_response.met` among them, to kinds.
    Raises BadExpression.
    """
    if len(text) > MAX_LENGTH:
        raise BadExpression(text[:60] + "…", MAX_LENGTH, f"longer than {MAX_LENGTH:,} characters")
    found = stray(text, schema)
    if found is not None:
        known = f"; there are {', '.join(sorted(schema))}" if found.problem.startswith("there is no column") else ""
        raise BadExpression(text, found.place, found.problem + known)
    try:
        tree = sqlglot.parse_one(text, dialect="postgres")
    except (SqlglotError, RecursionError) as error:
        raise BadExpression(text, _place(error, text), "not an expression") from error
    return _Checker(text, schema).check(tree, 0)


def _place(error: Exception, text: str) -> int:
    """Where the parser gave up: sqlglot counts lines, and columns up to a token's last character."""
    if not isinstance(error, sqlglot.ParseError) or not error.errors:
        return 0
    told = error.errors[0]
    lines = text.splitlines(keepends=True)[: int(told.get("line") or 1) - 1]
    place = sum(map(len, lines)) + int(told.get("col") or 1) - len(str(told.get("highlight") or " "))
    return min(max(place, 0), max(len(text) - 1, 0))


class _Checker:
    def __init__(self, text: str, schema: Mapping[str, Kind]) -> None:
        self.text = text
        self.schema = schema

    def refuse(self, node: sql.Expr, problem: str) -> BadExpression:
        places = [part.meta["start"] for part in node.walk() if "start" in part.meta]
        return BadExpression(self.text, min(places, default=0), problem)

    def check(self, node: sql.Expr, depth: int) -> Expression:
        if depth > MAX_DEPTH:
            raise self.refuse(node, f"nested more than {MAX_DEPTH} deep")

        def sub(part: sql.Expr) -> Expression:
            return self.check(part, depth + 1)

        if type(node) not in PARTS:
            raise self.refuse(node, f"{node.key.upper()} is not allowed in a rule book")
        strange = {name for name, part in node.args.items() if part} - PARTS[type(node)]
        if strange:
            raise self.refuse(
                node, f"{node.key.upper()} with {', '.join(sorted(strange))} is not allowed in a rule book"
            )
        match node:
            case sql.Paren():
                return sub(node.this)
            case sql.Column():
                return self.column(node)
            case sql.Literal():
                return self.literal(node)
            case sql.Boolean():
                return Expression("literal", "boolean", value=bool(node.this))
            case sql.Null():
                return Expression("literal", None)
            case sql.And() | sql.Or():
                left, right = sub(node.this), sub(node.expression)
                self.want(node.this, left, "boolean")
                self.want(node.expression, right, "boolean")
                return Expression(LOGIC[type(node)], "boolean", (left, right))
            case sql.Not():
                inner = sub(node.this)
                self.want(node.this, inner, "boolean")
                return Expression("not", "boolean", (inner,))
            case sql.Is():
                if not isinstance(node.expression, sql.Null):
                    raise self.refuse(node, "only IS NULL and IS NOT NULL are allowed")
                absent = Expression("is null", "boolean", (sub(node.this),))
                return Expression("not", "boolean", (absent,)) if node.args.get("negate") else absent
            case sql.In():
                return self.membership(node, depth)
            case sql.Neg():
                inner = sub(node.this)
                self.want(node.this, inner, "integer", "duration")
                return Expression("-", inner.kind, (Expression("literal", "integer", value=0), inner))
            case sql.Coalesce():
                return self.alike("coalesce", node, [node.this, *node.expressions], depth)
            case sql.Case() if node.this is None:
                return self.case(node, depth)
        if type(node) in COMPARISONS:
            return self.comparison(COMPARISONS[type(node)], node, sub(node.this), sub(node.expression))
        if type(node) in ARITHMETIC:
            left, right = sub(node.this), sub(node.expression)
            self.want(node.this, left, "integer", "duration")
            self.want(node.expression, right, "integer", "duration")
            kind: Kind = "duration" if "duration" in (left.kind, right.kind) else "integer"
            return Expression(ARITHMETIC[type(node)], kind, (left, right))
        raise self.refuse(node, f"{node.key.upper()} with a subject is not allowed in a rule book")

    def column(self, node: sql.Column) -> Expression:
        if node.args.get("db") or node.args.get("catalog") or not isinstance(node.this, sql.Identifier):
            raise self.refuse(node, "only the columns of the table are allowed")
        name = f"{node.table}.{node.name}" if node.table else node.name
        if name not in self.schema:
            known = ", ".join(sorted(self.schema))
            raise self.refuse(node, f"there is no column {name!r}; there are {known}")
        return Expression("column", self.schema[name], value=name)

    def literal(self, node: sql.Literal) -> Expression:
        if node.is_string:
            return Expression("literal", "text", value=str(node.this))
        if not re.fullmatch(r"[0-9]{1,19}", str(node.this)) or int(node.this) >= INT64:
            raise self.refuse(node, f"{str(node.this)[:40]} is not a whole number of 64 bits")
        return Expression("literal", "integer", value=int(node.this))

    def membership(self, node: sql.In, depth: int) -> Expression:
        if node.args.get("query") or node.args.get("unnest") or not node.expressions:
            raise self.refuse(node, "IN takes a list of values")
        subject = self.check(node.this, depth + 1)
        members = tuple(self.check(member, depth + 1) for member in node.expressions)
        for member in members:
            if member.op != "literal" or member.kind != subject.kind:
                raise self.refuse(node, f"IN takes a list of {subject.kind} values")
        return Expression("in", "boolean", (subject, *members))

    def case(self, node: sql.Case, depth: int) -> Expression:
        conditions, values = [], []
        for branch in node.args["ifs"]:
            condition = self.check(branch.this, depth + 1)
            self.want(branch, condition, "boolean")
            conditions.append(condition)
            values.append(branch.args["true"])
        default = node.args.get("default") or sql.Null()
        result = self.alike("case", node, [*values, default], depth)
        return Expression("case", result.kind, (*conditions, *result.args))

    def alike(self, op: str, node: sql.Expr, parts: list[sql.Expr], depth: int) -> Expression:
        args = tuple(self.check(part, depth + 1) for part in parts)
        kinds = {arg.kind for arg in args if arg.kind is not None}
        if len(kinds) != 1:
            raise self.refuse(node, f"{op.upper()} needs values of one kind")
        kind = kinds.pop()
        return Expression(op, kind, tuple(arg if arg.kind else Expression("literal", kind) for arg in args))

    def comparison(self, op: str, node: sql.Expr, left: Expression, right: Expression) -> Expression:
        if left.kind is None or right.kind is None:
            raise self.refuse(node, "compare with NULL by IS NULL")
        numbers = {"integer", "duration"}
        if left.kind != right.kind and not {left.kind, right.kind} <= numbers:
            raise self.refuse(node, f"{left.kind} cannot be compared with {right.kind}")
        if left.kind == "boolean" and op not in ("=", "<>"):
            raise self.refuse(node, "booleans are only equal or not")
        if left.kind == "text" and op not in ("=", "<>"):
            raise self.refuse(node, "texts are only equal or not: their order differs from engine to engine")
        return Expression(op, "boolean", (left, right))

    def want(self, node: sql.Expr, found: Expression, *kinds: Kind) -> None:
        if found.kind not in kinds:
            raise self.refuse(node, f"{' or '.join(kinds)} wanted here, not {found.kind}")
