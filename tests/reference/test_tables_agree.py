"""Kept up batch by batch = replayed = the plain reference, for every table and counter, over generated histories."""

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from ledger.errors import LedgerError
from ledger.log.application import Ledger
from ledger.settings import Settings
from projections.periods import Grain
from replays.rebuild import rebuild
from tests.reference import adapters
from tests.reference.adapters import FIRST, LAST, STANDING_KEYS
from tests.reference.asking import ask
from tests.reference.books import BOOKS
from tests.reference.calendars import local_date, midnight
from tests.reference.differences import counter_differences, differences, report
from tests.reference.histories import MANY_CONTACTS, PEOPLE, Teller
from tests.reference.periods import periods
from tests.reference.plain_ledger import deadlines
from tests.reference.recorded import claims, moment
from tests.reference.standing import standing
from tests.reference.tables import KEYS

FIRST_SEED = int(os.environ.get("REFERENCE_SEED", "1"))
SEEDS = range(FIRST_SEED, FIRST_SEED + int(os.environ.get("REFERENCE_SEEDS", "2")))
TABLES = (*KEYS, *STANDING_KEYS)
EXAMPLES = int(os.environ.get("REFERENCE_EXAMPLES", "5"))


class Company:
    """A ledger with its live tables, and a teller whose stories it is told."""

    def __init__(self, conninfo: str, home: Path, book: str, random: Random) -> None:
        self.text, self.book = BOOKS[book]
        self.teller = Teller(random, self.book.zone)
        self.stack = ExitStack()
        self.ledger = self.stack.enter_context(Ledger.open(Settings(database_url=conninfo, home=home), simulated=True))
        adapters.found(self.ledger, self.text)
        self.batches = self.stack.enter_context(adapters.batches(self.ledger))
        self.number = 0

    def close(self) -> None:
        self.stack.close()

    def tell(self, count: int) -> None:
        """Append that many units in one go; what is refused is dropped."""
        units = self.teller.units(count)
        numbered = [claims(unit, self.number + index) for index, unit in enumerate(units)]
        self.number += count
        for unit, outcome in zip(units, self.ledger.append(numbered, "test"), strict=True):
            if isinstance(outcome, LedgerError):
                self.teller.refused(unit)
                continue
            for move, appended in zip(unit, outcome, strict=True):
                self.teller.taken(move, appended.position)
        self.teller.deadlines = deadlines(adapters.recorded(self.ledger), self.book)

    def kept(self) -> None:
        """The live tables, caught up, are the reference's."""
        self.batches.catch_up()
        self._agree(("live", adapters.incremental(self.ledger)))

    def replayed(self, as_of: int | None = None, valid_at: int | None = None) -> None:
        """A replay gives the reference's tables, and now also the live ones."""
        at = None if valid_at is None else moment(valid_at)
        replay = adapters.rebuilt(self.ledger, as_of, at)
        self._agree(("replay", replay), as_of, valid_at)
        if as_of is None and valid_at is None:
            self.batches.catch_up()
            live = adapters.incremental(self.ledger)
            found = differences(live[0], replay[0], ("live", "replay"), adapters.KEYS)
            found += counter_differences(live[1], replay[1], ("live", "replay"))
            assert not found, report(found, adapters.recorded(self.ledger))

    def asked(
        self, asked_at: int, grain: Grain = "all", first: date = FIRST, last: date = LAST, of: Collection[str] = TABLES
    ) -> None:
        """The figures at a moment of asking, from counters and rows, are those that looking at every row gives."""
        told = adapters.recorded(self.ledger)
        tables, _ = adapters.reference(told, self.book)
        days = periods(first, last, grain)
        states = standing(told, tables, self.book, days, asked_at)
        found = differences(
            states,
            adapters.standing(self.ledger, asked_at, grain, first, last),
            ("reference", "live"),
            adapters.STANDING_KEYS,
        )
        assert not found, f"asked at {asked_at} by {grain}: {report(found, told)}"
        metrics = [metric for metric in self.book.metrics if metric.table in of]
        answers = adapters.asked(self.ledger, [metric.name for metric in metrics], asked_at, grain, first, last)
        for metric in metrics:
            wanted = ask(metric, tables | states, self.book, asked_at, days)
            said = {key: answer for key, answer in answers.items() if key[0] == metric.name}
            assert said == wanted, f"{metric.name}, asked at {asked_at} by {grain}"

    def moments(self) -> list[int]:
        """Moments to ask at: as clocks run out, a µs later, and as the next day begins."""
        now = self.now()
        later = sorted(at for clocks in self.teller.deadlines.values() for at in clocks if at >= now)[:1]
        tomorrow = midnight(local_date(now, self.book.zone) + timedelta(days=1), self.book.zone)
        return [*later, *(at + 1 for at in later), tomorrow]

    def months(self) -> list[int]:
        """Moments to ask for months and quarters at: now, in the middle of it all, and about the end of a month."""
        now = self.now()
        told = adapters.recorded(self.ledger)
        midst = sorted(event.occurred_at for event in told)[len(told) // 2]
        turn = midnight((local_date(midst, self.book.zone) + timedelta(days=31)).replace(day=1), self.book.zone)
        return [now, midst, turn - 1, turn]

    def now(self) -> int:
        told = adapters.recorded(self.ledger)
        return max(max(event.recorded_at, event.occurred_at) for event in told)

    def _agree(self, other: tuple[str, tuple], as_of: int | None = None, valid_at: int | None = None) -> None:  # type: ignore[type-arg]
        told = adapters.recorded(self.ledger)
        tables, counters = adapters.reference(told, self.book, as_of, valid_at)
        names = ("reference", other[0])
        found = differences(tables, other[1][0], names) + counter_differences(counters, other[1][1], names)
        assert not found, f"as of {as_of}, valid at {valid_at}: {report(found, told)}"


class Stories(RuleBasedStateMachine):
    """Events are told and batches are cut anywhere; whenever the tables are caught up, all three agree."""

    def __init__(self, database: Callable[[], str], home: Path) -> None:
        super().__init__()
        self.database, self.home = database, home
        self.company: Company | None = None

    @initialize(book=st.sampled_from(sorted(BOOKS)), random=st.randoms(use_true_random=False))
    def found(self, book: str, random: Random) -> None:
        self.company = Company(self.database(), self.home, book, random)
        self.company.tell(20)

    @rule(units=st.integers(1, 25), random=st.randoms(use_true_random=False))
    def tell(self, units: int, random: Random) -> None:
        assert self.company
        self.company.teller.random = random
        self.company.tell(units)

    @rule(limit=st.integers(1, 12))
    def project(self, limit: int) -> None:
        assert self.company
        self.company.batches.advance(limit)

    @rule()
    def catch_up(self) -> None:
        assert self.company
        self.company.kept()

    @rule(back=st.integers(0, 60), random=st.randoms(use_true_random=False))
    def look_back(self, back: int, random: Random) -> None:
        assert self.company
        told = adapters.recorded(self.company.ledger)
        self.company.replayed(as_of=max(len(told) - back, 1))
        self.company.replayed(valid_at=random.choice(told).occurred_at)

    def teardown(self) -> None:
        if self.company:
            try:
                self.company.kept()
                self.company.replayed()
            finally:
                self.company.close()


def test_live_tables_replays_and_the_reference_agree(new_database: Callable[[], str], tmp_path: Path) -> None:
    run_state_machine_as_test(
        lambda: Stories(new_database, tmp_path),  # type: ignore[arg-type]
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=8,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )


@pytest.fixture
def people(database: str, tmp_path: Path, book: str, seed: int) -> Iterator[Company]:
    made = Company(database, tmp_path, book, Random(seed))
    made.teller.weights, made.teller.pools = PEOPLE, MANY_CONTACTS
    yield made
    made.close()


@pytest.fixture
def company(database: str, tmp_path: Path, book: str, seed: int) -> Iterator[Company]:
    made = Company(database, tmp_path, book, Random(seed))
    yield made
    made.close()


@pytest.mark.parametrize("book", sorted(BOOKS))
@pytest.mark.parametrize("seed", SEEDS)
def test_a_long_history_agrees(company: Company, seed: int) -> None:
    random = Random(seed)
    company.tell(80)
    for _ in range(30):
        company.tell(random.randint(1, 8))
        company.batches.advance(random.randint(1, 12))
        if random.randint(1, 2) == 1:
            # Looked at often: a row left stale would be mended by the next event of its subject.
            company.kept()
    company.kept()
    for asked_at in company.moments():
        company.asked(asked_at)
    for asked_at in company.months():
        for grain in ("month", "quarter"):
            company.asked(asked_at, grain, date(2025, 2, 10), date(2026, 7, 31))
    company.replayed()
    told = adapters.recorded(company.ledger)
    company.replayed(as_of=random.randint(1, len(told)))
    company.replayed(valid_at=random.choice(told).occurred_at)
    rebuilt = rebuild(company.ledger, switch=False)
    assert rebuilt.compared_at is not None
    assert rebuilt.differences == []


@pytest.mark.parametrize("book", sorted(BOOKS))
@pytest.mark.parametrize("seed", SEEDS)
def test_customers_and_staff_over_time_agree(people: Company) -> None:
    for _ in range(6):
        people.tell(40)
        people.kept()
    for asked_at in people.months():
        for grain in ("month", "quarter", "all"):
            people.asked(asked_at, grain, date(2025, 2, 10), date(2026, 7, 31), of=STANDING_KEYS)
