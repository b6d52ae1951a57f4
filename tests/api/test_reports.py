"""Reports: issued from one moment's figures, kept by their digest, and the same whatever comes later."""

import hashlib
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import date
from html.parser import HTMLParser
from typing import Any

import httpx
import psycopg
import pytest

from api.bootstrap import Program, running
from api.cli.client import in_process
from api.reports.definitions import DEFINITIONS
from api.reports.gathering import Findings, gather
from api.reports.issuing import NothingToReport, issue
from api.reports.page import Facts, document
from api.reports.shapes import Definition, Section, Volume
from ledger.choices import Label
from ledger.errors import Refused
from ledger.settings import Settings
from projections.settled import settled
from tests.projections.worlds import World, new_ledger, us

APRIL = {"from": "2026-04-01", "to": "2026-04-30"}
HOSTILE = "<script>alert('1')</script>\"&\u202edesk"
ALTER = "ALTER TABLE log.documents {} TRIGGER append_only"


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.ids: list[str] = []
        self.said = ""
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self.ids += [str(value) for name, value in attrs if name == "id"]

    def handle_data(self, data: str) -> None:
        self.said += data


def contact(number: int, department: str = "desk", **more: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": str(number),
        "source": "/test",
        "type": "contact.received",
        "subject": f"CT-{number}",
        "time": f"2026-04-{number % 28 + 1:02}T01:00:00Z",
        "data": {
            "channel": "web_chat" if number % 2 else "email",
            "department": department,
            "kind": "complaint" if number % 5 == 0 else "inquiry",
        },
        **more,
    }


def told(client: httpx.Client, *events: dict[str, Any]) -> int:
    answer = client.post(
        "/v1/events", json=list(events), headers={"content-type": "application/cloudevents-batch+json"}
    )
    assert answer.status_code in (200, 201), answer.text
    return int(answer.json()["position"])


class Desk:
    """A small company's ledger, served and projected."""

    def __init__(self, program: Program, settings: Settings, client_of: Callable[[str], httpx.Client]) -> None:
        self.program = program
        self.settings = settings
        self.service, self.analyst, self.admin = (client_of(role) for role in ("service", "analyst", "admin"))

    def issue(self, kind: str = "diagnosis", **more: Any) -> dict[str, Any]:
        answer = self.analyst.post("/v1/reports", json={"report_kind": kind, **APRIL, "actor": "王芳", **more})
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def document(self, made: dict[str, Any]) -> httpx.Response:
        return self.analyst.get(made["document"])

    def kept(self) -> int:
        """How many documents of reports are kept."""
        with self.program.database.reading() as connection:
            row = connection.execute("SELECT count(*) FROM log.documents WHERE media_type LIKE 'text/html%'").fetchone()
        return int(row[0]) if row else 0


@contextmanager
def desk_of(settings: Settings) -> Iterator[Desk]:
    with running(settings) as program, ExitStack() as stack:
        made = {role: program.ledger.keys.create(role, role)[1] for role in ("service", "analyst", "admin")}
        yield Desk(program, settings, lambda role: stack.enter_context(in_process(program.asgi, made[role])))


@pytest.fixture
def desk(settings: Settings) -> Iterator[Desk]:
    with desk_of(settings) as made:
        told(made.service, *(contact(number, HOSTILE if number % 3 == 0 else "desk") for number in range(40)))
        yield made


def test_a_report_is_the_same_a_year_later(desk: Desk) -> None:
    made = desk.issue()
    first = desk.document(made)
    facts = desk.analyst.get(f"/v1/reports/{made['report_id']}").json()
    assert made["digest"] == f"sha256:{hashlib.sha256(first.content).hexdigest()}" == facts["digest"]
    assert (facts["actor"], facts["period_end"], facts["position"]) == ("王芳", "2026-04-30", made["position"])

    told(desk.service, *(contact(number, "elsewhere") for number in range(100, 130)))
    (entry,) = desk.program.ledger.stream("contact", "CT-0")
    void = {**contact(0, id="void"), "type": "record.voided", "reason": "told twice"}
    void["data"] = {"voided_position": entry.position}
    position = told(desk.admin, void)
    desk.analyst.get("/v1/kpis", params={"min_position": position}).raise_for_status()
    begun = desk.admin.post("/v1/replays", json={"kind": "rebuild"}).json()
    until = time.monotonic() + 120
    while desk.admin.get(f"/v1/replays/{begun['id']}").json()["state"] == "running":
        assert time.monotonic() < until
        time.sleep(0.1)

    assert desk.document(made).content == first.content
    assert desk.analyst.get(f"/v1/reports/{made['report_id']}").json() == facts
    (listed,) = desk.analyst.get("/v1/reports").json()["reports"]
    assert (listed["report_id"], listed["digest"]) == (made["report_id"], made["digest"])
    # and the figures can be computed again
    figures = [one for one in facts["figures"] if one["metric"] == "complaint_rate"]
    again = desk.analyst.post("/v1/recompute", json={"stamps": [one["stamp"] for one in figures]}).json()["figures"]
    assert [(one["numerator"], one["denominator"]) for one in again] == [
        (one["numerator"], one["denominator"]) for one in figures
    ]
    assert figures[0]["denominator"] == 40
    assert desk.issue()["digest"] != made["digest"]


def test_the_page_holds_both_languages_and_nothing_from_elsewhere(desk: Desk) -> None:
    answer = desk.document(desk.issue(language="en"))
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["etag"].startswith('"sha256:')
    assert answer.headers["content-disposition"].startswith("inline; filename")
    content = answer.content.decode()
    page = Page(content)
    assert "客户沟通现状诊断报告" in page.said
    assert "Diagnosis of customer communication" in page.said
    assert content.count("<main lang=") == 2
    assert 'id="show-en" checked' in content
    assert not {"script", "link", "img", "iframe", "object", "form", "base"} & {*page.tags}
    assert not [name for name, _ in page.attributes if name.startswith("on") or name in ("src", "srcset", "style")]
    links = [value for name, value in page.attributes if name == "href"]
    assert all(value and value.startswith("#") for value in links)
    assert not re.search(r"url\(|@import", content)
    assert len(page.ids) == len(set(page.ids))
    assert {value[1:] for value in links if value} <= {*page.ids}


def test_what_the_data_says_stays_text(desk: Desk) -> None:
    content = desk.document(desk.issue(actor='"><img src=x onerror=1>')).content.decode()
    assert "<script" not in content
    assert "<img" not in content
    assert "\u202e" not in content
    said = Page(content).said
    assert "[U+202E]desk" in said
    assert "<script>alert" in said


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"report_kind": "diagnosis", "from": "2020-01-01", "to": "2020-01-31"}, "has data from 2020-01-01"),
        ({"report_kind": "diagnosis", "from": "2999-01-01", "to": "2999-01-31"}, "nothing to report yet"),
        ({"report_kind": "diagnosis", "from": "2016-01-01", "to": "2026-04-30"}, "3,660 days"),
        ({"report_kind": "diagnosis", "from": "2026-04-02", "to": "2026-04-01"}, "first day comes after"),
        ({"report_kind": "diagnosis", "from": "0999-01-01", "to": "2026-04-01"}, "not valid"),
        ({"report_kind": "gossip", **APRIL}, "not valid"),
        ({"report_kind": "diagnosis", **APRIL, "language": "fr"}, "not valid"),
    ],
)
def test_what_cannot_be_issued_is_told_and_nothing_is_kept(desk: Desk, wanted: dict[str, Any], said: str) -> None:
    before = desk.program.ledger.head().position
    answer = desk.analyst.post("/v1/reports", json=wanted)
    assert answer.status_code == 422, answer.text
    assert said in answer.json()["detail"]
    assert desk.program.ledger.head().position == before
    assert desk.kept() == 0


def test_one_is_issued_at_a_time(desk: Desk) -> None:
    with settled(desk.program.ledger, "report"):
        answer = desk.analyst.post("/v1/reports", json={"report_kind": "diagnosis", **APRIL})
    assert answer.status_code == 503
    assert desk.kept() == 0


def test_the_same_order_again_is_another_report(desk: Desk) -> None:
    first, second = desk.issue("pain_points"), desk.issue("pain_points")
    assert first["report_id"] != second["report_id"]
    desk.analyst.get("/v1/kpis", params={"min_position": second["position"]}).raise_for_status()
    listed = desk.analyst.get("/v1/reports").json()["reports"]
    assert [one["report_id"] for one in listed] == [second["report_id"], first["report_id"]]
    assert listed[0]["label"]["zh"] == "需求管理痛点报告"


def test_an_altered_document_is_not_served(desk: Desk) -> None:
    made = desk.issue()
    with psycopg.connect(desk.program.database.conninfo, autocommit=True) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("UPDATE log.documents SET content = 'other'")
        connection.execute(ALTER.format("DISABLE").encode())
        connection.execute("UPDATE log.documents SET content = 'other' WHERE digest = %s", [made["digest"]])
        connection.execute(ALTER.format("ENABLE").encode())
    answer = desk.document(made)
    assert answer.status_code == 500
    assert "altered in the database" in answer.json()["detail"]
    assert desk.analyst.get(f"/v1/reports/{made['report_id']}").status_code == 200


def test_a_report_told_by_another_has_no_document_here(desk: Desk) -> None:
    data = {
        "report_kind": "annual",
        "period_start": "2025-01-01",
        "period_end": "2025-12-31",
        "figures": [],
        "digest": f"sha256:{'0' * 64}",
    }
    told(desk.service, {**contact(0), "id": "R2", "type": "report.issued", "subject": "R-2025", "data": data})
    assert desk.analyst.get("/v1/reports/R-2025").json()["source"] == "/test"
    answer = desk.analyst.get("/v1/reports/R-2025/document")
    assert answer.status_code == 404
    assert "told of by /test" in answer.json()["detail"]


def test_a_voided_report_says_so(desk: Desk) -> None:
    made = desk.issue()
    void = {**contact(0, id="v"), "type": "record.voided", "subject": made["report_id"], "reason": "wrong period"}
    void["data"] = {"voided_position": made["position"]}
    position = told(desk.admin, void)
    assert desk.analyst.get(f"/v1/reports/{made['report_id']}").json()["voided_by"] == position
    assert desk.document(made).status_code == 200
    assert desk.analyst.get("/v1/reports", params={"min_position": position}).json()["reports"] == []


# what a report says, on ledgers that are told their clock


def gathered(world: World, kind: str, first: date, last: date, asked: str) -> Findings:
    world.catch_up()
    with world.ledger.database.reading() as connection:
        return gather(connection, DEFINITIONS[kind], first, last, asked=us(asked))


def written(found: Findings) -> str:
    return document(found, Facts("R-1", None, "key-1", simulated=True), "zh").decode()


@pytest.fixture
def world(postgres: str, template: str) -> Iterator[World]:
    with new_ledger(postgres, template) as ledger:
        yield World(ledger)


def spoken(world: World, month: int, of: int = 12) -> None:
    world.tell_all(
        [
            ("contact.received", f"{month}-{nth}", f"2026-{month:02}-03 09:{nth:02}", {"channel": "web_chat"})
            for nth in range(of)
        ]
    )


def test_the_same_figures_give_the_same_bytes(world: World) -> None:
    spoken(world, 1)
    spoken(world, 2)
    period = (date(2026, 1, 1), date(2026, 3, 31), "2026-04-01")
    for kind in DEFINITIONS:
        assert written(gathered(world, kind, *period)) == written(gathered(world, kind, *period))


def test_a_period_that_has_not_ended_is_provisional(world: World) -> None:
    spoken(world, 1)
    whole_year = (date(2026, 1, 1), date(2026, 12, 31))
    assert "临时报告" in written(gathered(world, "diagnosis", *whole_year, "2026-02-01"))
    assert "临时报告" in written(gathered(world, "diagnosis", date(2026, 1, 1), date(2026, 2, 1), "2026-02-01"))
    assert "临时报告" not in written(gathered(world, "diagnosis", date(2026, 1, 1), date(2026, 1, 31), "2026-02-01"))


def test_what_the_rule_book_does_not_have_is_left_out_and_said(world: World) -> None:
    spoken(world, 1)
    world.catch_up()
    section = Section(
        "gossip",
        Label("Gossip", "传闻"),
        Label("What is said.", "传言。"),
        ("gossip_rate", "complaint_rate"),
        bars=(("gossip_rate", "channel"), ("complaint_rate", "mood"), ("complaint_rate", "channel")),
        volumes=(Volume(Label("Gossip", "传闻量"), ("gossip_rate",), ("channel",)),),
    )
    gossip = Definition("diagnosis", section.heading, section.text, (section,))
    with world.ledger.database.reading() as connection:
        found = gather(connection, gossip, date(2026, 1, 1), date(2026, 1, 31), asked=us("2026-02-01"))
    assert found.absent == ["gossip_rate", "complaint_rate / mood"]
    assert [*found.overall] == ["complaint_rate"]
    assert "gossip_rate, complaint_rate / mood" in written(found)


def test_an_annual_report_tells_every_metric_and_every_stage(world: World) -> None:
    spoken(world, 1)
    spoken(world, 6)
    found = gathered(world, "annual", date(2026, 1, 1), date(2026, 12, 31), "2027-01-05")
    assert {*found.overall} == {metric.name for metric in found.book.metrics}
    stages = [stage for stage in found.stages if stage.metric.name == "complaint_rate"]
    assert [(stage.first, stage.last) for stage in stages] == [
        (date(2026, 5, 1), date(2026, 6, 30)),
        (date(2026, 7, 1), None),
    ]
    assert [stage.figure["denominator"] for stage in stages if stage.figure] == [12, 0]
    assert [one["denominator"] for one in found.spans["complaint_rate"]] == [12, 12, 0, 0]


def test_a_report_on_a_simulated_ledger_is_issued_in_its_time(world: World) -> None:
    spoken(world, 1)
    world.catch_up()
    made = issue(
        world.ledger, "diagnosis", date(2026, 1, 1), date(2026, 1, 31), language="zh", key_id="key-1", actor="ann"
    )
    (entry,) = world.ledger.stream("report", made.report_id)
    assert made.report_id == f"diagnosis.2026-01-01.2026-01-31.{made.position - 1}"
    assert entry.recorded_by == "key-1"
    assert entry.occurred_at == entry.recorded_at
    world.catch_up()
    with pytest.raises(NothingToReport):
        issue(world.ledger, "annual", date(2030, 1, 1), date(2030, 12, 31), language="zh", key_id="key-1")
    with pytest.raises(Refused):
        world.tell("report.issued", made.report_id, "2026-02-01", **_again(entry.data))


def _again(data: Any) -> dict[str, Any]:
    return {
        "report_kind": "diagnosis",
        "period_start": data.period_start,
        "period_end": data.period_end,
        "figures": [],
        "digest": data.digest,
    }
