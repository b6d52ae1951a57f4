"""From a figure to its rows, and from each row to its events, over HTTP and on the command line."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from ledger.rulebook.loading import default_book


def pages(client: httpx.Client, metric: str, **asked: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The first page, and the rows of all."""
    path = f"/v1/kpis/{metric}/rows"
    answer = client.get(path, params=asked)
    assert answer.status_code == 200, answer.text
    first = page = answer.json()
    found = list(first["rows"])
    while page["next_cursor"] is not None:
        page = client.get(path, params=asked | {"cursor": page["next_cursor"]}).json()
        assert page["asked_at"] == first["asked_at"]
        found += page["rows"]
    return first, found


def test_rows_add_up_to_the_figure(local: httpx.Client) -> None:
    (figure,) = local.get("/v1/kpis", params={"metric": "first_response_in_time", "channel": "email"}).json()["figures"]
    first, rows = pages(local, "first_response_in_time", channel="email", limit=10)
    (told,) = first["figures"]
    compared = ("metric", "period", "numerator", "denominator", "open", "value", "verdict")
    assert {name: told[name] for name in compared} == {name: figure[name] for name in compared}
    assert sum(row["numerator"] for row in rows) == figure["numerator"]
    assert sum(row["denominator"] for row in rows) == figure["denominator"] == len(rows)
    assert {row["dimensions"]["channel"] for row in rows} == {"email"}
    assert sum(one["rows"] for one in first["states"] if one["state"] == "counted") == len(rows)
    assert [row["key"] for row in rows] == sorted((row["key"] for row in rows), key=lambda key: tuple(key.values()))


@pytest.mark.parametrize("metric", [metric.name for metric in default_book().metrics])
def test_every_row_leads_to_its_events(local: httpx.Client, metric: str) -> None:
    for part in ("denominator", "left_out"):
        page = local.get(f"/v1/kpis/{metric}/rows", params={"part": part, "limit": 1}).json()
        for row in page["rows"]:
            assert set(row["words"]) == {"en", "zh"}
            assert local.get(row["history"]).json()["items"]
            for column, path in row["explain"].items():
                told = local.get(path)
                assert told.status_code == 200, told.text
                assert told.json()["column"] == column


def test_a_missed_row_is_explained_by_its_clock(local: httpx.Client) -> None:
    _, rows = pages(local, "first_response_in_time", part="denominator_only")
    row = next(row for row in rows if row["outcome"] is not None)
    assert row["words"] == {"en": "in the denominator alone", "zh": "只计入分母"}
    told = local.get(row["explain"]["first_response_outcome"]).json()
    assert told["value"] == row["outcome"] == "missed"
    assert told["rule"]["name"] == "first_response"
    waiting = next(row for row in rows if row["outcome"] is None)
    assert waiting["words"]["en"].endswith("its deadline has passed, and it waits still")


def test_what_cannot_be_asked(local: httpx.Client) -> None:
    path = "/v1/kpis/first_response_in_time/rows"
    assert local.get("/v1/kpis/wit/rows").status_code == 404
    assert local.get(path, params={"shoe_size": "44"}).status_code == 422
    assert local.get(path, params={"part": "quotient"}).status_code == 422
    assert local.get(path, params={"cursor": "nonsense"}).status_code == 422
    assert local.get(path, params={"channel": "a\x00b"}).status_code == 422
    assert local.get(path, params={"from": "2026-02-01", "to": "2026-01-01"}).status_code == 422
    assert local.get(path, params={"limit": 1_000_000}).status_code == 422


def test_rows_as_csv(local: httpx.Client) -> None:
    answer = local.get("/v1/kpis/complaint_rate/rows", params={"format": "csv", "limit": 3})
    head, *lines = answer.text.splitlines()
    assert head.startswith("contact_id,day,state,reason_en,reason_zh,numerator,denominator")
    assert len(lines) == 3
    assert answer.headers["ledger-next-cursor"]


def test_the_rows_behind_a_stamp_are_those_of_today_while_nothing_came(local: httpx.Client) -> None:
    first, rows = pages(local, "first_response_in_time", channel="email")
    (figure,) = first["figures"]
    (told,) = local.post("/v1/recompute", json={"stamps": [figure["stamp"]], "rows": True}).json()["figures"]
    assert told["states"] == first["states"]
    counted = [row for row in told["rows"] if row["state"] == "counted"]
    assert [row["key"] for row in counted] == [row["key"] for row in rows]
    assert all(row["history"].endswith(f"?as_of={first['position']}") for row in counted)
    assert local.get(counted[0]["history"]).json()["items"]
    assert local.post("/v1/recompute", json={"stamps": [figure["stamp"]] * 21, "rows": True}).status_code == 422
    (plain,) = local.post("/v1/recompute", json={"stamps": [figure["stamp"]]}).json()["figures"]
    assert "rows" not in plain
