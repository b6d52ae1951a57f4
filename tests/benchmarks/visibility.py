"""From the answer to an append until its position is in the tables, under a steady rate."""

from __future__ import annotations

import asyncio
import threading
import time
from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, field

import orjson
import psycopg

from tests.benchmarks.client import Connection
from tests.benchmarks.events import LIFE, life
from tests.benchmarks.running import Address, Bench
from tests.benchmarks.sections import Section, number

REACHED = (
    "SELECT notification_id FROM log.tracking WHERE application_name = (SELECT 'generation_' || number FROM "
    "projections.generations WHERE state = 'live')"
)
LOOK_SECONDS = 0.002
SETTLE_SECONDS = 20.0
CONNECTIONS = 16
WARM_UP_SECONDS = 5.0
INTERVALS = 6
"""Into how many parts the time of steady load is cut, to see whether the lag grows."""


@dataclass
class Watch:
    """Looks at how far the tables are every two milliseconds: rows, counters and checkpoint move in one transaction."""

    conninfo: str
    moments: list[float] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        with psycopg.connect(self.conninfo, autocommit=True, prepare_threshold=0) as connection:
            while not self._stopping.wait(LOOK_SECONDS):
                row = connection.execute(REACHED).fetchone()
                position = int(row[0]) if row else 0
                if not self.positions or position > self.positions[-1]:
                    self.positions.append(position)
                    self.moments.append(time.perf_counter())

    def seen(self, position: int) -> float | None:
        """When the position was first seen in the tables."""
        place = bisect_left(self.positions, position)
        return self.moments[place] if place < len(self.moments) else None

    def stop(self, position: int) -> None:
        """Wait until the position is there, for a while, and stop."""
        until = time.monotonic() + SETTLE_SECONDS
        while self.seen(position) is None and time.monotonic() < until:
            time.sleep(0.05)
        self._stopping.set()
        self._thread.join()


async def send(address: Address, rate: int, size: int, seconds: float, prefix: str) -> list[tuple[float, int, float]]:
    """Send `rate` events a second, `size` a request; per answer: when it came, the position, seconds it took.

    The events of one life go through one connection, in order. A connection that is late catches up.
    """
    answers: list[tuple[float, int, float]] = []
    started = time.perf_counter()
    every = size * CONNECTIONS / rate

    async def one(number: int) -> None:
        connection = await Connection.open(address)
        waiting: deque[bytes] = deque()
        turn = 0
        while (due := started + every * (turn + number / CONNECTIONS)) < started + seconds:
            if not waiting:
                events = [orjson.dumps(event) for event in life(f"{prefix}-{number}-{turn}")]
                waiting.extend(
                    b"[" + b",".join(events[place : place + size]) + b"]" for place in range(0, len(events), size)
                )
            if (early := due - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            sent = time.perf_counter()
            status, body = await connection.post("batch", waiting.popleft())
            if status != 201:
                raise RuntimeError(f"the ledger answered {status}: {body[:500]!r}")
            came = time.perf_counter()
            answers.append((came, orjson.loads(body)["position"], came - sent))
            turn += 1
        connection.close()

    await asyncio.gather(*(one(number) for number in range(CONNECTIONS)))
    return answers


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


@dataclass(frozen=True)
class Seen:
    """An answer: when it came, how long it took, and how long after it its position was in the tables."""

    came: float
    answered_ms: float
    milliseconds: float
    never: bool


async def _watched(address: Address, conninfo: str, rate: int, size: int, seconds: float) -> tuple[float, list[Seen]]:
    """Send at a steady rate, after warming up, and watch the tables: when it began, and every answer."""
    watch = Watch(conninfo)
    await send(address, rate, size, WARM_UP_SECONDS, "warm")
    begun = time.perf_counter()
    answers = await send(address, rate, size, seconds, "cold")
    await asyncio.to_thread(watch.stop, max(position for _, position, _ in answers))
    end = time.perf_counter()
    found = ((came, took, watch.seen(position)) for came, position, took in answers)
    return begun, [
        Seen(came, took * 1000, max(0.0, (end if seen is None else seen) - came) * 1000, seen is None)
        for came, took, seen in found
    ]


def lag(bench: Bench, minutes: float, rate: int) -> Section:
    """One server under a steady load for minutes: whether its tables keep up, or fall behind little by little."""
    seconds = minutes * 60
    with bench.served() as (address, conninfo):
        begun, seen = asyncio.run(_watched(address, conninfo, rate, len(LIFE), seconds))
    parts: list[list[Seen]] = [[] for _ in range(INTERVALS)]
    for each in seen:
        parts[min(INTERVALS - 1, int((each.came - begun) / seconds * INTERVALS))].append(each)
    rows = []
    for nth, part in enumerate(parts):
        delays = [each.milliseconds for each in part]
        told = [min(delays), quantile(delays, 0.5), quantile(delays, 0.99), max(delays)] if delays else []
        rows.append(
            (
                f"{nth * seconds / INTERVALS:.0f}–{(nth + 1) * seconds / INTERVALS:.0f}",
                number(len(part) * len(LIFE)),
                *(number(each) for each in told),
                *("" for _ in range(4 - len(told))),
                str(sum(each.never for each in part)),
            )
        )
    return Section(
        "Lag under a steady load",
        f"{rate:,} events a second asked for over {minutes:g} min, as above ({len(LIFE)} a request), on one server: "
        "from the answer until the tables hold it, for each stretch of the time. `--minutes` and `--rate` set how long "
        "and how much.",
        ("seconds", "events", "least ms", "median ms", "p99 ms", "most ms", "never seen"),
        rows,
    )


def visible(bench: Bench, seconds: int, rates: tuple[int, ...] = (200, 1_000, 2_000)) -> Section:
    """One server, one rate after another, a new database each."""
    rows = []
    for rate in rates:
        size = 1 if rate <= 200 else len(LIFE)
        with bench.served() as (address, conninfo):
            begun, seen = asyncio.run(_watched(address, conninfo, rate, size, seconds))
        delays = [each.milliseconds for each in seen]
        late = sum(each.never for each in seen)
        took = max(each.came for each in seen) - begun
        p99 = quantile(delays, 0.99)
        rows.append(
            (
                number(rate),
                str(size),
                number(len(seen) * size / took),
                number(quantile([each.answered_ms for each in seen], 0.5)),
                number(quantile(delays, 0.5)),
                number(quantile(delays, 0.95)),
                number(p99),
                str(late),
                "reached" if p99 < 50 and not late else "not reached",
            )
        )
    return Section(
        "From commit to visible",
        f"From the answer to an append until its position is in the tables, seen by looking every "
        f"{LOOK_SECONDS * 1000:.0f} ms; `reqledger serve`, {CONNECTIONS} connections, contacts and the requirements "
        f"they bring, told in order, {seconds} s for each rate after {WARM_UP_SECONDS:.0f} s of warming up, a new "
        "database each. Goal: p99 below 50 ms at 2,000 events/s. "
        f"*Never seen*: not within {SETTLE_SECONDS:.0f} s of the end.",
        (
            "asked for, events/s",
            "a request",
            "sent, events/s",
            "answer p50 ms",
            "visible p50 ms",
            "p95 ms",
            "p99 ms",
            "never seen",
            "promise",
        ),
        rows,
    )
