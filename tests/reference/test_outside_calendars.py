"""Clocks that leave the years their calendars are worked out for: no verdict, and an anomaly, in all tables."""

from pathlib import Path
from random import Random

import pytest

from tests.reference import adapters
from tests.reference.books import BOOKS
from tests.reference.given import at
from tests.reference.histories import Move
from tests.reference.recorded import claims
from tests.reference.test_tables_agree import Company

DELIVERED = {
    "before": ("1999-12-30 10:00", "1999-12-31 10:00"),
    "at_the_beginning": ("2000-01-03 10:00", "2000-01-04 10:00"),
    "at_the_end": ("2049-12-27 10:00", "2049-12-28 10:00"),
    "over_the_end": ("2049-12-30 10:00", "2049-12-31 10:00"),
    "not_told": ("2049-12-31 10:00", None),
    "after": ("2055-06-01 10:00", "2055-06-02 10:00"),
    "told_first": ("2055-06-01 10:00", "2049-06-02 10:00"),
}


def _moves() -> list[Move]:
    moves = []
    for name, (delivered, informed) in DELIVERED.items():
        story: list[tuple[str, str, str, dict[str, object]]] = [
            ("requirement.captured", f"r-{name}", "1999-12-01 09:00", {"source_kind": "contact", "customer_id": "k1"}),
            ("delivery.planned", f"d-{name}", "1999-12-02 09:00",
             {"requirement_id": f"r-{name}", "due_at": at("2055-06-01 10:00")}),
            ("delivery.delivered", f"d-{name}", delivered, {}),
        ]  # fmt: skip
        if informed is not None:
            story.append(("delivery.customer_informed", f"d-{name}", informed, {"customer_id": "k1"}))
        moves += [_move(kind, subject, when, data) for kind, subject, when, data in story]
    for name, received, resolved in (
        ("paused", "2049-12-29 10:00", "2055-06-01 10:00"),
        ("late", "2025-04-01 10:00", "2055-06-01 10:00"),
    ):
        moves.append(
            _move("contact.received", name, received, {"channel": "email", "department": "desk", "kind": "problem"})
        )
        moves.append(_move("contact.paused", name, "2049-12-29 11:00", {"pause_id": "p"}))
        moves.append(_move("contact.resumed", name, "2051-01-01 11:00", {"pause_id": "p"}))
        moves.append(_move("contact.resolved", name, resolved, {"solved": True}))
    return moves


def _move(kind: str, subject: str, when: str, data: dict[str, object]) -> Move:
    return Move(kind, kind.partition(".")[0], subject, at(when), at("2056-01-01 00:00"), data)


@pytest.mark.parametrize("book", sorted(BOOKS))
def test_a_clock_outside_its_calendar_has_no_verdict(database: str, tmp_path: Path, book: str) -> None:
    company = Company(database, tmp_path, book, Random(1))
    try:
        for number, move in enumerate(_moves()):
            company.ledger.append([claims([move], number)], "test")
            if number % 6 == 0:
                company.kept()
        company.kept()
        company.replayed()
        tables, _ = adapters.incremental(company.ledger)
        told = {row["delivery_id"]: row["told_outcome"] for row in tables["tellings"]}
        assert told == {
            "d-before": "unknown",
            "d-at_the_beginning": "met",
            "d-at_the_end": "met",
            "d-over_the_end": "unknown",
            "d-not_told": "unknown",
            "d-after": "unknown",
            "d-told_first": "unknown",
        }
        odd = {row["subject"] for row in tables["anomalies"] if row["kind"] == "outside_calendar"}
        assert {name for name, outcome in told.items() if outcome == "unknown"} <= odd
        assert ("late" in odd, "paused" in odd) == (False, book == "new_york")
    finally:
        company.close()
