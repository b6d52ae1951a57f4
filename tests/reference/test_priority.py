"""The rule of priority, by worked examples: levels at their edges, what makes low, where roles and people differ."""

from typing import Any

import pytest

from tests.reference.book import Book
from tests.reference.books import DEFAULT, DEFAULT_TEXT
from tests.reference.given import History

ROLES = ("product", "service_operations", "engineering")


@pytest.fixture
def history() -> History:
    made = History(DEFAULT)
    made.tell("requirement.captured", "r", "2026-04-01 08:00")
    return made


def assess(history: History, role: str, urgency: int, importance: int, **more: Any) -> None:
    marks = {"urgency": urgency, "importance": importance, **more}
    history.tell("requirement.assessed", "r", "2026-04-02 08:00", role=role, **marks)


@pytest.mark.parametrize(
    ("marks", "score", "priority"),
    [
        ({"urgency": 4, "importance": 4}, 16, "high"),
        ({"urgency": 5, "importance": 3}, 15, "mid"),
        ({"urgency": 5, "importance": 3, "benefit": 4}, 17, "high"),
        ({"urgency": 4, "importance": 5, "effort": 5}, 16, "high"),
        ({"urgency": 4, "importance": 4, "benefit": 3, "effort": 4}, 14, "mid"),
        ({"urgency": 2, "importance": 4}, 8, "mid"),
        ({"urgency": 2, "importance": 3}, 6, "low"),
        ({"urgency": 2, "importance": 3, "benefit": 5, "effort": 4}, 8, "mid"),
        ({"urgency": 3, "importance": 3, "benefit": 2}, 7, "low"),
        ({"urgency": 1, "importance": 1, "benefit": 1, "effort": 5}, -7, "low"),
        ({"urgency": 5, "importance": 5, "benefit": 5, "effort": 1}, 33, "high"),
    ],
)
def test_a_level_begins_with_its_score(history: History, marks: dict[str, int], score: int, priority: str) -> None:
    assess(history, "product", **marks)
    role, whole = history.row("assessments"), history.row("requirements")
    assert (role["score"], role["rule_priority"]) == (score, priority)
    assert (whole["rule_score"], whole["assessed_roles"], whole["rule_priority"]) == (score, 1, priority)


@pytest.mark.parametrize(
    ("scores", "priority"),
    [
        (((4, 4), (4, 4), (4, 4)), "high"),  # 48 of three: 16 each
        (((5, 4), (4, 4), (4, 3)), "high"),  # 20 + 16 + 12
        (((5, 4), (5, 3), (4, 3)), "mid"),  # 47: a third short of it
        (((5, 5), (1, 1)), "mid"),  # 26 of two
        (((5, 5), (2, 3), (1, 1)), "mid"),  # 32 of three
        (((4, 4), (2, 4), (1, 1)), "mid"),  # 25 of three
        (((4, 5), (1, 2), (1, 1)), "low"),  # 23: a third short of it
    ],
)
def test_the_mean_of_the_roles_decides(history: History, scores: Any, priority: str) -> None:
    for role, (urgency, importance) in zip(ROLES, scores, strict=False):
        assess(history, role, urgency, importance)
    row = history.row("requirements")
    assert (row["assessed_roles"], row["rule_priority"]) == (len(scores), priority)
    assert row["rule_score"] == sum(urgency * importance for urgency, importance in scores)


def test_of_one_roles_assessments_the_last_counts_and_marks_left_out_stay(history: History) -> None:
    assess(history, "product", 1, 1, benefit=5)
    history.tell("requirement.assessed", "r", "2026-04-03 08:00", role="product", urgency=4, importance=3)
    row = history.row("assessments")
    assert (row["times"], row["benefit"], row["score"]) == (2, 5, 16)
    assert history.row("requirements")["assessed_roles"] == 1


def test_a_reverse_requirement_is_low_even_before_anybody_assesses_it(history: History) -> None:
    assert history.row("requirements")["rule_priority"] is None
    history.tell("requirement.classified", "r", "2026-04-02 08:00", kano="reverse")
    assert history.row("requirements")["rule_priority"] == "low"
    assess(history, "product", 5, 5)
    row = history.row("requirements")
    assert (row["rule_priority"], row["rule_score"]) == ("low", 25)
    assert history.row("assessments")["rule_priority"] == "high"
    history.tell("requirement.classified", "r", "2026-04-03 08:00", kano="must_be")
    assert history.row("requirements")["rule_priority"] == "high"


def test_what_one_role_finds_against_strategy_is_low(history: History) -> None:
    assess(history, "product", 5, 5)
    assess(history, "engineering", 5, 5, against_strategy=True)
    row = history.row("requirements")
    assert (row["rule_priority"], row["rule_score"], row["roles_differ"]) == ("low", 50, True)
    assert history.row("assessments", role="engineering")["rule_priority"] == "low"
    history.tell(
        "requirement.assessed",
        "r",
        "2026-04-03 08:00",
        role="engineering",
        urgency=5,
        importance=5,
        against_strategy=False,
    )
    row = history.row("requirements")
    assert (row["rule_priority"], row["roles_differ"]) == ("high", False)


def test_roles_differ_by_the_level_not_by_the_score(history: History) -> None:
    assess(history, "product", 5, 5)
    assess(history, "engineering", 4, 4)
    assert history.row("requirements")["roles_differ"] is False
    assess(history, "service_operations", 3, 5)
    row = history.row("requirements")
    assert (row["roles_differ"], row["rule_priority"]) == (True, "high")


def test_people_may_differ_from_the_rule(history: History) -> None:
    history.tell("requirement.prioritised", "r", "2026-04-02 08:00", priority="high")
    assert history.row("requirements")["priority_differs"] is False  # the rule says nothing yet
    assess(history, "product", 1, 1)
    row = history.row("requirements")
    assert (row["priority"], row["rule_priority"], row["priority_differs"]) == ("high", "low", True)
    history.tell("requirement.prioritised", "r", "2026-04-03 08:00", priority="low")
    assert history.row("requirements")["priority_differs"] is False


def test_a_book_without_the_rule_leaves_it_to_people() -> None:
    history = History(Book.parse(DEFAULT_TEXT.replace("\npriority:\n", "\nunused:\n")))
    history.tell("requirement.captured", "r", "2026-04-01 08:00")
    assess(history, "product", 5, 5)
    history.tell("requirement.prioritised", "r", "2026-04-02 08:00", priority="low")
    row = history.row("requirements")
    assert (row["rule_priority"], row["rule_score"], row["assessed_roles"]) == (None, None, 0)
    assert (row["roles_differ"], row["priority_differs"]) == (False, False)
    assert (history.row("assessments")["score"], history.row("assessments")["rule_priority"]) == (None, None)
