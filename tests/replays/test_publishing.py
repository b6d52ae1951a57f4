"""Rule books change: planned, applied as planned, taken back; and every row is judged by the book of its time."""

import re
from datetime import UTC, date

import pytest

from ledger.log.application import Ledger
from ledger.rulebook.loading import BadRuleBook, default_text
from ledger.rulebook.model import instant_us
from projections import generations
from projections.kpis import Figure, figures
from projections.stamps import stamp
from replays.founding import found, published_texts
from replays.publishing import NotPlannable, Plan, PlanOutdated, apply, find_plan, plan, taken_back
from replays.rebuild import rebuild
from replays.recomputing import recompute
from tests.projections.worlds import World

METRIC = "first_response_in_time"


def draft(version: str, since: str, *changes: tuple[str, str]) -> str:
    """The default book with changes, as another version; without its own tests, which hold of the first."""
    text, _, _ = default_text().partition("\ntests:\n")
    text = re.sub(r"(?m)^version: .*$", f'version: "{version}"', text)
    text = re.sub(r"(?m)^effective_from: .*$", f"effective_from: {since}", text)
    for before, after in changes:
        assert before in text, before
        text = text.replace(before, after)
    return text


ONE_MINUTE = ("within: 3 min", "within: 1 min")


@pytest.fixture
def told(world: World) -> World:
    """Chats answered after two minutes, one on the third day of each month from January to April."""
    world.tell("customer.registered", "CUS-1", "2025-01-01 09:00")
    for month in range(1, 5):
        world.tell("contact.received", f"C-{month}", f"2025-0{month}-03 09:00", customer_id="CUS-1")
        world.tell("contact.answered", f"C-{month}", f"2025-0{month}-03 09:02")
    world.catch_up()
    return world


def by_month(ledger: Ledger, metric: str = METRIC) -> list[Figure]:
    asked = instant_us(ledger.now().astimezone(UTC))
    with ledger.pool.connection() as connection:
        answer = figures(
            connection, [metric], asked=asked, grain="month", first=date(2025, 1, 1), last=date(2025, 4, 30)
        )
    return answer.figures


def planned(world: World, text: str) -> Plan:
    return plan(world.ledger, text, retroactive=True, first=date(2025, 1, 1))


def applied(world: World, wanted: Plan) -> None:
    apply(world.ledger, wanted, key_id="key-1", actor="ann")


def test_a_book_judges_from_its_first_day_on(told: World) -> None:
    wanted = planned(told, draft("2", "2025-03-01", ONE_MINUTE))
    assert [each.numerator for each in by_month(told.ledger)] == [1, 1, 1, 1]
    moved = {
        (each["metric"], each["period"]["first"]): (each["before"]["numerator"], each["after"]["numerator"])
        for each in wanted.document["figures"]
    }
    assert moved == {(METRIC, "2025-03-01"): (1, 0), (METRIC, "2025-04-01"): (1, 0)}
    (rows,) = wanted.document["rows"]
    assert (rows["metric"], rows["table"], rows["rows"]) == (METRIC, "contact_cycles", 2)
    assert any(path.startswith("targets.first_response.limits[") for path in rows["why"])
    first = rows["samples"][0]
    assert first["key"] == {"contact_id": "C-3", "cycle": 1}
    assert (first["before"]["outcome"], first["before"]["judged_by"]) == ("met", "3 min")
    assert (first["after"]["outcome"], first["after"]["judged_by"]) == ("missed", "1 min")

    applied(told, wanted)
    assert [each.numerator for each in by_month(told.ledger)] == [1, 1, 0, 0]
    assert [each.rule_books for each in by_month(told.ledger)] == [("1",), ("1",), ("2",), ("2",)]
    assert rebuild(told.ledger, switch=False).differences == []
    assert told.row("contact_cycles", contact_id="C-3")["first_response_outcome"] == "missed"
    assert told.row("contact_cycles", contact_id="C-2")["first_response_outcome"] == "met"


def test_what_follows_is_projected_under_both_books(told: World) -> None:
    applied(told, planned(told, draft("2", "2025-03-01", ONE_MINUTE)))
    for day in ("2025-02-27", "2025-03-01"):
        told.tell("contact.received", f"C-{day}", f"{day} 10:00", recorded="2025-05-01 09:00")
        told.tell("contact.answered", f"C-{day}", f"{day} 10:02", recorded="2025-05-01 09:00")
    told.catch_up()
    assert [(each.numerator, each.denominator) for each in by_month(told.ledger)] == [(1, 1), (2, 2), (0, 2), (0, 1)]
    assert rebuild(told.ledger, switch=False).differences == []


def test_a_stamp_from_before_computes_the_figure_as_it_was(told: World) -> None:
    asked = instant_us(told.ledger.now().astimezone(UTC))
    with told.ledger.pool.connection() as connection:
        before = figures(connection, [METRIC], asked=asked, first=date(2025, 1, 1), last=date(2025, 4, 30))
    applied(told, planned(told, draft("2", "2025-01-01", ONE_MINUTE)))
    assert [each.numerator for each in by_month(told.ledger)] == [0, 0, 0, 0]
    (again,) = recompute(told.ledger, [stamp(before.figures[0], before)])
    assert again.figure == before.figures[0]
    assert again.figure.numerator == 4


def test_a_change_of_texts_recomputes_nothing(told: World) -> None:
    label = re.search(r"label: \{en: ([^,]+), zh: [^}]+\}", default_text())
    assert label
    wanted = planned(
        told, draft("2", "2025-01-01", (f"en: {label[1]}", "en: Another word"), ("at_least: 90%", "at_least: 91%"))
    )
    assert not wanted.document["recomputes"]
    assert wanted.document["figures"] == wanted.document["rows"] == []
    assert any(each["path"].endswith("at_least") for each in wanted.document["changes"])
    with told.ledger.pool.connection() as connection:
        before = generations.live(connection)
    applied(told, wanted)
    with told.ledger.pool.connection() as connection:
        after = generations.live(connection)
    assert (after.number, after.current) == (before.number, True)
    assert after.rules.latest.version == "2"
    assert [each.numerator for each in by_month(told.ledger)] == [1, 1, 1, 1]


def test_a_plan_is_applied_to_the_rules_it_was_made_against(told: World) -> None:
    one = planned(told, draft("2", "2025-03-01", ONE_MINUTE))
    other = planned(told, draft("3", "2025-03-01", ("within: 3 min", "within: 2 min")))
    applied(told, find_plan(told.ledger, other.digest))
    with pytest.raises(PlanOutdated, match="plan again"):
        applied(told, one)
    told.tell("contact.received", "C-5", "2025-05-03 09:00")
    again = planned(told, draft("4", "2025-03-01", ONE_MINUTE))
    told.tell("contact.answered", "C-5", "2025-05-03 09:04")
    with pytest.raises(PlanOutdated, match="events were recorded since"):
        apply(told.ledger, again, key_id="key-1", strict=True)


def test_a_book_is_taken_back(told: World) -> None:
    applied(told, planned(told, draft("2", "2025-03-01", ONE_MINUTE)))
    applied(told, planned(told, taken_back(told.ledger, "3")))
    assert [each.numerator for each in by_month(told.ledger)] == [1, 1, 1, 1]
    assert [each.rule_books for each in by_month(told.ledger)] == [("1",), ("1",), ("3",), ("3",)]
    assert len(published_texts(told.ledger)) == 3


def test_tables_follow_a_book_whose_publisher_was_killed(told: World, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = planned(told, draft("2", "2025-03-01", ONE_MINUTE))

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(generations, "switch", killed)
        with pytest.raises(KeyboardInterrupt):
            applied(told, wanted)
    assert [each.numerator for each in by_month(told.ledger)] == [1, 1, 1, 1]
    found(told.ledger)
    told.catch_up()
    assert [each.numerator for each in by_month(told.ledger)] == [1, 1, 0, 0]


@pytest.mark.parametrize(
    ("text", "retroactive", "problem"),
    [
        (draft("2", "2025-03-01"), False, "lies before today"),
        (draft("1", "2030-01-01"), False, "already published"),
        (draft("2", "2030-01-01", ("rule_book: ", "rule_book: other_")), False, "this ledger's is"),
    ],
)
def test_what_cannot_be_planned_is_said(told: World, text: str, retroactive: bool, problem: str) -> None:
    with pytest.raises(NotPlannable, match=problem):
        plan(told.ledger, text, retroactive=retroactive)


def test_a_draft_that_is_no_rule_book(told: World) -> None:
    with pytest.raises(BadRuleBook, match=r"draft\.yaml:"):
        plan(told.ledger, draft("2", "2030-01-01", ("from: received_at", "from: recieved_at")), "draft.yaml")
    with pytest.raises(NotPlannable, match="only rule book"):
        taken_back(told.ledger, "2")
