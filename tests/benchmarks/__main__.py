"""The benchmark: `make bench`, or `.venv/bin/python -m tests.benchmarks --help`.

It says how much, not whether it is enough: nothing here fails for being slow.
"""

from __future__ import annotations

import argparse
import signal
import sys
import warnings
from collections.abc import Callable

from tests.benchmarks import appends, encrypting, replaying, report, rules, scale, visibility
from tests.benchmarks.running import Bench, bench
from tests.benchmarks.sections import Section


def main() -> None:
    """Measure what was asked for, show it as it comes, and write the page if wanted."""
    asked = _asked()
    # stopped from outside, it still takes its servers and databases away
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    measurements: dict[str, Callable[[Bench], Section]] = {
        "single": lambda run: appends.singles(run, asked.rounds, asked.seconds),
        "batches": lambda run: appends.batches(run, asked.rounds, asked.seconds),
        "overload": lambda run: appends.overload(run, 2 * asked.seconds),
        "visible": lambda run: visibility.visible(run, 2 * asked.seconds),
        "lag": lambda run: visibility.lag(run, asked.minutes, asked.rate),
        "backlog": lambda run: replaying.backlog(run, asked.events),
        "long": lambda run: scale.rebuilt(run, asked.sizes),
        "encryption": lambda run: encrypting.encryption(run, asked.rounds, asked.events),
        "rules": lambda run: rules.what_if(run, asked.requirements),
    }
    with bench() as run:
        about = report.machine(run)
        _show(about + "\n")
        sections = []
        for name in asked.only or measurements:
            before = report.load()
            measured = measurements[name](run)
            sections.append(report.section(measured, about, before, report.load()))
            _show(sections[-1])
    if asked.write:
        report.PAGE.write_text(report.page(sections), "utf-8")


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="Measures the ledger.")
    parts = ("single", "batches", "overload", "visible", "lag", "backlog", "long", "encryption", "rules")
    parser.add_argument("--only", nargs="+", choices=parts, default=[])
    parser.add_argument("--rounds", type=int, default=3, help="turns of each server")
    parser.add_argument("--seconds", type=int, default=5, help="length of a turn; twice that for each steady rate")
    parser.add_argument("--minutes", type=float, default=0.5, help="length of the steady load that lag is shown over")
    parser.add_argument("--rate", type=int, default=1_000, help="events a second of that load")
    parser.add_argument("--events", type=int, default=50_000, help="length of the simulated history")
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000, 1_000_000], help="lengths of long logs")
    parser.add_argument("--requirements", type=int, default=100_000, help="how many a rule book is tried over")
    parser.add_argument(
        "--write", action="store_true", help=f"put what is measured into {report.PAGE.name} of the reference"
    )
    return parser.parse_args()


def _show(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    warnings.simplefilter("default")
    main()
