"""The machine and the figures, as Markdown: readable in a terminal and in the docs."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil
import psycopg

from tests.benchmarks.running import Bench
from tests.benchmarks.sections import Section, number

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "benchmarks.md"
START = "## "
BAR = 40
"""Characters of the longest bar."""
SERVER = "SELECT current_setting('server_version'), current_setting('fsync'), current_setting('synchronous_commit')"


def machine(bench: Bench) -> str:
    """When and on what figures are taken."""
    with psycopg.connect(bench.conninfo) as connection:
        row = connection.execute(SERVER).fetchone()
    assert row is not None
    return (
        f"Taken {datetime.now(UTC):%Y-%m-%d %H:%M} UTC on {os.cpu_count()} cores ({platform.machine()}) with "
        f"{psutil.virtual_memory().total / 2**30:.0f} GiB of memory; PostgreSQL {row[0]} (embedded; fsync {row[1]}, "
        f"synchronous_commit {row[2]}), Python {platform.python_version()}, eventsourcing {version('eventsourcing')}, "
        f"FastAPI {version('fastapi')}, DuckDB {version('duckdb')}."
    )


def load() -> str:
    """How busy the machine is, for what else may be running on it."""
    return " ".join(f"{each:.1f}" for each in os.getloadavg())


def section(told: Section, about: str, before: str, after: str) -> str:
    lines = [f"{START}{told.title}", "", told.how, "", *table(told.header, told.rows), ""]
    if told.bars:
        lines += ["```text", *drawn(told.bars), "```", ""]
    return "\n".join([*lines, f"{about} Load averages of the machine: {before} before, {after} after.", ""])


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table with its columns aligned."""
    widths = [max(len(line[place]) for line in (header, *rows)) for place in range(len(header))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in (header, *rows)
    ]
    return [lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]


def drawn(bars: Sequence[tuple[str, float]]) -> list[str]:
    """Bars from nought, one a line, each with its figure."""
    name, most = max(len(label) for label, _ in bars), max(value for _, value in bars)
    return [f"{label:>{name}} {'█' * max(1, round(BAR * value / most)):{BAR}} {number(value)}" for label, value in bars]


def page(sections: Sequence[str]) -> str:
    """The page of the reference, with these sections in place of those it has of the same titles."""
    opening = [
        "<!-- Written by `.venv/bin/python -m tests.benchmarks --write`. -->",
        "",
        "# Benchmarks",
        "",
        "What `make bench` measured, floors and goals of the design beside it. Everything runs against fresh databases",
        "on the embedded PostgreSQL, with every commit durable; the benchmark, its clients and the servers share the",
        "machine. Compare within a section: each was measured in one run, and says when. `make bench` measures yours.",
        "",
    ]
    kept = [f"{START}{each}" for each in PAGE.read_text("utf-8").split(START)[1:]]
    titled = {each.splitlines()[0]: each for each in (*kept, *sections)}
    return "\n".join([*opening, *(each.rstrip() + "\n" for each in titled.values())])
