"""Compiled SQL that is kept for the next process."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ledger.log.application import Ledger
from ledger.rulebook.loading import default_text
from ledger.rulebook.rules import in_force
from projections import compiled, keeping
from projections.keeping import IS_KEPT, fingerprint, keep, keep_recipe, recall
from projections.procedure import UNPLACED, unplaced
from projections.recipes import RECIPES, recipe

OLDER = (
    "INSERT INTO projections.compiled (fingerprint, made, recipe, kept_at) "
    "SELECT 'older ' || n, '', %s, '2020-01-01' FROM generate_series(1, 20) AS n"
)
COUNT = "SELECT count(*) FROM projections.compiled"


BOOK = default_text()


def test_what_one_process_compiled_another_takes_as_it_is(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    made = recipe(BOOK), unplaced(BOOK)
    with ledger.pool.connection() as connection:
        keep(connection, BOOK)
        monkeypatch.delitem(RECIPES, BOOK)
        monkeypatch.delitem(UNPLACED, BOOK)
        recall(connection, BOOK)
    assert (RECIPES[BOOK], UNPLACED[BOOK]) == made
    assert RECIPES[BOOK] is not made[0]


def test_it_is_kept_once(ledger: Ledger) -> None:
    with ledger.pool.connection() as connection:
        for _ in range(2):
            keep(connection, BOOK)
            assert connection.execute(COUNT).fetchone() == (1,)
        recall(connection, BOOK + "# another\n")
    assert BOOK + "# another\n" not in RECIPES


def test_nothing_is_taken_that_another_program_compiled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert fingerprint(BOOK) == fingerprint(BOOK) != fingerprint(BOOK + "# another\n")

    class Package:
        __name__ = "projections"
        __path__ = (str(tmp_path),)

    program = keeping._program.__wrapped__
    told = {program()}
    assert program() in told
    monkeypatch.setattr(keeping, "PACKAGES", (Package,))
    for text in ("a = 1\n", "a = 2\n"):
        (tmp_path / "tables.py").write_text(text)
        told.add(program())
    monkeypatch.setattr(keeping, "version", lambda name: "0.1")
    told.add(program())
    assert len(told) == 4


def test_what_was_kept_long_ago_makes_room(ledger: Ledger) -> None:
    with ledger.pool.connection() as connection:
        connection.execute("DELETE FROM projections.compiled")
        connection.execute(OLDER, [keep_recipe(connection, recipe(BOOK))])
        keep(connection, BOOK)
        assert connection.execute(COUNT).fetchone() == (10,)
        assert connection.execute(IS_KEPT, [fingerprint(BOOK)]).fetchone()


def test_what_a_change_of_rules_leaves_alone_is_compiled_as_if_anew() -> None:
    changed = BOOK.replace("within: 3 min", "within: 1 min").replace("within: 48 h", "within: 2 d")
    changed = changed.replace("urgency * importance", "2 * urgency * importance").replace(
        '["09:00-18:00"]', '["08:00-18:00"]'
    )
    both = in_force([BOOK, re.sub(r"(?m)^effective_from: .*$", "effective_from: 2026-03-01", changed)])
    recipe(BOOK), unplaced(BOOK)
    remembering = recipe(both), unplaced(both)
    for kept in (RECIPES, UNPLACED, compiled._MADE):
        kept.clear()
    assert (recipe(both), unplaced(both)) == remembering
