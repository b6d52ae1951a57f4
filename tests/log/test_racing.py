"""Several writers at once: positions stay gapless and in commit order, and nobody decides on a stale state."""

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import psycopg
import pytest

from ledger.claims import Claim, Recorded, encode
from ledger.errors import Refused
from ledger.events import CATALOGUE
from ledger.log.application import Ledger
from ledger.settings import Settings

Tell = Callable[..., Claim]
Open = Callable[..., Ledger]
FORM = {"source_kind": "form"}
INSERT = """
INSERT INTO log.entries (position, aggregate, subject, version, type, occurred_at, recorded_at, recorded_by, source, id,
                         entry)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""


def test_no_reader_skips_a_position_while_writers_race(settings: Settings, open_ledger: Open, tell: Tell) -> None:
    ledgers = [open_ledger(settings) for _ in range(3)]
    done = threading.Event()
    seen: list[int] = []

    def follow() -> None:
        with psycopg.connect(ledgers[0].database.conninfo, autocommit=True) as connection:
            while True:
                last = done.is_set()
                after = seen[-1] if seen else 0
                query = "SELECT position FROM log.entries WHERE position > %s ORDER BY position"
                seen.extend(row[0] for row in connection.execute(query, [after]))
                if last:
                    return

    def write(writer: int) -> int:
        chance = random.Random(writer)
        ledger = ledgers[writer % len(ledgers)]
        taken = 0
        for number in range(40):
            # half of the subjects are fought over; whoever comes second is refused
            subject = f"R{number}" if chance.random() < 0.5 else f"R{writer}-{number}"
            units = [[tell("requirement.captured", subject, FORM, source=f"writer-{writer}", id=str(number))]]
            if chance.random() < 0.3:
                units.append([tell("requirement.closed", f"unknown-{number}", source=f"writer-{writer}")])
            taken += sum(isinstance(outcome, list) for outcome in ledger.append(units, "key"))
        return taken

    reader = threading.Thread(target=follow)
    reader.start()
    with ThreadPoolExecutor(6) as pool:
        taken = sum(pool.map(write, range(6)))
    done.set()
    reader.join()
    assert seen == list(range(1, taken + 1))
    assert ledgers[0].head().position == taken
    times = [entry.recorded_at for entry in ledgers[0].entries(limit=10_000)]
    assert times == sorted(times)


@pytest.mark.parametrize("commits", [True, False])
def test_an_open_append_holds_the_others_back(ledger: Ledger, tell: Tell, commits: bool) -> None:
    first = _recorded(tell("requirement.captured", "R0", FORM, id="slow"))
    slow = psycopg.connect(ledger.database.conninfo)
    slow.execute("SELECT simulated FROM log.ledger FOR UPDATE")
    slow.execute(INSERT, first)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ledger.append, [[tell("requirement.captured", "R1", FORM)]], "key")
        assert not _finishes(waiting.done, 0.5)
        assert ledger.head().position == 0
        assert ledger.entries() == []
        slow.commit() if commits else slow.rollback()
        (outcome,) = waiting.result(10)
    slow.close()
    assert isinstance(outcome, list)
    assert [entry.position for entry in ledger.entries()] == ([1, 2] if commits else [1])
    assert outcome[0].position == (2 if commits else 1)
    times = [entry.recorded_at for entry in ledger.entries()]
    assert times == sorted(times)


@pytest.mark.parametrize("first", ["end", "plan"])
@pytest.mark.parametrize("end", ["rejected", "closed", "merged"])
def test_two_processes_deciding_on_stale_state(
    settings: Settings, open_ledger: Open, tell: Tell, first: str, end: str
) -> None:
    one, other = open_ledger(settings), open_ledger(settings)
    opening = [tell("requirement.captured", name, FORM) for name in ("R1", "R2")]
    one.append([opening], "key")
    # both have the requirement in memory as it is now: open, with no delivery
    for ledger in (one, other):
        ledger.append([[tell("requirement.verified", "R1", {"correct": True})]], "key")
        ledger.append([[tell("requirement.merged", "R1", {"into_id": "nobody"})]], "key")
    data = {"rejected": {"rejection": "invalid"}, "closed": {}, "merged": {"into_id": "R2"}}[end]
    ending = tell(f"requirement.{end}", "R1", data)
    planning = tell("delivery.planned", "D1", {"requirement_id": "R1", "due_at": "2026-05-01T00:00:00Z"})
    position = one.head().position
    if first == "end":
        (done,), (refused,) = one.append([[ending]], "key"), other.append([[planning]], "key")
    else:
        (done,), (refused,) = one.append([[planning]], "key"), other.append([[ending]], "key")
    assert isinstance(done, list)
    if first == "plan" and end != "merged":
        # a requirement may be rejected or closed while a delivery is open; it may not be merged away
        assert isinstance(refused, list)
    else:
        assert isinstance(refused, Refused)
        assert one.head().position == position + 1


def test_racing_plans_and_merges_never_leave_both(settings: Settings, open_ledger: Open, tell: Tell) -> None:
    one, other = open_ledger(settings), open_ledger(settings)
    names = [f"R{number}" for number in range(20)]
    one.append([[tell("requirement.captured", name, FORM)] for name in [*names, "R"]], "key")
    start = threading.Barrier(2)

    def race(ledger: Ledger, claims: list[Claim]) -> list[bool]:
        start.wait()
        return [isinstance(ledger.append([[each]], "key")[0], list) for each in claims]

    due = "2026-05-01T00:00:00Z"
    merges = [tell("requirement.merged", name, {"into_id": "R"}) for name in names]
    plans = [tell("delivery.planned", f"D-{name}", {"requirement_id": name, "due_at": due}) for name in names]
    with ThreadPoolExecutor(2) as pool:
        merged, planned = pool.map(race, (one, other), (merges, plans))
    assert [one_of != other_of for one_of, other_of in zip(merged, planned, strict=True)] == [True] * len(names)


def test_what_another_process_recorded_is_known_at_the_next_append(
    settings: Settings, open_ledger: Open, tell: Tell
) -> None:
    one, other = open_ledger(settings), open_ledger(settings)
    one.append([[tell("requirement.captured", "R1", FORM)]], "key")
    for turn in range(1, 6):
        ledger = (one, other)[turn % 2]
        (outcome,) = ledger.append([[tell("requirement.verified", "R1", {"correct": True})]], "key")
        assert isinstance(outcome, list)
        assert outcome[0].version == turn + 1


def test_duplicates_across_processes(settings: Settings, open_ledger: Open, tell: Tell) -> None:
    ledgers = [open_ledger(settings) for _ in range(2)]
    events = [tell("requirement.captured", f"R{number}", FORM) for number in range(30)]
    start = threading.Barrier(4)

    def send(writer: int) -> list[tuple[int, bool]]:
        start.wait()
        outcomes = [ledgers[writer % 2].append([[event]], "key")[0] for event in events]
        return [(outcome[0].position, outcome[0].duplicate) for outcome in outcomes if isinstance(outcome, list)]

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(send, range(4)))
    for each in zip(*answers, strict=True):
        assert len({position for position, _ in each}) == 1
        assert sorted(duplicate for _, duplicate in each) == [False, True, True, True]
    assert ledgers[0].head().position == len(events)


def test_an_append_does_not_wait_for_ever(settings: Settings, open_ledger: Open, tell: Tell) -> None:
    ledger = open_ledger(settings.model_copy(update={"lock_timeout_seconds": 0.3}))
    with psycopg.connect(ledger.database.conninfo) as stuck:
        stuck.execute("SELECT simulated FROM log.ledger FOR UPDATE")
        (outcome,) = ledger.append([[tell("requirement.captured", "R1", FORM)]], "key")
        assert "lock" in str(outcome)
    (outcome,) = ledger.append([[tell("requirement.captured", "R1", FORM)]], "key")
    assert isinstance(outcome, list)


def _recorded(claim: Claim) -> list[object]:
    now = datetime.now(UTC)
    entry = Recorded(
        **{
            name: getattr(claim, name)
            for name in ("id", "source", "type", "aggregate", "subject", "occurred_at", "data")
        },
        position=1,
        version=1,
        recorded_at=now,
        recorded_by="slow",
    )
    assert entry.type in CATALOGUE
    columns = (entry.aggregate, entry.subject, 1, entry.type, entry.occurred_at, now, "slow", entry.source, entry.id)
    return [1, *columns, encode(entry)]


def _finishes(done: Callable[[], bool], seconds: float) -> bool:
    end = threading.Event()
    end.wait(seconds)
    return done()
