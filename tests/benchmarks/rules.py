"""Rule books side by side: what a changed rule costs over many requirements whose tables are already built."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

from ledger.rulebook.loading import default_text
from ledger.rulebook.model import instant_us
from projections.recipes import recipe
from replays.comparing import Question, compare_beside
from replays.engine import Replay
from tests.benchmarks.replaying import timed
from tests.benchmarks.running import Bench
from tests.benchmarks.sections import Section, number

YEAR_US = 365 * 86_400_000_000
HOUR_US = 3_600_000_000
BEGIN = instant_us(datetime(2026, 1, 1, tzinfo=UTC))
TOLD = (
    (
        "requirement",
        "requirement.captured",
        0,
        {"source_kind": "'contact'", "channel": "'email'", "customer_id": "'C' || n % 10000"},
    ),
    ("requirement", "requirement.classified", 1, {"kano": "'performance'", "archive_class": "'new_feature'"}),
    (
        "requirement",
        "requirement.assessed",
        2,
        {"role": "'product'", "urgency": "n % 5 + 1", "importance": "n % 4 + 1"},
    ),
    ("requirement", "requirement.prioritised", 3, {"priority": "'mid'"}),
    ("delivery", "delivery.planned", 4, {"requirement_id": "'R' || n", "due_at": "began + 200 * 3600000000"}),
    ("delivery", "delivery.delivered", 100, {}),
    ("delivery", "delivery.customer_informed", "(100 + n % 120)", {"customer_id": "'C' || n % 10000"}),
    ("requirement", "requirement.archived", 240, {"complete": "n % 50 > 0"}),
)
"""Eight events for each requirement: aggregate, type, hours after its capture, fields."""
CHANGES = {
    "a limit in working days (told: 3 → 2)": ("within: 3 working days", "within: 2 working days"),
    "a limit on the wall clock (first answer: 3 → 1 min)": ("within: 3 min", "within: 1 min"),
    "the rule of priority": ("urgency * importance", "2 * urgency * importance"),
    "a metric's formula (delivery on time)": ("numerator: delivery.met", "numerator: delivery.met and rescheduled = 0"),
    "texts only": ("en: Delivered on time,", "en: On time,"),
}


def what_if(bench: Bench, requirements: int) -> Section:
    """All KPIs of the default book over a year, by month, against books with one thing changed."""
    book = default_text().partition("\ntests:\n")[0]
    base = recipe(book)
    rows = []
    with bench.ledger(simulated=True) as ledger, Replay(base, memory_mb=12_000) as replay:
        _tell(replay, requirements)
        with timed() as building:
            replay.build(counters=False)
        rows.append(("the tables, once", building.seconds, ""))
        for nth, (what, (before, after)) in enumerate(CHANGES.items()):
            text = re.sub(r"(?m)^version: .*$", f'version: "b{nth}"', book.replace(before, after))
            with timed() as compiling:
                other = recipe(text)
            asked = Question(
                position=8 * requirements, asked=BEGIN + 2 * YEAR_US, first=date(2026, 1, 1), last=date(2026, 12, 31)
            )
            if base.alike(other):
                rows.append((what, compiling.seconds, "nothing to compute"))
                continue
            with timed() as comparing:
                found = compare_beside(ledger, replay, other, asked)
            told = f"{sum(each.rows for each in found.flips):,} rows of {len(found.compared)} metrics"
            rows.append((f"{what}: compiled", compiling.seconds, ""))
            rows.append((f"{what}: compared", comparing.seconds, told))
            replay.connection.execute('DROP SCHEMA "other" CASCADE')
    return Section(
        "Rule books side by side",
        f"{requirements:,} requirements, {8 * requirements:,} events, in DuckDB; goal: 2 s once the tables are there.",
        ("what", "seconds", "events/s", "found"),
        [
            (what, f"{seconds:.2f}", number(8 * requirements / seconds) if not nth else "", told)
            for nth, (what, seconds, told) in enumerate(rows)
        ],
    )


def _tell(replay: Replay, requirements: int) -> None:
    """Put the events into the engine, as if they had been read from a log."""
    for aggregate, events in replay.recipe.events.items():
        replay.create(f"raw_{aggregate}", events.raw)
    for nth, (aggregate, kind, hours, fields) in enumerate(TOLD):
        version = [each for each, *_ in TOLD[:nth]].count(aggregate) + 1
        columns = {
            "position": f"n * {len(TOLD)} + {nth} + 1",
            "aggregate": f"'{aggregate}'",
            "subject": f"'{aggregate[0].upper()}' || n",
            "version": str(version),
            "type": f"'{kind}'",
            "occurred_at": f"began + {hours} * {HOUR_US}",
            "recorded_at": f"began + {hours} * {HOUR_US}",
            **fields,
        }
        names = ", ".join(f'"{name}"' for name in columns)
        replay.connection.execute(
            f"INSERT INTO raw_{aggregate} ({names}) SELECT {', '.join(columns.values())} "
            f"FROM (SELECT n, {BEGIN} + n * {YEAR_US // requirements} AS began "
            f"FROM range({requirements}) AS numbers(n))"
        )
