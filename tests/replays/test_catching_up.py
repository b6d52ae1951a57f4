"""Catching up: by the projector's batches, or by a rebuild where that is shorter."""

import pytest

from replays import catching_up
from replays.catching_up import bring_up, far_behind, shorter
from tests.projections.worlds import World, new_ledger, play_company


@pytest.mark.parametrize(
    ("position", "head", "rebuilt"),
    [(0, 49_999, False), (0, 50_000, True), (900_000, 1_000_000, False), (600_000, 1_000_000, True), (7, 7, False)],
)
def test_a_rebuild_is_shorter_where_much_of_the_log_is_missing(position: int, head: int, rebuilt: bool) -> None:
    assert shorter(position, head) == rebuilt


@pytest.mark.parametrize("least", [1, 1_000_000])
def test_the_tables_are_brought_up_either_way(
    postgres: str, template: str, monkeypatch: pytest.MonkeyPatch, least: int
) -> None:
    monkeypatch.setattr(catching_up, "LEAST_BACKLOG", least)
    with new_ledger(postgres, template) as ledger:
        play_company(ledger, contacts=10, days=10)
        told: list[str] = []
        assert far_behind(ledger) == (least == 1)
        assert bring_up(ledger, lambda what, *_: told.append(what)) == (least == 1)
        assert told
        assert not far_behind(ledger)
        contacts = World(ledger).rows("contacts")
        assert len(contacts) >= 10
