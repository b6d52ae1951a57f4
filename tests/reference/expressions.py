"""A tiny evaluator of the rule book's expressions over one row (a dict), with SQL's three-valued logic: None is null.

Grammar: or < and < not < comparison, is [not] null, [not] in (…) < + - < * < unary minus < literal, column,
coalesce(…), case when … then … [else …] end, parentheses.
"""

import re
from typing import Any

Row = dict[str, Any]

TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>\d+)|(?P<word>[A-Za-z_][\w.]*)|(?P<sign><>|!=|<=|>=|[-=<>+*(),]))"
)


def evaluate(expression: str, row: Row) -> Any:
    """The value of `expression` on `row`; an unknown column is a KeyError."""
    reader = _Reader(_tokens(expression), row)
    value = reader.either()
    if reader.peek() is not None:
        raise ValueError(f"unexpected {reader.peek()!r} in {expression!r}")
    return value


def _tokens(expression: str) -> list[str]:
    tokens, at = [], 0
    expression = expression.strip()
    while at < len(expression):
        found = TOKEN.match(expression, at)
        if found is None:
            raise ValueError(f"cannot read {expression[at:]!r}")
        tokens.append(found.group().strip())
        at = found.end()
    return tokens


class _Reader:
    def __init__(self, tokens: list[str], row: Row) -> None:
        self.tokens, self.row, self.at = tokens, row, 0

    def peek(self) -> str | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def take(self, *wanted: str) -> bool:
        token = self.peek()
        if token is not None and token.lower() in wanted:
            self.at += 1
            return True
        return False

    def need(self, wanted: str) -> None:
        if not self.take(wanted):
            raise ValueError(f"expected {wanted!r}, found {self.peek()!r}")

    def either(self) -> Any:
        value = self.both()
        while self.take("or"):
            other = self.both()
            value = True if value is True or other is True else None if value is None or other is None else False
        return value

    def both(self) -> Any:
        value = self.negation()
        while self.take("and"):
            other = self.negation()
            value = False if value is False or other is False else None if value is None or other is None else True
        return value

    def negation(self) -> Any:
        if self.take("not"):
            value = self.negation()
            return None if value is None else not value
        return self.comparison()

    def comparison(self) -> Any:
        left = self.addition()
        if self.take("is"):
            negated = self.take("not")
            if self.take("true", "false"):
                wanted = self.tokens[self.at - 1].lower() == "true"
                return (left is wanted) != negated
            self.need("null")
            return (left is not None) if negated else (left is None)
        negated = self.take("not")
        if self.take("in"):
            members = self.arguments()
            if left is None:
                return None
            if left in members:
                return not negated
            return None if None in members else negated
        for sign in ("=", "<>", "!=", "<=", ">=", "<", ">"):
            if self.take(sign):
                return _compare(sign, left, self.addition())
        return left

    def addition(self) -> Any:
        value = self.product()
        while self.peek() in ("+", "-"):
            minus = self.take("-")
            if not minus:
                self.take("+")
            other = self.product()
            value = None if value is None or other is None else value - other if minus else value + other
        return value

    def product(self) -> Any:
        value = self.atom()
        while self.take("*"):
            other = self.atom()
            value = None if value is None or other is None else value * other
        return value

    def atom(self) -> Any:
        if self.take("("):
            value = self.either()
            self.need(")")
            return value
        if self.take("-"):
            value = self.atom()
            return None if value is None else -value
        if self.take("case"):
            return self.case()
        if self.take("coalesce"):
            return next((value for value in self.arguments() if value is not None), None)
        token = self.peek()
        if token is None:
            raise ValueError("the expression ends too early")
        self.at += 1
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        if token.isdigit():
            return int(token)
        constants: Row = {"true": True, "false": False, "null": None}
        return constants[token.lower()] if token.lower() in constants else self.row[token]

    def arguments(self) -> list[Any]:
        self.need("(")
        values = [self.either()]
        while self.take(","):
            values.append(self.either())
        self.need(")")
        return values

    def case(self) -> Any:
        chosen, found = None, False
        while self.take("when"):
            condition = self.either()
            self.need("then")
            value = self.either()
            if condition is True and not found:
                chosen, found = value, True
        if self.take("else"):
            value = self.either()
            chosen = chosen if found else value
        self.need("end")
        return chosen


def _compare(sign: str, left: Any, right: Any) -> bool | None:
    if left is None or right is None:
        return None
    return bool(
        {
            "=": lambda: left == right,
            "<>": lambda: left != right,
            "!=": lambda: left != right,
            "<": lambda: left < right,
            "<=": lambda: left <= right,
            ">": lambda: left > right,
            ">=": lambda: left >= right,
        }[sign]()
    )
