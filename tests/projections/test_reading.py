"""Reading tables: filters, order, pages that miss nothing, and the clocks that run out next."""

import base64
import json
import operator
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.log.application import Ledger
from projections.generations import live
from projections.reading import (
    BadCursor,
    Filter,
    Page,
    UnknownColumn,
    UnknownTable,
    _order_mark,
    columns,
    due_clocks,
    read_table,
)
from projections.tables import READABLE
from projections.values import BadValue
from tests.projections.worlds import World, new_ledger, us

UNUSUAL = [HealthCheck.function_scoped_fixture]


def page(ledger: Ledger, table: str, **asked: Any) -> Page:
    with ledger.pool.connection() as connection:
        return read_table(connection, table, **asked)


def rows(ledger: Ledger, table: str, *filters: Filter, **asked: Any) -> list[dict[str, Any]]:
    return page(ledger, table, filters=filters, limit=10_000, **asked).rows


KINDS = {"text": "channel", "integer": "reopened", "boolean": "solved", "time": "answered_at"}
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("compare", [*COMPARE, "ne", "in", "null"])
def test_every_operator_means_what_it_says(company: Ledger, kind: str, compare: Any) -> None:
    column = KINDS[kind]
    all_rows = rows(company, "contacts")
    told = sorted({row[column] for row in all_rows} - {None})
    value = told[len(told) // 2]

    def holds(cell: Any) -> bool:
        if compare == "null":
            return cell is None
        if compare == "ne":
            return bool(cell != value)
        if compare == "in":
            return cell in told[:2]
        return cell is not None and COMPARE[compare](cell, value)

    written = {"null": ("true",), "in": tuple(map(_written, told[:2]))}.get(compare, (_written(value),))
    found = rows(company, "contacts", Filter(column, compare, written))
    assert found == [row for row in all_rows if holds(row[column])]
    if compare == "null" and kind in ("text", "integer"):
        return  # these are always told
    assert found or compare in ("lt", "gt")


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_null_can_be_asked_for_and_against(company: Ledger) -> None:
    without = rows(company, "contacts", Filter("solved", "null", ("true",)))
    having = rows(company, "contacts", Filter("solved", "null", ("false",)))
    assert without
    assert having
    assert len(without) + len(having) == len(rows(company, "contacts"))
    assert {row["solved"] for row in without} == {None}


def test_days_are_read_as_dates_and_quarters(company: Ledger) -> None:
    by_date = rows(company, "value_assessments", Filter("quarter", "eq", ("2025-01-01",)))
    by_quarter = rows(company, "value_assessments", Filter("quarter", "eq", ("2025-Q1",)))
    assert by_date == by_quarter != []
    assert {row["quarter"] for row in by_date} == {"2025-01-01"}


def test_times_are_compared_as_moments_whatever_their_offset(company: Ledger) -> None:
    at = rows(company, "contacts")[0]["received_at"]
    assert at.endswith("Z")
    shifted = f"{at[:11]}{(int(at[11:13]) + 8) % 24:02}{at[13:-1]}+08:00"
    if int(at[11:13]) < 16:
        assert rows(company, "contacts", Filter("received_at", "eq", (shifted,)))


def test_filters_must_all_hold(company: Ledger) -> None:
    both = rows(company, "contacts", Filter("channel", "eq", ("phone",)), Filter("abandoned_at", "null", ("false",)))
    assert both
    assert all(row["channel"] == "phone" and row["abandoned_at"] for row in both)


def test_values_are_values_and_never_sql(company: Ledger) -> None:
    for text in ("' OR 1=1 --", "%s", "%(x)s", "\\'; DROP TABLE contacts; --", "{}", "渠道", "a" * 10_000):
        assert rows(company, "contacts", Filter("channel", "eq", (text,))) == []
    assert rows(company, "contacts", Filter("channel", "in", ())) == []


SORTABLE = ["channel", "answered_at", "solved", "reopened", "customer_id", "received_at"]


@settings(max_examples=40, deadline=None, suppress_health_check=UNUSUAL)
@given(
    sort=st.lists(st.sampled_from(SORTABLE), max_size=3, unique=True).flatmap(
        lambda names: st.tuples(*(st.sampled_from([name, f"-{name}"]) for name in names))
    ),
    limit=st.integers(7, 60),
)
def test_pages_visit_every_row_once_in_order_with_nulls_last(
    company: Ledger, sort: tuple[str, ...], limit: int
) -> None:
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        one = page(company, "contacts", sort=sort, cursor=cursor, limit=limit)
        found += one.rows
        cursor = one.next_cursor
        assert len(one.rows) == limit or cursor is None
        if cursor is None:
            break
    wanted = sorted(rows(company, "contacts"), key=lambda row: row["contact_id"])
    for name in reversed(sort):
        column = name.removeprefix("-")
        told = [row for row in wanted if row[column] is not None]
        told.sort(key=lambda row: row[column], reverse=name.startswith("-"))
        wanted = told + [row for row in wanted if row[column] is None]
    assert [row["contact_id"] for row in found] == [row["contact_id"] for row in wanted]


@pytest.mark.parametrize("table", READABLE)
def test_every_table_can_be_paged_through(company: Ledger, table: str) -> None:
    whole = rows(company, table)
    found, cursor = [], None
    while True:
        one = page(company, table, cursor=cursor, limit=max(len(whole) // 3, 1))
        found += one.rows
        cursor = one.next_cursor
        if cursor is None:
            break
    assert found == whole != []
    assert list(whole[0]) == list(one.columns)
    assert one.position == company.head().position


def test_a_page_that_ends_with_the_last_row_has_no_next(company: Ledger) -> None:
    count = len(rows(company, "purchases"))
    assert page(company, "purchases", limit=count).next_cursor is None
    assert page(company, "purchases", limit=count - 1).next_cursor is not None


@pytest.mark.parametrize(
    ("filter_", "said"),
    [
        (Filter("received_at", "gt", ("yesterday",)), "received_at: 'yesterday' is not a time"),
        (Filter("received_at", "gt", ("2026-04-01T09:00:00",)), "is not a time with its offset"),
        (Filter("received_at", "gt", ("2026-13-01T09:00:00Z",)), "is not a time"),
        (Filter("received_at", "eq", ("0001-01-01T00:00:00+14:00",)), "is not a time"),
        (Filter("reopened", "eq", ("two",)), "is not a whole number"),
        (Filter("reopened", "eq", ("1.5",)), "is not a whole number"),
        (Filter("reopened", "eq", ("9223372036854775808",)), "is not a whole number"),
        (Filter("reopened", "eq", ("9" * 5_000,)), "is not a whole number"),
        (Filter("solved", "eq", ("yes",)), "is not true or false"),
        (Filter("solved", "null", ("maybe",)), "is not true or false"),
        (Filter("channel", "eq", ("a\x00b",)), "NUL"),
        (Filter("reopened", "in", ("1", "x")), "is not a whole number"),
    ],
)
def test_bad_values_are_told(company: Ledger, filter_: Filter, said: str) -> None:
    with pytest.raises(BadValue) as caught:
        rows(company, "contacts", filter_)
    assert said in str(caught.value)
    assert str(caught.value).startswith(f"{filter_.column}: ")


def test_unknown_tables_and_columns_are_told_with_those_there_are(company: Ledger) -> None:
    with pytest.raises(UnknownTable, match=r"no table 'contact'; there are .*contacts"):
        rows(company, "contact")
    with pytest.raises(UnknownTable):
        rows(company, "counters")
    for asked in ({"filters": [Filter("message", "eq", ("x",))]}, {"sort": ["message"]}, {"sort": ["--channel"]}):
        with pytest.raises(UnknownColumn, match=r"contacts has no column '(message|-channel)'; it has contact_id"):
            page(company, "contacts", **asked)


def forged(*values: Any) -> str:
    """A cursor that claims to be one of contacts sorted by received_at."""
    values = (_order_mark("contacts", [("received_at", False), ("contact_id", False)]), *values)
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "渠道",
        "%%%",
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
        base64.urlsafe_b64encode(b"[" * 3_000).decode(),
        base64.urlsafe_b64encode(b"{}").decode(),
        forged(),
        forged("K-1"),
        forged(1, None),
        forged("K-1", "K-1"),
        forged(True, "K-1"),
        forged(1.5, "K-1"),
        forged(1, 1),
        forged(1, "K\x00"),
        forged(1, "\ud800"),
        forged([1], "K-1"),
        forged(2**63, "K-1"),
        forged(1, "K-1", "more"),
    ],
)
def test_a_cursor_of_another_making_is_refused(company: Ledger, cursor: str) -> None:
    with pytest.raises(BadCursor):
        page(company, "contacts", sort=["received_at"], cursor=cursor)


def test_a_cursor_goes_with_its_order(company: Ledger) -> None:
    given_out = page(company, "contacts", sort=["channel"], limit=3).next_cursor
    with pytest.raises(BadCursor):
        page(company, "contacts", sort=["received_at"], cursor=given_out)
    for sort in ([], ["-channel"], ["department"]):
        with pytest.raises(BadCursor):
            page(company, "contacts", sort=sort, cursor=given_out)
    with pytest.raises(BadCursor):
        page(company, "contact_cycles", sort=["channel"], cursor=given_out)
    assert page(company, "contacts", sort=["channel"], cursor=given_out).rows


def test_clocks_have_their_own_columns(company: Ledger) -> None:
    with company.pool.connection() as connection:
        kinds = columns(live(connection), "clocks")
    assert list(kinds)[:4] == ["clock", "aggregate", "subject", "part"]
    assert kinds["deadline"] == "time"


# ---- what runs out next


@pytest.fixture(scope="module")
def waiting(postgres: str, template: str) -> Iterator[Ledger]:
    """Three first answers and one handoff under way, one answered, one paused."""
    with new_ledger(postgres, template) as ledger:
        world = World(ledger)
        world.tell("contact.received", "mail", "2025-03-03 09:00", channel="email", department="back")
        world.tell("contact.received", "forum", "2025-03-03 09:01", channel="community")
        world.tell("contact.received", "chat", "2025-03-03 09:02")
        world.tell("contact.received", "done", "2025-03-03 09:02")
        world.tell("contact.answered", "done", "2025-03-03 09:03")
        world.tell("contact.received", "stuck", "2025-03-03 09:03", channel="letter", kind="problem")
        world.tell("contact.paused", "stuck", "2025-03-03 09:04", pause_id="p")
        world.tell("handoff.requested", "hand", "2025-03-03 09:05", contact_id="mail")
        world.catch_up()
        yield ledger


def due(ledger: Ledger, asked: str, before: str, **more: Any) -> list[tuple[str, str, bool]]:
    with ledger.pool.connection() as connection:
        found = due_clocks(connection, asked=us(asked), before=us(before), **more)
    return [(row["clock"], row["subject"], row["overdue"]) for row in found.rows]


def test_clocks_that_run_out_come_soonest_first(waiting: Ledger) -> None:
    assert due(waiting, "2025-03-03 09:03", "2025-03-10 00:00") == [
        ("first_response", "chat", False),  # 09:05
        ("transfer", "hand", False),  # 10:00, an hour after the contact arrived
        ("first_response", "forum", False),  # 11:01
        ("first_response", "mail", False),  # Tuesday 09:00
        ("handoff_answer", "hand", False),  # Tuesday 09:05
    ]
    assert due(waiting, "2025-03-03 09:03", "2025-03-03 10:00:00.000001")[-1] == ("transfer", "hand", False)
    assert due(waiting, "2025-03-03 09:03", "2025-03-03 10:00") == [("first_response", "chat", False)]
    assert due(waiting, "2025-03-03 09:03", "2025-03-10 00:00", limit=1) == [("first_response", "chat", False)]


def test_due_clocks_are_read_page_by_page(waiting: Ledger) -> None:
    asked, before = us("2025-03-03 09:03"), us("2025-03-10 00:00")
    with waiting.pool.connection() as connection:
        whole = due_clocks(connection, asked=asked, before=before, overdue=True)
        assert whole.next_cursor is None
        rows, cursor = [], None
        for size in (2, 2, 1):
            page = due_clocks(connection, asked=asked, before=before, overdue=True, cursor=cursor, limit=size)
            rows += page.rows
            cursor = page.next_cursor
            assert (cursor is None) == (len(rows) == len(whole.rows))
        assert rows == whole.rows
        other = read_table(connection, "clocks", sort=["deadline"], limit=1).next_cursor
        with pytest.raises(BadCursor):
            due_clocks(connection, asked=asked, before=before, cursor=other)


def test_what_ran_out_already_is_overdue_and_shown_when_asked(waiting: Ledger) -> None:
    assert due(waiting, "2025-03-03 10:30", "2025-03-03 12:00") == [("first_response", "forum", False)]
    assert due(waiting, "2025-03-03 10:30", "2025-03-03 12:00", overdue=True) == [
        ("first_response", "chat", True),
        ("transfer", "hand", True),
        ("first_response", "forum", False),
    ]
    # at its very deadline a clock has not run out: the limit is inclusive
    assert due(waiting, "2025-03-03 09:05", "2025-03-03 09:06") == [("first_response", "chat", False)]
    assert due(waiting, "2025-03-03 09:05:00.000001", "2025-03-03 09:06") == []


def test_a_due_clock_says_whose_it_is_and_how_long_is_left(waiting: Ledger) -> None:
    with waiting.pool.connection() as connection:
        found = due_clocks(connection, asked=us("2025-03-03 09:04"), before=us("2025-03-10 00:00"))
    chat, transfer = found.rows[:2]
    assert (chat["left_us"], chat["owner"], chat["deadline"]) == (60_000_000, "front", "2025-03-03T01:05:00.000000Z")
    assert (transfer["owner"], transfer["left_us"]) == ("lab", 56 * 60_000_000)
    assert {*found.columns} == {*chat}
    assert all(row["subject"] not in ("done", "stuck") for row in found.rows)
