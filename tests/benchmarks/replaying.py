"""A simulated history: recorded, caught up by the projector, and rebuilt by a replay."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

from api.sending import Direct
from api.simulator.company import company
from api.simulator.playing import play
from projections import generations
from projections.projector import Batches
from projections.recipes import recipe
from replays.engine import Replay
from replays.rebuild import rebuild
from tests.benchmarks.running import Bench
from tests.benchmarks.sections import Section, against, number

EVENTS_PER_CONTACT = 7
"""A little less than the simulated company tells, so that there are enough."""


class Clock:
    seconds = 0.0


@contextmanager
def timed() -> Iterator[Clock]:
    clock = Clock()
    started = time.perf_counter()
    yield clock
    clock.seconds = time.perf_counter() - started


def backlog(bench: Bench, events: int) -> Section:
    """Everything on one ledger, one after another."""
    with bench.ledger(simulated=True) as ledger:
        history = list(islice(company(contacts=max(50, events // EVENTS_PER_CONTACT)), events))
        with timed() as recording:
            play(Direct(ledger, "benchmark"), history)
        head = ledger.head().position
        with timed() as catching_up, ledger.database.connect() as connection:
            generation = generations.live(connection)
            Batches(ledger, connection, generation).catch_up(head)
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
        ("rebuilt by a replay, end to end", rebuilding, ""),
        (f"rebuilt and compared ({report.differing} differences)", comparing, ""),
        ("of a replay: the log read into DuckDB", reading, ""),
        ("of a replay: the fold over all tables and counters", folding, ""),
    ]
    return Section(
        "Catching up and rebuilding",
        f"{head:,} events of a simulated company, all tables and counters of the default rule book. "
        "The projector: floor 4,000 events/s, goal 10,000.",
        ("what", "seconds", "events/s", "promise"),
        [(what, f"{clock.seconds:.1f}", number(head / clock.seconds), promise) for what, clock, promise in rows],
    )
