"""Reading tables, clocks and figures over HTTP."""

from __future__ import annotations

import csv
import io
from typing import Any

import httpx
import pyarrow
import pyarrow.parquet
import pytest


def test_every_table_can_be_read(local: httpx.Client) -> None:
    for table in local.get("/v1/tables").json()["tables"]:
        answer = local.get(f"/v1/tables/{table['name']}", params={"limit": 3})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert page["columns"] == table["columns"]
        assert set(table["key"]) <= set(table["columns"])
        assert all(set(row) == set(table["columns"]) for row in page["rows"])


def test_pages_hold_every_row_once_in_order(local: httpx.Client) -> None:
    seen: list[tuple[str, str]] = []
    cursor: str | None = None
    while True:
        parameters = {"limit": 17, "sort": "-received_at", **({"cursor": cursor} if cursor else {})}
        page = local.get("/v1/tables/contacts", params=parameters).json()
        seen += [(row["received_at"], row["contact_id"]) for row in page["rows"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len({contact for _, contact in seen}) == len(seen) > 100
    assert [at for at, _ in seen] == sorted((at for at, _ in seen), reverse=True)


def test_filters_hold_together(local: httpx.Client) -> None:
    everything = local.get("/v1/tables/contacts", params={"limit": 1000}).json()["rows"]
    question = {
        "channel__in": "email,phone",
        "received_at__gte": "2026-02-01T00:00:00+08:00",
        "agent_id__null": "false",
    }
    found = local.get("/v1/tables/contacts", params=question | {"limit": "1000"}).json()["rows"]
    expected = [
        row
        for row in everything
        if row["channel"] in ("email", "phone")
        and row["received_at"] >= "2026-01-31T16:00:00"
        and row["agent_id"] is not None
    ]
    assert found
    assert sorted(row["contact_id"] for row in found) == sorted(row["contact_id"] for row in expected)


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("/v1/tables/contacts", {"colour": "red"}),
        ("/v1/tables/contacts", {"received_at__gte": "yesterday"}),
        ("/v1/tables/contacts", {"received_at__like": "x"}),
        ("/v1/tables/contacts", {"reopened": "many"}),
        ("/v1/tables/contacts", {"reopened": "9" * 40}),
        ("/v1/tables/contacts", {"sort": "colour"}),
        ("/v1/tables/contacts", {"cursor": "nonsense"}),
        ("/v1/tables/contacts", {"limit": "0"}),
        ("/v1/tables/contacts", {"limit": "1000000"}),
        ("/v1/tables/contacts", {"format": "xml"}),
        ("/v1/clocks", {"due_before": "tomorrow"}),
        ("/v1/clocks", {"due": "2026-01-01T00:00:00Z"}),
        ("/v1/kpis", {"metric": "happiness"}),
        ("/v1/kpis", {"colour": "red"}),
        ("/v1/kpis", {"by": "colour"}),
        ("/v1/kpis", {"period": "decade"}),
        ("/v1/kpis", {"from": "2026-13-01"}),
        ("/v1/kpis", {"from": "2026-02-01", "to": "2026-01-01"}),
        ("/v1/kpis", {"from": "0001-01-01", "period": "day"}),
    ],
)
def test_a_wrong_question_is_a_422_that_says_what_is_wrong(
    local: httpx.Client, path: str, parameters: dict[str, str]
) -> None:
    answer = local.get(path, params=parameters)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["message"]


def test_an_unknown_table_is_not_found(local: httpx.Client) -> None:
    assert local.get("/v1/tables/secrets").status_code == 404
    assert local.get("/v1/nothing").status_code == 404
    assert local.post("/v1/tables/contacts").status_code == 405


def test_csv_by_accept_and_by_parameter(local: httpx.Client) -> None:
    rows = local.get("/v1/tables/contacts", params={"limit": 5}).json()["rows"]
    for answer in (
        local.get("/v1/tables/contacts", params={"limit": 5}, headers={"accept": "text/csv"}),
        local.get("/v1/tables/contacts", params={"limit": 5, "format": "csv"}),
    ):
        assert answer.headers["content-type"].startswith("text/csv")
        assert answer.headers["ledger-next-cursor"]
        told = list(csv.DictReader(io.StringIO(answer.text)))
        assert [row["contact_id"] for row in told] == [row["contact_id"] for row in rows]
        assert [row["received_at"] for row in told] == [row["received_at"] for row in rows]


@pytest.mark.parametrize("form", ["arrow", "parquet"])
@pytest.mark.parametrize("path", ["/v1/tables/contacts", "/v1/tables/milestones", "/v1/clocks", "/v1/surveys/due"])
def test_arrow_and_parquet_hold_the_same_rows(local: httpx.Client, form: str, path: str) -> None:
    told = local.get(path, params={"limit": 50}).json()
    media_type = {"arrow": "application/vnd.apache.arrow.stream", "parquet": "application/vnd.apache.parquet"}[form]
    for asked in (
        {"params": {"limit": 50, "format": form}},
        {"params": {"limit": 50}, "headers": {"accept": media_type}},
    ):
        answer = local.get(path, **asked)
        assert answer.headers["content-type"] == media_type
        assert answer.headers["ledger-position"] == str(told["position"])
        assert answer.headers.get("ledger-next-cursor") == told["next_cursor"]
        read = (
            pyarrow.parquet.read_table if form == "parquet" else lambda file: pyarrow.ipc.open_stream(file).read_all()
        )
        found = read(io.BytesIO(answer.content))
        assert found.column_names == list(told["columns"])
        rows = [
            {name: _as_json(told["columns"][name], value) for name, value in row.items()} for row in found.to_pylist()
        ]
        assert rows == told["rows"]


def _as_json(kind: str, value: Any) -> Any:
    if value is None or kind not in ("time", "day"):
        return value
    return value.isoformat() if kind == "day" else f"{value.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def test_clocks_run_out_in_order(local: httpx.Client) -> None:
    page = local.get("/v1/clocks", params={"due_before": "2030-01-01T00:00:00Z", "limit": 1000}).json()
    deadlines = [row["deadline"] for row in page["rows"]]
    assert deadlines
    assert deadlines == sorted(deadlines)
    assert all(row["left_us"] >= 0 and not row["overdue"] for row in page["rows"])
    late = local.get("/v1/clocks", params={"overdue": "true", "limit": 1000}).json()["rows"]
    assert any(row["overdue"] for row in late)


def test_figures_of_all_metrics_against_their_goals(local: httpx.Client) -> None:
    told = local.get("/v1/kpis").json()
    figures = {one["metric"]: one for one in told["figures"]}
    assert len(figures) > 20
    answered = figures["first_response_in_time"]
    assert answered["unit"] == "ratio"
    assert answered["value"] == pytest.approx(answered["numerator"] / answered["denominator"], abs=1e-6)
    assert answered["verdict"] in ("met", "missed")
    assert figures["first_response_median"]["unit"] == "microseconds"
    assert told["rule_book"]["version"]


def test_periods_and_dimensions_add_up(local: httpx.Client) -> None:
    question = {"metric": "first_response_in_time", "from": "2026-01-01", "to": "2026-04-30"}
    (whole,) = local.get("/v1/kpis", params=question).json()["figures"]
    months = local.get("/v1/kpis", params=question | {"period": "month"}).json()["figures"]
    channels = local.get("/v1/kpis", params=question | {"by": "channel"}).json()["figures"]
    assert [one["period"]["first"] for one in months] == ["2026-01-01", "2026-02-01", "2026-03-01", "2026-04-01"]
    for parts in (months, channels):
        assert sum(one["denominator"] for one in parts) == whole["denominator"] > 0
        assert sum(one["numerator"] for one in parts) == whole["numerator"]
    name = channels[0]["dimensions"]["channel"]
    (only,) = local.get("/v1/kpis", params=question | {"channel": name}).json()["figures"]
    assert only["denominator"] == channels[0]["denominator"]
    as_csv = local.get("/v1/kpis", params=question | {"format": "csv"}).text
    assert as_csv.splitlines()[1].startswith("first_response_in_time,")


def test_the_rule_book_in_force_can_be_read(local: httpx.Client) -> None:
    (book,) = local.get("/v1/rulebooks").json()["rulebooks"]
    assert book["in_force"]
    assert "metrics:" in local.get(f"/v1/rulebooks/{book['version']}").json()["book"]
    assert local.get("/v1/rulebooks/0.0").status_code == 404


def test_what_is_left_out_of_a_subject_is_said(local: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    handled = local.get("/v1/tables/clocks", params={"aggregate": "contact", "limit": 1000}).json()["rows"]
    contact = max((row["subject"] for row in handled), key=[row["subject"] for row in handled].count)
    whole = local.get(f"/v1/contact/{contact}").json()
    assert whole["cut"] == []
    assert len(whole["tables"]["clocks"]) > 1
    monkeypatch.setattr("api.http.subjects.MOST_ROWS", 1)
    told = local.get(f"/v1/contact/{contact}").json()
    assert "clocks" in told["cut"]
    assert len(told["tables"]["clocks"]) == 1


def test_whom_a_survey_is_due_to_page_by_page(local: httpx.Client) -> None:
    whole = local.get("/v1/surveys/due", params={"limit": 1000}).json()
    assert whole["next_cursor"] is None
    names = [row["customer_id"] for row in whole["rows"]]
    assert names == sorted(set(names)) != []
    found, cursor = [], {}
    while cursor is not None:
        page = local.get("/v1/surveys/due", params={"limit": 7, **cursor}).json()
        found += page["rows"]
        cursor = {"cursor": page["next_cursor"]} if page["next_cursor"] else None
    assert found == whole["rows"]
    needs = local.get("/v1/surveys/due", params={"kind": "needs", "limit": 1000}).json()["rows"]
    assert {row["customer_id"] for row in needs} >= set(names)
    told = local.get("/v1/surveys/due", params={"limit": 1000, "format": "csv"})
    assert [row["customer_id"] for row in csv.DictReader(io.StringIO(told.text))] == names
    for wrong in ({"kind": "weather"}, {"cursor": "none"}):
        assert local.get("/v1/surveys/due", params=wrong).status_code == 422
