"""The rows behind a figure add up to it, for every metric, and say why the others do not."""

from datetime import UTC, date
from typing import Any

import pytest

from ledger.log.application import Ledger
from ledger.rulebook.loading import default_text
from ledger.rulebook.model import Metric, instant_us
from projections.compiled import parsed
from projections.kpis import UnknownDimension, figures
from projections.reading import BadCursor
from projections.rows import Behind, Part, columns_read, in_words, rows_behind, subject_of
from tests.projections.worlds import World, us

METRICS = parsed(default_text()).latest.metrics
PARTS: tuple[Part, ...] = ("denominator", "open", "left_out")


def now(ledger: Ledger) -> int:
    return instant_us(ledger.now().astimezone(UTC))


def behind(ledger: Ledger, metric: str, part: Part, /, limit: int = 100_000, **more: Any) -> Behind:
    asked = {"asked": now(ledger)} | more
    with ledger.pool.connection() as connection:
        return rows_behind(connection, metric, part=part, limit=limit, **asked)


def adds_up(ledger: Ledger, metric: Metric, asked: int, filters: dict[str, tuple[str, ...]]) -> int:
    """Check that rows are what the figure of /v1/kpis says; how many are counted."""
    first, last = date(2024, 1, 1), date(2027, 12, 31)
    told = {
        part: behind(ledger, metric.name, part, asked=asked, first=first, last=last, filters=filters) for part in PARTS
    }
    counted = told["denominator"]
    with ledger.pool.connection() as connection:
        if metric.type == "ratio":
            known = figures(connection, [metric.name], asked=asked, first=first, last=last, filters=filters)
        else:
            known = figures(connection, [metric.name], asked=asked, first=first, last=last, by=tuple(filters))
    for figure in known.figures:
        if any(figure.dimensions.get(name, value[0]) != value[0] for name, value in filters.items()):
            continue
        among = [
            row
            for row in counted.rows
            if all(row.dimensions[name] == value for name, value in figure.dimensions.items())
        ]
        assert figure in counted.answer.figures
        assert sum(row.denominator for row in among) == figure.denominator
        if metric.type == "ratio":
            assert sum(row.numerator for row in among) == figure.numerator
            assert len(told["open"].rows) == figure.open or metric.per
        elif among:
            values = sorted(row.value or 0 for row in among)
            assert values[(len(values) - 1) // 2] == figure.value
    assert counted.states is not None
    for part, view in told.items():
        assert view.states == counted.states
        kept = {state for state in counted.states if state not in ("counted", "open")}
        states = {"denominator": {"counted"}, "open": {"open"}}.get(part, kept)
        assert len(view.rows) == sum(rows for state, rows in counted.states.items() if state in states)
        assert {row.state for row in view.rows} <= states
    return len(counted.rows)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_rows_add_up_to_the_figure(company: Ledger, metric: Metric) -> None:
    asked = now(company)
    whole = adds_up(company, metric, asked, {})
    for dimension in metric.by[:2]:
        with company.pool.connection() as connection:
            broken = figures(connection, [metric.name], asked=asked, by=(dimension,))
        values = {figure.dimensions[dimension] for figure in broken.figures}
        parts = [adds_up(company, metric, asked, {dimension: (value,)}) for value in sorted(values)]
        assert not values or sum(parts) == whole
    # two months ago other clocks were open, and what came since was not there
    adds_up(company, metric, asked - 60 * 86_400_000_000, {})


def test_pages_hold_every_row_once(company: Ledger) -> None:
    for metric in ("first_response_in_time", "online_satisfaction", "cadence_executed"):
        whole = behind(company, metric, "denominator")
        found, cursor = list[object](), None
        asked = now(company)
        while True:
            page = behind(company, metric, "denominator", limit=7, cursor=cursor, asked=asked)
            assert (page.states is None) == (cursor is not None)
            found += page.rows
            cursor = page.next_cursor
            if cursor is None:
                break
            # the first page's moment is that of all
            asked += 1_000_000
        assert found == whole.rows
        assert len(found) > 7
    first = behind(company, "first_response_in_time", "denominator", limit=1).next_cursor
    with pytest.raises(BadCursor):
        behind(company, "first_response_in_time", "open", cursor=first)
    with pytest.raises(BadCursor):
        behind(company, "first_response_in_time", "denominator", cursor=first, asked=0)


def test_a_part_of_a_part(company: Ledger) -> None:
    whole = behind(company, "first_response_in_time", "denominator").rows
    met = behind(company, "first_response_in_time", "numerator").rows
    missed = behind(company, "first_response_in_time", "denominator_only").rows
    assert met
    assert missed
    assert sorted([*met, *missed], key=lambda row: tuple(row.key.values())) == whole
    assert {row.outcome for row in met} == {"met"}
    assert all(row.outcome != "met" and row.deadline and row.judged_by for row in missed)


def test_every_state_has_words_and_every_row_a_subject(company: Ledger) -> None:
    for metric in METRICS:
        for part in PARTS:
            view = behind(company, metric.name, part, limit=20)
            for row in view.rows:
                words = in_words(metric, row.state, row)
                assert all(words.values())
                assert row.state not in words["zh"]
                aggregate, subject = subject_of(metric, row.key)
                assert any(entry.subject == subject for entry in company.stream(aggregate, subject))
    rules = parsed(default_text())
    assert columns_read(rules, next(each for each in METRICS if each.name == "first_response_in_time")) == (
        "first_response_outcome",
        "first_response_ended_at",
    )


def test_why_a_row_is_left_out(world: World) -> None:
    world.tell("contact.received", "C-met", "2025-03-03 09:00")
    world.tell("contact.answered", "C-met", "2025-03-03 09:02")
    world.tell("contact.received", "C-missed", "2025-03-03 09:00")
    world.tell("contact.answered", "C-missed", "2025-03-03 09:05")
    world.tell("contact.received", "C-merged", "2025-03-03 09:06")
    world.tell("contact.merged", "C-merged", "2025-03-03 09:07", into_id="C-met")
    world.tell("contact.received", "C-outbound", "2025-03-03 09:08", direction="outbound")
    world.tell("contact.received", "C-open", "2025-03-03 09:10")
    world.catch_up()

    def told(part: Part, **more: Any) -> dict[object, str]:
        asked = us("2025-03-03 09:11")
        view = behind(world.ledger, "first_response_in_time", part, asked=asked, **more)
        assert view.states == {"counted": 2, "merged": 1, "open": 1, "no date": 1} or more
        return {row.key["contact_id"]: row.state for row in view.rows}

    assert told("numerator") == {"C-met": "counted"}
    assert told("denominator_only") == {"C-missed": "counted"}
    assert told("open") == {"C-open": "open"}
    assert told("left_out") == {"C-merged": "merged", "C-outbound": "no date"}
    assert told("left_out", state="merged") == {"C-merged": "merged"}
    # one without a day of its own is of the period that it was opened in
    assert told("left_out", first=date(2025, 3, 4), last=date(2025, 3, 5)) == {}


def test_a_median_is_filtered_by_one_value(company: Ledger) -> None:
    view = behind(company, "first_response_median", "denominator", filters={"channel": ("email",)})
    assert [dict(figure.dimensions) for figure in view.answer.figures] == [{"channel": "email"}]
    assert view.answer.figures[0].denominator == len(view.rows)
    with pytest.raises(UnknownDimension, match="is a median"):
        behind(company, "first_response_median", "denominator", filters={"channel": ("email", "phone")})
    with pytest.raises(UnknownDimension, match="has no dimension"):
        behind(company, "complaint_rate", "denominator", filters={"shoe_size": ("44",)})
