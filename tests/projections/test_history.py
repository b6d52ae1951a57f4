"""History: everything that concerns a subject, in order, nothing hidden; personal fields only for who may read them."""

from collections.abc import Iterator

import pytest

from ledger.log.application import Ledger
from projections.history import Item, history
from projections.words import sentence
from tests.projections.worlds import World, new_ledger


@pytest.fixture(scope="module")
def life(postgres: str, template: str) -> Iterator[tuple[Ledger, dict[str, int]]]:
    """A requirement from a contact, with a handoff, a merge, a delivery and a void; and somebody else's."""
    with new_ledger(postgres, template) as ledger:
        world = World(ledger)
        told = {
            "register": world.tell("customer.registered", "C", "2025-03-03 08:00", name="Chen Yu"),
            "receive": world.tell("contact.received", "K", "2025-03-03 09:00", customer_id="C", message="Where is it?"),
            "capture": world.tell(
                "requirement.captured",
                "R",
                "2025-03-03 09:10",
                customer_id="C",
                contact_id="K",
                statement="Tell me",
                recorded="2025-03-03 09:30",
                actor="agent 7",
                reason="asked on the phone",
            ),
            "hand": world.tell("handoff.requested", "H", "2025-03-03 10:00", contact_id="K"),
            "hand_r": world.tell("handoff.requested", "H2", "2025-03-03 10:01", requirement_id="R"),
            "transfer": world.tell("handoff.transferred", "H", "2025-03-03 10:05"),
            "capture_twin": world.tell(
                "requirement.captured", "R2", "2025-03-03 11:00", customer_id="D", contact_id="K2"
            ),
            "receive_twin": world.tell("contact.received", "K2", "2025-03-03 11:00", customer_id="D"),
            "merge": world.tell("requirement.merged", "R2", "2025-03-03 11:30", into_id="R"),
            "classify": world.tell("requirement.classified", "R", "2025-03-03 12:00", kano="must_be"),
        }
        told["void"] = world.tell(
            "record.voided",
            "R",
            "2025-03-03 12:05",
            voided_position=told["classify"],
            actor="boss",
            reason="typed wrong",
        )
        told["reclassify"] = world.tell(
            "requirement.classified", "R", "2025-03-03 12:00", kano="attractive", recorded="2025-03-03 12:06"
        )
        told["plan"] = world.tell(
            "delivery.planned", "D", "2025-03-03 13:00", requirement_id="R", due_at="2025-03-10T00:00:00Z"
        )
        told["deliver"] = world.tell("delivery.delivered", "D", "2025-03-04 13:00")
        told["inform"] = world.tell(
            "delivery.customer_informed", "D", "2025-03-04 14:00", customer_id="C", channel="phone"
        )
        told["other"] = world.tell(
            "requirement.captured", "other", "2025-03-04 15:00", customer_id="C", contact_id="K9"
        )
        world.catch_up()
        yield ledger, told


def positions(items: list[Item]) -> list[int]:
    return [item.event.position for item in items]


def test_a_requirement_shows_all_that_concerns_it(life: tuple[Ledger, dict[str, int]]) -> None:
    ledger, told = life
    items = history(ledger, "requirement", "R")
    wanted = {*told.values()} - {told["register"], told["other"]}
    assert positions(items) == sorted(wanted)
    assert {item.event.position for item in items if item.own} == {
        told[name] for name in ("capture", "classify", "void", "reclassify")
    }


def test_a_void_is_shown_and_what_it_voids_is_struck(life: tuple[Ledger, dict[str, int]]) -> None:
    ledger, told = life
    struck = {item.event.position: item.voided_by for item in history(ledger, "requirement", "R") if item.voided_by}
    assert struck == {told["classify"]: told["void"]}
    # before the void it was not struck
    early = history(ledger, "requirement", "R", as_of=told["classify"])
    assert [item.voided_by for item in early if item.event.position == told["classify"]] == [None]
    assert positions(early)[-1] == told["classify"]


def test_both_times_and_who_said_it_are_there(life: tuple[Ledger, dict[str, int]]) -> None:
    ledger, told = life
    (item,) = (item for item in history(ledger, "requirement", "R") if item.event.position == told["capture"])
    event = item.event
    assert (event.occurred_at.isoformat(), event.recorded_at.isoformat()) == (
        "2025-03-03T01:10:00+00:00", "2025-03-03T01:30:00+00:00",
    )  # fmt: skip
    assert (event.actor, event.recorded_by, event.reason) == ("agent 7", "key-1", "asked on the phone")


def test_what_others_say_of_a_customer_is_there_too(life: tuple[Ledger, dict[str, int]]) -> None:
    ledger, told = life
    found = positions(history(ledger, "customer", "C"))
    assert set(found) == {told[name] for name in ("register", "receive", "capture", "inform", "other")}


def test_a_delivery_shows_what_it_is_about(life: tuple[Ledger, dict[str, int]]) -> None:
    ledger, told = life
    found = {*positions(history(ledger, "delivery", "D"))}
    assert found >= {told[name] for name in ("plan", "deliver", "inform", "capture", "reclassify", "classify", "void")}
    assert told["other"] not in found


def test_a_delivery_of_a_notice_shows_the_notice_and_no_other_delivery_of_it(postgres: str, template: str) -> None:
    with new_ledger(postgres, template) as ledger:
        world = World(ledger)
        issue = world.tell("notice.issued", "N", "2025-03-03 09:00", topic="New terms", important=True, plan_id="P")
        send = world.tell(
            "notice_delivery.sent", "N1", "2025-03-03 10:00", notice_id="N", customer_id="C", channel="sms"
        )
        other = world.tell(
            "notice_delivery.sent", "N2", "2025-03-03 10:00", notice_id="N", customer_id="D", channel="announcement"
        )
        confirm = world.tell("notice_delivery.confirmed", "N1", "2025-03-03 11:00")
        withdraw = world.tell("notice.withdrawn", "N", "2025-03-04 09:00")
        assert positions(history(ledger, "notice_delivery", "N1")) == [issue, send, confirm, withdraw]
        assert positions(history(ledger, "notice", "N")) == [issue, send, other, withdraw]
        assert positions(history(ledger, "customer", "C")) == [send]
        assert positions(history(ledger, "plan", "P")) == [issue]


def test_mappings_and_lists_are_said_in_words(postgres: str, template: str) -> None:
    with new_ledger(postgres, template) as ledger:
        world = World(ledger)
        period = {"period_start": "2025-01-01", "period_end": "2025-02-28"}
        figure = {"kpi": "resolution", "statistic": "ratio", "value": 9000, "unit": "bp", "sample": 40}
        by = {"department": "sales", "channel": "email"}
        world.tell("baseline.frozen", "B", "2025-03-03 09:00", **period, **figure, dimensions=by)
        world.tell("baseline.frozen", "B2", "2025-03-03 09:00", **period, **figure)
        figures = [{"metric": "resolution"}, {"metric": "complaint_rate"}]
        digest = f"sha256:{64 * '0'}"
        world.tell(
            "report.issued", "A", "2025-03-03 09:00", **period, report_kind="annual", figures=figures, digest=digest
        )
        (frozen,) = history(ledger, "baseline", "B")
        (bare,) = history(ledger, "baseline", "B2")
        (issued,) = history(ledger, "report", "A")
    assert "Broken down by = channel = email, department = sales; First day = 2025-01-01" in frozen.words["en"]
    assert "维度＝channel＝email、department＝sales；起始日＝2025-01-01" in frozen.words["zh"]
    assert "Broken down by = none;" in bare.words["en"]
    assert "维度＝无；" in bare.words["zh"]
    assert "Figures = 2 in all; Digest = sha256:" in issued.words["en"]
    assert "报告类型＝年度效果评估报告" in issued.words["zh"]
    assert "指标结果＝共 2 项" in issued.words["zh"]


def test_as_of_an_earlier_position_later_links_are_unknown(life: tuple[Ledger, dict[str, int]]) -> None:
    ledger, told = life
    found = positions(history(ledger, "requirement", "R", as_of=told["transfer"]))
    assert found == sorted(told[name] for name in ("receive", "capture", "hand", "hand_r", "transfer"))


def test_nobody_is_known_by_an_unknown_name(life: tuple[Ledger, dict[str, int]]) -> None:
    assert history(life[0], "requirement", "nobody") == []
    assert history(life[0], "nothing", "R") == []


def test_words_say_what_happened_in_both_languages(life: tuple[Ledger, dict[str, int]]) -> None:
    ledger, told = life
    words = {item.event.position: item.words for item in history(ledger, "requirement", "R")}
    assert words[told["merge"]]["en"].startswith("Requirement merged: ")
    assert words[told["merge"]]["en"].endswith(" = R")
    classified = words[told["reclassify"]]
    assert classified["en"].startswith("Requirement classified: ")
    assert classified["zh"].startswith("需求分类：")
    assert "attractive" in classified["en"].lower()
    assert "attractive" not in classified["zh"]
    assert "2025-03-10T00:00:00Z" in words[told["plan"]]["zh"]
    for item in words.values():
        assert item["en"] != item["zh"]
        assert all(char < "\u3000" for char in item["en"])
        assert any("\u4e00" <= char <= "\u9fff" for char in item["zh"])


def test_personal_fields_are_withheld_unless_asked_for(life: tuple[Ledger, dict[str, int]]) -> None:
    ledger, told = life
    for personal, seen in ((False, False), (True, True)):
        words = {item.event.position: item.words for item in history(ledger, "requirement", "R", personal=personal)}
        for name, secret in (("receive", "Where is it?"), ("capture", "Tell me")):
            for language in ("en", "zh"):
                assert (secret in words[told[name]][language]) == seen
        withheld = (words[told["capture"]]["en"].endswith("(withheld)"), "（不可见）" in words[told["capture"]]["zh"])
        assert withheld == (not seen, not seen)


def test_every_event_of_a_company_can_be_put_in_words(company: Ledger) -> None:
    after, types = 0, set()
    while entries := company.entries(after=after, limit=1_000):
        after = entries[-1].position
        for entry in entries:
            types.add(entry.type)
            en, zh = sentence(entry, "en", False), sentence(entry, "zh", False)
            assert en
            assert zh
            assert "None" not in en
    assert len(types) > 60
