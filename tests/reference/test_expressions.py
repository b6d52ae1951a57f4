"""The reference's evaluator of rule-book expressions, with SQL's three-valued logic."""

from typing import Any

import pytest

from tests.reference.expressions import evaluate

ROW = {"a": 3, "b": None, "kind": "problem", "yes": True, "no": False, "x.met": True}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("a = 3 and kind = 'problem'", True),
        ("a <> 3 or kind in ('complaint', 'problem')", True),
        ("kind not in ('complaint')", True),
        ("b = 3", None),
        ("b = 3 and no", False),
        ("b = 3 or yes", True),
        ("not b", None),
        ("b in (1, 2)", None),
        ("b is null and a is not null", True),
        ("coalesce(b, 0) + a * 2 - 1", 5),
        ("(a + 1) * -2", -8),
        ("case when b = 1 then 'one' when a >= 3 then 'more' else 'less' end", "more"),
        ("case when b = 1 then 1 end", None),
        ("x.met and yes", True),
        ("a * 10 >= 3 * 8", True),
    ],
)
def test_an_expression_has_the_value_sql_gives_it(expression: str, value: Any) -> None:
    assert evaluate(expression, ROW) == value


@pytest.mark.parametrize("expression", ["a +", "a b", "(a", "a = 'x", "case when a"])
def test_what_is_no_expression_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        evaluate(expression, ROW)
