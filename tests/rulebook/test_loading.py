"""Loading a rule book: what is wrong is said with line and key."""

import re

import pytest

from ledger.rulebook.loading import BadRuleBook, default_text, load

BOOK = """\
rule_book: service
version: 2026.1
time_zone: Asia/Shanghai
effective_from: 2026-01-01
programme_start: 2026-01-01
calendars:
  - name: office
    time_zone: Asia/Shanghai
    hours: {mon-fri: ["09:00-18:00"]}
targets:
  - name: first_response
    label: {en: First answer, zh: 首次响应}
    table: contact_cycles
    from: received_at
    to: answered_at
    limits:
      - {within: 3 min}
metrics:
  - name: answered
    label: {en: Answered, zh: 已答复}
    type: ratio
    table: contacts
    numerator: answered_at is not null
    agg_time_dimension: received_at
    goal:
      - {from_month: 3, at_least: 80%}
"""


def broken(old: str, new: str) -> str:
    assert BOOK.count(old) == 1
    return BOOK.replace(old, new)


def test_a_book_loads() -> None:
    book = load(BOOK)
    assert book.version == "2026.1"
    assert book.target("first_response").limits[0].within.us == 180_000_000
    assert book.metric("answered").goal[0].at_least == 8_000
    assert book.effective_from_us == 1_767_196_800_000_000  # midnight in Shanghai is 16:00 of the day before in UTC


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "problem"),
    [
        ("within: 3 min", "within: 3 minutes", 17, "targets.0.limits.0.within", "'3 minutes' is not a duration"),
        ("within: 3 min", "within: 0 min", 17, "targets.0.limits.0.within", "'0 min' is not a duration"),
        ("within: 3 min", "within: 3 working days", 11, "targets.0", "needs the name of a calendar"),
        ("    to: answered_at\n", "", 11, "targets.0.to", "Field required"),
        ("at_least: 80%", "at_least: 80", 26, "metrics.0.goal.0.at_least", None),
        ("at_least: 80%", "at_least: 80.125%", 26, "metrics.0.goal.0.at_least", "is not a percentage"),
        ("at_least: 80%", "at_least: 80%, at_most: 90%", 26, "metrics.0.goal.0", "exactly one of"),
        ("at_least: 80%", "atleast: 80%", 26, "metrics.0.goal.0.atleast", "Extra inputs"),
        ("type: ratio", "type: mean", 21, "metrics.0.type", "'ratio' or 'median'"),
        ("type: ratio", "type: median", 19, "metrics.0", "a median a value"),
        ("version: 2026.1", 'version: ""', 2, "version", "at least 1"),
        ("time_zone: Asia/Shanghai\neff", "time_zone: Asia/Shangai\neff", 3, "time_zone", "not an IANA time zone"),
        ("time_zone: Asia/Shanghai\neff", "time_zone: ../../etc/passwd\neff", 3, "time_zone", "not an IANA time zone"),
        ("effective_from: 2026-01-01", "effective_from: 2026-02-30", 4, "not YAML", "day is out of range"),
        ("mon-fri", "mon-fry", 9, "calendars.0.hours.mon-fry", "'mon-fry' is not a day"),
        ("mon-fri", "fri-mon", 9, "calendars.0.hours.fri-mon", "runs backwards"),
        ("09:00-18:00", "18:00-18:00", 9, "calendars.0.hours.mon-fri.0", "ends as it begins"),
        ("09:00-18:00", "9-18", 9, "calendars.0.hours.mon-fri.0", "not an interval"),
        ("09:00-18:00", "09:00-24:30", 9, "calendars.0.hours.mon-fri.0", "not an interval"),
        ("name: first_response", "name: First Response", 11, "targets.0.name", "pattern"),
    ],
)
def test_what_is_wrong_is_told_with_line_and_key(old: str, new: str, line: int, key: str, problem: str | None) -> None:
    text = broken(old, new)
    if problem is None and key.endswith("at_least"):
        assert load(text).metric("answered").goal[0].at_least == 80  # a bare number is basis points
        return
    with pytest.raises(BadRuleBook) as caught:
        load(text, "book.yaml")
    assert str(caught.value).startswith(f"book.yaml:{line}: {key}: "), str(caught.value)
    assert problem is None or problem in str(caught.value)


HOURS = """\
    hours:
      mon-thu:
        - "09:00-12:00"
        - "13:00-18:00"
      fri: 22:00-06:00
    workdays:
      - 2026-02-14
"""


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "problem"),
    [
        ("13:00-18:00", "11:00-18:00", 12, "hours.mon-thu.1", "09:00-12:00 and 11:00-18:00 overlap"),
        ("13:00-18:00", "08:00-18:00", 11, "hours.mon-thu.0", "08:00-18:00 and 09:00-12:00 overlap"),
        ("13:00-18:00", "22:00-09:30", 9, "hours", "22:00-09:30 of mon runs into 09:00-12:00 of tue"),
        ("fri: 22", "thu-fri: 22", 13, "hours.thu-fri", "thu has hours already"),
        ("fri: 22:00-06:00", "fri: []", 13, "hours.fri", "needs an interval"),
        (
            "22:00-06:00",
            "22:00-09:30",
            15,
            "workdays.0",
            "22:00-09:30 of 2026-02-13 runs into 09:00-12:00 of 2026-02-1",
        ),
        ("- 2026-02-14", "- {day: 2026-02-14, as: sat}", 15, "workdays.0", "sat has no hours"),
        ("- 2026-02-14", "- 2026-02-14\n      - 2026-02-14", 16, "workdays.1", "2026-02-14 stands there twice"),
        ("- 2026-02-14", "- {day: 9999-12-31, as: fri}", 15, "workdays.0", "beyond"),
        ("- 2026-02-14", "- {day: 2026-02-14, as: friday}", 15, "workdays.0.as", "should be 'mon', 'tue'"),
    ],
)
def test_hours_that_cannot_be_are_told_with_line_and_key(old: str, new: str, line: int, key: str, problem: str) -> None:
    hours = broken('    hours: {mon-fri: ["09:00-18:00"]}\n', HOURS)
    assert load(hours).calendars[0].hours["fri"] == ["22:00-06:00"]
    assert hours.count(old) == 1
    with pytest.raises(BadRuleBook) as caught:
        load(hours.replace(old, new), "book.yaml")
    assert str(caught.value).startswith(f"book.yaml:{line}: calendars.0.{key}: "), str(caught.value)
    assert problem in str(caught.value)


def test_every_problem_stands_on_a_line_of_its_own() -> None:
    text = broken("within: 3 min", "within: soon").replace("type: ratio", "type: mean")
    with pytest.raises(BadRuleBook) as caught:
        load(text, "book.yaml")
    lines = str(caught.value).splitlines()
    assert [re.match(r"book\.yaml:(\d+): ", line)[1] for line in lines] == ["17", "21"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("- a\n- b", 1),
        ("rule_book: [", 1),
        ("a: 1\nb: !!python/object/apply:os.system [true]", 2),
        ("a: 1\n\tb: 2", 2),
        ("a: 1\nb: *nothing", 2),
        ("a: 1\n---\nb: 2", 2),
        ("{[a]: b}", 1),
        pytest.param("a: \ud800", 1, id="half a character"),
        pytest.param("a: " + "[" * 200_000, 1, id="deep"),
    ],
)
def test_what_is_not_a_book_is_refused(text: str, line: int) -> None:
    with pytest.raises(BadRuleBook, match=rf"^rule book:{line}: "):
        load(text)


def test_a_key_that_stands_twice_is_refused() -> None:
    with pytest.raises(BadRuleBook, match=r"book:3: not YAML: version stands there twice"):
        load(broken("version: 2026.1\n", "version: 2026.1\nversion: 2026.2\n"))


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("    limits:\n", "    clock: shop\n    limits:\n", "no calendar 'shop'"),
        ("metrics:\n", "  - {name: first_response, label: {en: a, zh: a}, table: handoffs, from: requested_at, "
         "to: answered_at, limits: [{within: 1 h}]}\nmetrics:\n", "first_response stands there twice"),
    ],
)  # fmt: skip
def test_parts_fit_together(old: str, new: str, problem: str) -> None:
    with pytest.raises(BadRuleBook, match=problem):
        load(broken(old, new))


def test_working_days_are_those_of_the_books_zone() -> None:
    text = broken("within: 3 min", "within: 3 working days").replace(
        "    limits:\n", "    clock: office\n    limits:\n"
    )
    assert load(text).target("first_response").limits[0].within.working_days == 3
    with pytest.raises(BadRuleBook, match="working days are those of Europe/Berlin"):
        load(text.replace("time_zone: Asia/Shanghai\neff", "time_zone: Europe/Berlin\neff"))


def test_labels_and_goals_change_no_digest_and_everything_else_does() -> None:
    digest = load(BOOK).digest()
    assert load(broken("en: Answered", "en: Replied")).digest() == digest
    assert load(broken("at_least: 80%", "at_least: 81%")).digest() == digest
    assert load(broken("3 min", "180 s")).target("first_response").limits[0].within.us == 180_000_000
    for old, new in (
        ("within: 3 min", "within: 4 min"),
        ("09:00-18:00", "09:00-17:00"),
        ("answered_at is not null", "answered_at is null"),
        ("agg_time_dimension: received_at", "agg_time_dimension: answered_at"),
        ("programme_start: 2026-01-01", "programme_start: 2026-02-01"),
    ):
        assert load(broken(old, new)).digest() != digest, new


def test_percentages_are_basis_points_exactly() -> None:
    for written, points in (("97.5%", 9750), ("-30%", -3000), ("-0.5%", -50), ("+5.05%", 505), ("100%", 10_000)):
        assert load(broken("at_least: 80%", f"at_least: {written!r}")).metric("answered").goal[0].at_least == points


def test_the_default_book_loads() -> None:
    book = load(default_text())
    assert {target.table for target in book.targets} == {
        "contact_cycles", "handoffs", "deliveries", "tellings", "alerts",
    }  # fmt: skip
