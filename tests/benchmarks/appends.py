"""Appends over HTTP: single events beside the library's `save()` in the same run, and batches."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from itertools import product
from statistics import median

from tests.benchmarks.load import WRK, Load, press
from tests.benchmarks.running import Address, Bench
from tests.benchmarks.sections import Section, against, number

CONNECTIONS = 64
WARM_UP_SECONDS = 2
BATCH = 500
BATCH_CONNECTIONS = 4
CLIENT = "wrk, one thread," if WRK is not None else "an asyncio client in a process of its own"

Serving = Callable[[], AbstractContextManager[tuple[Address, str]]]


def singles(bench: Bench, rounds: int, seconds: int) -> Section:
    """The two in turns (A B A B), each turn with a new server on a new database."""
    kinds: dict[str, Serving] = {
        "`reqledger serve`": bench.served,
        "`reqledger serve --workers 2`": lambda: bench.served(workers=2),
        "FastAPI with `save()`": bench.library,
    }
    loads: dict[str, list[Load]] = {name: [] for name in kinds}
    for _ in range(rounds):
        for name, serving in kinds.items():
            with serving() as (address, _conninfo):
                press(address, "warm", WARM_UP_SECONDS, connections=CONNECTIONS)
                loads[name].append(press(address, "cold", seconds, connections=CONNECTIONS))
    base = median(load.rate() for load in loads["FastAPI with `save()`"])
    rows = []
    for name, each in loads.items():
        rate = median(load.rate() for load in each)
        rows.append(
            (
                name,
                number(rate),
                " ".join(number(load.rate()) for load in each),
                number(median(load.p50_ms for load in each)),
                number(median(load.p99_ms for load in each)),
                str(sum(load.failed for load in each)),
                "1" if rate == base else f"{rate / base:.1f} × ({against(rate / base, 5, 10)})",
            )
        )
    return Section(
        "Single appends over HTTP",
        f"{CLIENT} {CONNECTIONS} connections, one `contact.received` a request, {rounds} turns of {seconds} s each "
        f"after {WARM_UP_SECONDS} s of warming up, the servers in turns, a new database each. The ledger validates, "
        "decides, commits and projects its tables at the same time; the endpoint validates and saves. "
        "Floor 5 ×, goal 10 ×.",
        ("server", "events/s (median)", "each turn", "p50 ms", "p99 ms", "not 2xx", "ratio"),
        rows,
    )


def batches(bench: Bench, rounds: int, seconds: int) -> Section:
    """Batches of 500, in both forms, with the tables following at once and with them following later."""
    loads: dict[tuple[str, int, str], list[Load]] = {}
    for _ in range(rounds):
        for workers, form, follow in product((1, 2), ("batch", "ndjson"), ("later", "at once")):
            with bench.served(workers) as (address, conninfo):
                with bench.projector_held(conninfo) if follow == "later" else nullcontext():
                    press(address, "warm", WARM_UP_SECONDS, connections=BATCH_CONNECTIONS, form=form, size=BATCH)
                    load = press(address, "cold", seconds, connections=BATCH_CONNECTIONS, form=form, size=BATCH)
                loads.setdefault((form, workers, follow), []).append(load)
    rows = []
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
            )
        )
    return Section(
        f"Batches of {BATCH} over HTTP",
        f"{CLIENT} {BATCH_CONNECTIONS} connections, {rounds} turns of {seconds} s each, all or nothing: validated, "
        "decided, durable. The tables follow at once, sharing the cores, or later. Floor 20,000 events/s, goal 45,000.",
        ("form", "processes", "tables", "events/s (median)", "each turn", "p50 ms a batch", "not 2xx", "promise"),
        rows,
    )
