"""A simulated history: recorded, caught up by the projector, and rebuilt by a replay."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

from api.sending import Direct
from api.simulator.company import company
from api.simulator.playing import play
from ledger.log.application import Ledger
from projections import generations
from projections.projector import Batches
from projections.recipes import recipe
from replays.engine import Replay
from replays.rebuild import rebuild
from tests.benchmarks import per_event
from tests.benchmarks.running import Bench
from tests.benchmarks.sections import Section, against, number

EVENTS_PER_CONTACT = 7
"""A little less than the simulated company tells, so that there are enough."""


PER_EVENT = 5_000
"""How many of the events are projected one by one, to compare: each takes as long as the other."""


class Clock:
    seconds = 0.0

    def ratio(self, other: Clock) -> float:
        """How many times as fast as another."""
        return other.seconds / self.seconds


@contextmanager
def timed() -> Iterator[Clock]:
    clock = Clock()
    started = time.perf_counter()
    yield clock
    clock.seconds = time.perf_counter() - started


def _by_hand(ledger: Ledger, few: int, each: int) -> float:
    return per_event.by_hand(ledger.database.conninfo, few, each)


def backlog(bench: Bench, events: int) -> Section:
    """Everything on one ledger, one after another."""
    with bench.ledger(simulated=True) as ledger, bench.database() as other:
        history = list(islice(company(contacts=max(50, events // EVENTS_PER_CONTACT)), events))
        with timed() as recording:
            play(Direct(ledger, "benchmark"), history)
        head = ledger.head().position
        with ledger.database.connect() as connection:
            generation = generations.live(connection)
            # compiling its SQL takes seconds, once for a version of the program
            batches = Batches(ledger, connection, generation)
            with timed() as catching_up:
                batches.catch_up(head)
        few = min(head, PER_EVENT)
        plain = [
            (f"two tables and a counter by hand, a transaction for each of {few:,} events", _by_hand(ledger, few, 1)),
            (f"the same, a transaction for 500 of {few:,} events", _by_hand(ledger, few, 500)),
            (
                f"two tables and a counter by the library's `ProjectionRunner`, {few:,} events",
                per_event.by_library(ledger.database.conninfo, other, few),
            ),
        ]
        with timed() as rebuilding:
            rebuild(ledger, compare=False)
        with timed() as comparing:
            report = rebuild(ledger)
        with Replay(recipe(generation.book_text), ledger.settings.replay_memory_mb) as engine:
            with timed() as reading:
                engine.load(ledger, head)
            with timed() as folding:
                engine.build()
    caught_up = head / catching_up.seconds
    rows = [
        ("recorded, in batches of 500, no HTTP", recording, ""),
        ("caught up by the projector", catching_up, against(caught_up, 4_000, 10_000)),
        ("rebuilt by a replay, end to end", rebuilding, f"{rebuilding.ratio(catching_up):.1f} × the projector"),
        (f"rebuilt and compared ({report.differing} differences)", comparing, ""),
        ("of a replay: the log read into DuckDB", reading, ""),
        ("of a replay: the fold over all tables and counters", folding, ""),
    ]
    return Section(
        "Catching up and rebuilding",
        f"{head:,} events of a simulated company, all tables and counters of the default rule book. "
        "The projector: floor 4,000 events/s, goal 10,000.",
        ("what", "seconds", "events/s", "promise"),
        [
            *((what, f"{clock.seconds:.1f}", number(head / clock.seconds), promise) for what, clock, promise in rows),
            *((what, f"{seconds:.1f}", number(few / seconds), "to compare") for what, seconds in plain),
        ],
    )
