"""The documents' forms: typed, filtered, in both languages, and harmless to open."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from io import BytesIO
from typing import Any

import httpx
import openpyxl
import pytest

from api.bootstrap import running
from api.cli.client import in_process
from api.forms.definitions import FORMS
from ledger.settings import Settings

ATTACKS = ["=1+1", "+1", "-1", "@SUM(A1)", '=HYPERLINK("http://x","y")', "\t=1", "a\x0bb"]


def told(kind: str, subject: str, /, **data: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": f"{kind}/{subject}",
        "source": "/test",
        "type": kind,
        "subject": subject,
        "time": "2026-04-01T01:02:03Z",
        "data": data,
    }


@pytest.fixture
def clients(settings: Settings) -> Iterator[Callable[[str], httpx.Client]]:
    with running(settings) as program, ExitStack() as stack:
        made = {role: program.ledger.keys.create(role, role)[1] for role in ("service", "analyst", "auditor")}
        service = stack.enter_context(in_process(program.asgi, made["service"]))
        events = [
            told("customer.registered", "CU-1", stage="customer"),
            told("customer.tiered", "CU-1", tier="high"),
            *(
                told("requirement.captured", f"R{nth}", source_kind="interview", channel="phone", statement=attack)
                for nth, attack in enumerate(ATTACKS)
            ),
            told("plan.drafted", "=P1", objective="=cmd|'/c calc'!A1", unit="min", goal_value=3, department="-1+1"),
            told("plan.task_added", "=P1", task_id="T1", task="Train", due_at="2026-05-01T00:00:00Z"),
            told("contact.received", "C1", channel="email", department="desk", kind="inquiry"),
            told("review.sampled", "V1", contact_id="C1", week="2026-W14"),
            told("review.scored", "V1", passed=True),
        ]
        headers = {"content-type": "application/cloudevents-batch+json"}
        sent = service.post("/v1/events", json=events, headers=headers)
        assert sent.status_code == 201, sent.text
        auditor = stack.enter_context(in_process(program.asgi, made["auditor"]))
        auditor.get("/v1/kpis", params={"min_position": sent.json()["position"]}).raise_for_status()
        yield lambda role: stack.enter_context(in_process(program.asgi, made[role]))


def opened(client: httpx.Client, form: str, **parameters: str) -> openpyxl.Workbook:
    answer = client.get(f"/v1/forms/{form}", params=parameters)
    assert answer.status_code == 200, answer.text
    return openpyxl.load_workbook(BytesIO(answer.content))


def test_every_form_opens_with_its_heads_frozen_and_filtered(clients: Callable[[str], httpx.Client]) -> None:
    auditor = clients("auditor")
    assert [form["name"] for form in auditor.get("/v1/forms").json()["forms"]] == list(FORMS)
    for form in FORMS.values():
        for language in ("zh", "en"):
            book = opened(auditor, form.name, language=language)
            for sheet in form.sheets:
                page = book[sheet.title.of(language)]
                assert [cell.value for cell in page[1]] == [column.head.of(language) for column in sheet.columns]
                assert page.freeze_panes == "B2"
                assert page.auto_filter.ref == f"A1:{page.dimensions.split(':')[1]}"


def test_cells_are_typed_and_values_are_in_words(clients: Callable[[str], httpx.Client]) -> None:
    page = opened(clients("auditor"), "requirement_summary")["客户需求"]
    row = dict(zip([cell.value for cell in page[1]], [cell.value for cell in page[2]], strict=True))
    # 01:02:03 UTC on the wall in Shanghai
    assert row["提出时间"] == datetime(2026, 4, 1, 9, 2, 3)
    assert (row["来源"], row["渠道"], row["关键需求"]) == ("访谈", "电话", False)
    english = opened(clients("auditor"), "requirement_summary", language="en")["Requirements"]
    assert english["C2"].value == "interview"
    week = opened(clients("auditor"), "quality_reviews")["抽检"]["B2"]
    assert (week.value, week.number_format) == (datetime(2026, 3, 30), "yyyy-mm-dd")


def test_no_text_becomes_a_formula(clients: Callable[[str], httpx.Client]) -> None:
    book = opened(clients("auditor"), "requirement_summary")
    cells = list(book["客户需求"]["J"][1:])
    assert [cell.value for cell in cells] == [attack.replace("\x0b", "�") for attack in ATTACKS]
    plans = opened(clients("auditor"), "optimisation_plans")["优化方案"]
    assert (plans["A2"].value, plans["C2"].value) == ("=P1", "=cmd|'/c calc'!A1")
    for cell in (*cells, plans["A2"], plans["C2"], plans["J2"]):
        assert cell.data_type == "s"
        assert cell.quotePrefix == (str(cell.value)[0] in "=+-@\t")


def test_statements_are_for_those_who_may_see_them(clients: Callable[[str], httpx.Client]) -> None:
    page = opened(clients("analyst"), "requirement_summary")["客户需求"]
    assert {cell.value for cell in page["J"][1:]} == {"（无权查看）"}


def test_what_there_is_not_is_told(clients: Callable[[str], httpx.Client]) -> None:
    analyst = clients("analyst")
    assert analyst.get("/v1/forms/nonsense").status_code == 404
    assert analyst.get("/v1/forms/plan_tracking", params={"language": "fr"}).status_code == 422
