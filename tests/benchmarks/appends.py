"""Appends over HTTP: single events beside the library's `save()` in the same run, and batches."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from itertools import product
from statistics import median

from tests.benchmarks.crowd import crowded
from tests.benchmarks.load import WRK, Load, press
from tests.benchmarks.running import Address, Bench
from tests.benchmarks.sections import Section, against, number

CONNECTIONS = 64
WARM_UP_SECONDS = 2
BATCH = 500
BATCH_CONNECTIONS = 16
CROWD = 64
"""Connections that send batches at once when more is sent than can be appended."""
QUEUE_SECONDS = 1.0
ENDPOINT = "FastAPI with `save()`"
CLIENT = "wrk, one thread," if WRK is not None else "an asyncio client in a process of its own"

Serving = Callable[[], AbstractContextManager[tuple[Address, str]]]


def singles(bench: Bench, rounds: int, seconds: int) -> Section:
    """The servers in turns (A B C A B C), each turn with a new server on a new database."""
    kinds: dict[tuple[str, str], tuple[Serving, bool]] = {
        ("`reqledger serve`", "later"): (bench.served, True),
        ("`reqledger serve`", "at once"): (bench.served, False),
        ("`reqledger serve --workers 2`", "later"): (lambda: bench.served(workers=2), True),
        (ENDPOINT, "none"): (bench.library, False),
    }
    loads: dict[tuple[str, str], list[Load]] = {kind: [] for kind in kinds}
    for _ in range(rounds):
        for kind, (serving, held) in kinds.items():
            with serving() as (address, conninfo), bench.projector_held(conninfo) if held else nullcontext():
                press(address, "warm", WARM_UP_SECONDS, connections=CONNECTIONS)
                loads[kind].append(press(address, "cold", seconds, connections=CONNECTIONS))
    base = median(load.rate() for load in loads[ENDPOINT, "none"])
    rows = []
    for (name, tables), each in loads.items():
        rate = median(load.rate() for load in each)
        rows.append(
            (
                name,
                tables,
                number(rate),
                " ".join(number(load.rate()) for load in each),
                number(median(load.p50_ms for load in each)),
                number(median(load.p99_ms for load in each)),
                str(sum(load.failed for load in each)),
                "1" if name == ENDPOINT else f"{rate / base:.1f} × ({against(rate / base, 5, 10)})",
            )
        )
    return Section(
        "Single appends over HTTP",
        f"{CLIENT} {CONNECTIONS} connections, one `contact.received` a request, {rounds} turns of {seconds} s each "
        f"after {WARM_UP_SECONDS} s of warming up, the servers in turns, a new database each. The ledger validates, "
        "authorises, decides and commits; the endpoint validates and saves, and keeps no tables. The promise (floor "
        "5 ×, goal 10 ×) is of what both do: tables later. With tables at once the ledger also projects what it is "
        "told, sharing the cores.",
        ("server", "tables", "events/s (median)", "each turn", "p50 ms", "p99 ms", "not 2xx", "ratio"),
        rows,
    )


def batches(bench: Bench, rounds: int, seconds: int) -> Section:
    """Batches of 500, in both forms, with the tables following at once and with them following later."""
    loads: dict[tuple[str, int, str], list[Load]] = {}
    pace: list[float] = []
    for _ in range(rounds):
        with bench.library() as (address, _conninfo):
            press(address, "warm", WARM_UP_SECONDS, connections=CONNECTIONS)
            pace.append(press(address, "cold", seconds, connections=CONNECTIONS).rate())
        for workers, form, follow in product((1, 2), ("batch", "ndjson"), ("later", "at once")):
            with bench.served(workers) as (address, conninfo):
                with bench.projector_held(conninfo) if follow == "later" else nullcontext():
                    press(address, "warm", WARM_UP_SECONDS, connections=BATCH_CONNECTIONS, form=form, size=BATCH)
                    load = press(address, "cold", seconds, connections=BATCH_CONNECTIONS, form=form, size=BATCH)
                loads.setdefault((form, workers, follow), []).append(load)
    rows = []
    base = median(pace)
    for (form, workers, follow), each in loads.items():
        rate = median(load.rate(BATCH) for load in each)
        rows.append(
            (
                "CloudEvents batch (JSON)" if form == "batch" else "NDJSON",
                str(workers),
                follow,
                number(rate),
                " ".join(number(load.rate(BATCH)) for load in each),
                number(median(load.p50_ms for load in each)),
                str(sum(load.failed for load in each)),
                against(rate, 20_000, 45_000),
                f"{rate / base:.0f} ×",
            )
        )
    return Section(
        f"Batches of {BATCH} over HTTP",
        f"{CLIENT} {BATCH_CONNECTIONS} connections, {rounds} turns of {seconds} s each, all or nothing: validated, "
        "decided, durable. The tables follow at once, sharing the cores, or later; the promise is of an append, which "
        "is answered when it is durable, and so of tables later. Floor 20,000 events/s, goal 45,000; they were set "
        f"on a machine on which {ENDPOINT} took 540 single events/s, and are 37 and 83 × as many. Here, in the same "
        f"run, it took {number(base)}.",
        (
            "form",
            "processes",
            "tables",
            "events/s (median)",
            "each turn",
            "p50 ms a batch",
            "not 2xx",
            "promise",
            "endpoint",
        ),
        rows,
    )


def overload(bench: Bench, seconds: int) -> Section:
    """More than can be appended: who is answered waits a bounded time, the others are told at once, memory stays."""
    rows = []
    for bound in (QUEUE_SECONDS, 4 * QUEUE_SECONDS):
        with bench.served(LEDGER_QUEUE_SECONDS=str(bound)) as (address, conninfo), bench.projector_held(conninfo):
            press(address, "warm", WARM_UP_SECONDS, connections=BATCH_CONNECTIONS, form="batch", size=BATCH)
            usual = bench.memory()
            crowd = crowded(address, "cold", seconds, connections=CROWD, size=BATCH)
            most = bench.memory(highest=True)
        rows.append(
            (
                f"{bound:.0f}",
                number(crowd.answered * BATCH / crowd.seconds),
                number(100 * crowd.turned_away / max(crowd.answered + crowd.turned_away, 1)),
                number(crowd.p50_ms),
                number(crowd.p99_ms),
                number(crowd.turned_away_p99_ms),
                str(crowd.broken),
                number(usual / 2**20),
                number(most / 2**20),
            )
        )
    return Section(
        "Overload",
        f"{CROWD} connections send batches of {BATCH}, each the next as soon as it is answered, taken or turned "
        f"away (503 with Retry-After, which they do not heed), for {seconds} s. `LEDGER_QUEUE_SECONDS` as given, the "
        "other settings as they come; tables later.",
        (
            "queue s",
            "taken, events/s",
            "turned away %",
            "taken p50 ms",
            "taken p99 ms",
            "503 p99 ms",
            "other",
            "MiB before",
            "MiB at most",
        ),
        rows,
    )
