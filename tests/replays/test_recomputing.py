"""A figure's stamp computes it again: whatever was told, voided, ruled or programmed since."""

from collections import defaultdict, deque
from dataclasses import replace
from datetime import UTC, date

import pytest

from ledger.errors import LedgerError
from ledger.log.application import Ledger
from ledger.rulebook.loading import default_text
from ledger.rulebook.model import instant_us
from projections import compiled, tables
from projections.kpis import Answer, figures
from projections.stamps import BadStamp, Stamp, read_stamp, stamp
from replays.rebuild import rebuild
from replays.recomputing import NotReproducible, recompute
from tests.projections.worlds import World

STRICTER = default_text().replace("within: 3 min", "within: 1 min")


def asked(ledger: Ledger, *metrics: str, by: tuple[str, ...] = ()) -> Answer:
    moment = instant_us(ledger.now().astimezone(UTC))
    with ledger.pool.connection() as connection:
        return figures(connection, metrics, asked=moment, first=date(2025, 1, 1), last=date(2025, 12, 31), by=by)


@pytest.fixture
def told(world: World) -> World:
    """Ten chats answered after two minutes, one not yet, and a survey's marks."""
    world.tell("customer.registered", "CUS-1", "2025-03-01 09:00")
    for nth in range(10):
        world.tell("contact.received", f"C-{nth}", f"2025-03-03 09:{nth:02}", customer_id="CUS-1")
        world.tell("contact.answered", f"C-{nth}", f"2025-03-03 09:{nth + 2:02}")
    world.tell("contact.received", "C-late", "2025-03-03 09:13")
    world.catch_up()
    return world


def test_a_stamp_outlives_what_comes_after_it(told: World, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = ("first_response_in_time", "first_response_median", "core_frequency", "tier_coverage")
    before = asked(told.ledger, *metrics)
    by_channel = asked(told.ledger, "first_response_in_time", by=("channel",))
    reported = [(stamp(figure, answer).text(), figure) for answer in (before, by_channel) for figure in answer.figures]
    assert [(each.numerator, each.denominator, each.open) for _, each in reported[:1]] == [(10, 10, 1)]

    told.tell("contact.received", "C-new", "2025-03-03 09:14")
    told.tell("contact.answered", "C-new", "2025-03-03 09:30")
    (answered,) = (entry for entry in told.ledger.stream("contact", "C-3") if entry.type == "contact.answered")
    told.tell("record.voided", "C-3", "2025-03-03 09:31", voided_position=answered.position)
    told.catch_up()
    rebuild(told.ledger, book_text=STRICTER)
    assert asked(told.ledger, *metrics).figures[0].numerator == 0
    contacts = tables.TABLES["contacts"]
    changed = replace(contacts, rows=lambda inputs: contacts.rows(inputs).filter(False))
    monkeypatch.setattr(compiled, "_MADE", defaultdict(deque))
    monkeypatch.setitem(tables.TABLES, "contacts", changed)  # type: ignore[index]
    rebuild(told.ledger, book_text=default_text() + "# once more\n", compare=False)
    assert told.rows("contacts") == []

    again = recompute(told.ledger, [read_stamp(text) for text, _ in reported])
    assert [each.figure for each in again] == [figure for _, figure in reported]


def test_what_cannot_be_computed_again_is_said(told: World) -> None:
    answer = asked(told.ledger, "first_response_in_time")
    kept = stamp(answer.figures[0], answer)

    def refused(**changes: object) -> str:
        with pytest.raises(LedgerError) as raised:
            recompute(told.ledger, [Stamp.model_validate(kept.model_dump() | changes)])
        return str(raised.value)

    assert refused(position=99_999).startswith("the stamp is of position 99999; this ledger ends at ")
    assert refused(metric="wit").startswith("there is no metric 'wit'")
    assert refused(dimensions={"shoe_size": "44"}) == "first_response_in_time has no dimension shoe_size"
    assert "no document is kept under" in refused(recipe="sha256:" + "0" * 64)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("first_response_in_time 2026-01-01/2026-02-28 at 4711", "Invalid JSON"),
        ("[]", "object"),
        ('{"metric": "wit"}', "from: Field required"),
    ],
)
def test_what_is_not_a_stamp(text: str, problem: str) -> None:
    with pytest.raises(BadStamp, match="this is not a stamp") as raised:
        read_stamp(text)
    assert problem in str(raised.value)


def test_the_log_does_not_reach_there(told: World) -> None:
    answer = asked(told.ledger, "complaint_rate")
    with pytest.raises(NotReproducible):
        recompute(told.ledger, [stamp(answer.figures[0], answer).model_copy(update={"position": 10**9})])


def test_the_rows_behind_an_old_figure_are_those_that_were(told: World) -> None:
    told.tell("contact.received", "C-gone", "2025-03-03 09:13")
    told.tell("contact.merged", "C-gone", "2025-03-03 09:14", into_id="C-1")
    told.catch_up()
    whole = asked(told.ledger, "first_response_in_time", "first_response_median")
    by_channel = asked(told.ledger, "first_response_in_time", by=("channel",))
    stamps = [stamp(figure, answer) for answer in (whole, by_channel) for figure in answer.figures]

    told.tell("contact.answered", "C-late", "2025-03-03 09:15")
    (answered,) = (entry for entry in told.ledger.stream("contact", "C-3") if entry.type == "contact.answered")
    told.tell("record.voided", "C-3", "2025-03-03 09:31", voided_position=answered.position)
    told.catch_up()

    again = recompute(told.ledger, stamps, rows=100)
    behind = [each.behind for each in again if each.behind is not None]
    assert len(behind) == len(again) == 3
    for each, found in zip(again, behind, strict=True):
        counted = [row for row in found.rows if row.state == "counted"]
        assert sum(row.denominator for row in counted) == each.figure.denominator == found.states["counted"] == 10
        assert "C-3" in {row.key["contact_id"] for row in counted}
    assert behind[0].states == {"counted": 10, "open": 1, "merged": 1} == behind[2].states
    assert [row.state for row in behind[0].rows] == ["counted"] * 10 + ["open", "merged"]
    assert [row.key["contact_id"] for row in behind[0].rows[10:]] == ["C-late", "C-gone"]
    (few,) = recompute(told.ledger, stamps[:1], rows=3)
    assert few.behind is not None
    assert few.behind.rows == behind[0].rows[:3]
    assert few.behind.states == behind[0].states
