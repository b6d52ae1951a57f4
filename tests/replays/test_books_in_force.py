"""Under several rule books every row is judged as the book of its time alone would judge it."""

import re
from collections.abc import Iterator
from datetime import UTC, date

import pytest

from ledger.log.application import Ledger
from ledger.rulebook.loading import default_text
from ledger.rulebook.model import instant_us
from ledger.rulebook.rules import Spell, in_force, read_rules
from projections.contributions import Contributor, gate
from projections.periods import Period, Span
from projections.recipes import recipe
from projections.tables import TABLES
from projections.tables.clocks import PLACES
from projections.tables.expressions import CLOCK_COLUMNS
from replays.engine import Replay
from replays.figures import Replayed

SINCE = (None, date(2025, 2, 10), date(2025, 3, 20))
CHANGES: tuple[tuple[tuple[str, str], ...], ...] = (
    (),
    (
        ("within: 3 min", "within: 1 min"),
        ("within: 24 h", "within: 6 h"),
        ("within: 3 working days", "within: 1 working days"),
        ('["09:00-18:00"]', '["08:00-12:00", "13:00-16:00"]'),
        ("urgency * importance", "3 * urgency * importance"),
        ("tier: high, every: month", "tier: high, every: quarter"),
    ),
    (
        ("within: 3 min", "within: 2 min"),
        ("numerator: delivery.met\n", "numerator: delivery.met and rescheduled = 0\n"),
        ("time_zone: Asia/Shanghai", "time_zone: Asia/Tokyo"),
    ),
)


def text(nth: int) -> str:
    book, _, _ = default_text().partition("\ntests:\n")
    book = re.sub(r"(?m)^version: .*$", f'version: "{nth + 1}"', book)
    if SINCE[nth] is not None:
        book = re.sub(r"(?m)^effective_from: .*$", f"effective_from: {SINCE[nth]}", book)
    for before, after in CHANGES[nth]:
        assert before in book, before
        book = book.replace(before, after)
    return book


BOOKS = [text(nth) for nth in range(len(SINCE))]
RULES = read_rules(in_force(BOOKS))
SPELLS = [spell for _, spell in RULES.spells]
Rows = dict[tuple[object, ...], dict[str, object]]


@pytest.fixture(scope="module")
def replays(company: Ledger) -> Iterator[list[Replay]]:
    """The company replayed under all three books, and under each of them alone."""
    made = [Replay(recipe(each)) for each in (in_force(BOOKS), *BOOKS)]
    for replay in made:
        replay.load(company, company.head().position)
        replay.build(counters=False)
    yield made
    for replay in made:
        replay.close()


def rows(replay: Replay, table: str) -> Rows:
    return {tuple(row[name] for name in TABLES[table].key): row for row in replay.rows(table)}


@pytest.mark.parametrize("table", PLACES)
def test_a_clock_is_judged_by_the_book_in_force_when_it_starts(replays: list[Replay], table: str) -> None:
    together, *alone = [rows(replay, table) for replay in replays]
    judged = set()
    for key, row in together.items():
        for clock in RULES.clocks(table):
            columns = [f"{clock}_{part}" for part in CLOCK_COLUMNS]
            starts = {each[key][f"{clock}_started_at"] for each in alone} - {None}
            if starts:
                (started_at,) = starts
                assert isinstance(started_at, int)
                (nth,) = (nth for nth, spell in enumerate(SPELLS) if spell.holds(started_at))
                judged.add(nth)
                assert [row[each] for each in columns] == [alone[nth][key][each] for each in columns], (key, clock, nth)
    assert len(judged) > 1


@pytest.mark.parametrize("metric", dict.fromkeys(each.part.name for each in RULES.metrics()))
def test_a_row_counts_as_under_the_book_of_its_time(company: Ledger, replays: list[Replay], metric: str) -> None:
    asked = instant_us(company.now().astimezone(UTC))
    (version, *_) = RULES.metrics(metric)
    clock = gate(version.part)
    read = []
    for replay in replays:
        zone = replay.rules.at(asked).time_zone
        months = [Period(date(2025, n, 1), date(2025, n, 28)) for n in (1, 2, 3, 4)]
        span = Span(asked, zone, tuple(months))
        reading = Replayed(company, replay.tables, 0).reading(metric, span)
        wanted = [*reading.key, "state", "day", "numerator", "denominator", "value", *(f"by_{by}" for by in reading.by)]
        columns = ", ".join(f'"{name}"' for name in [*wanted, "at"])
        found = replay.tables.query(f"SELECT {columns} FROM ({reading.query})", span.parameters)
        read.append({row[: len(reading.key)]: row[len(reading.key) :] for row in found})
    together, *alone = read
    starts = rows(replays[0], version.part.table) if clock else {}
    by_day = Contributor(version, RULES).by_day
    for key, (*counts, at) in together.items():
        moment = starts[key][f"{clock}_started_at"] if clock else None
        moment = at if moment is None else moment
        if moment is not None:
            (nth,) = (nth for nth, spell in enumerate(SPELLS) if _holds(spell, moment, by_day and clock is None))
            expected = list(alone[nth][key][:-1])
            if expected[0] == "open":
                # an open row is told of on the day of asking, which is that of the book then in force
                expected[1] = counts[1]
            assert counts == expected, (metric, key, nth)


def _holds(spell: Spell, moment: int, day: bool) -> bool:
    begin, end = (spell.from_day, spell.until_day) if day else (spell.from_us, spell.until_us)
    return (begin is None or moment >= begin) and (end is None or moment < end)
