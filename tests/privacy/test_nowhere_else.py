"""The texts of who was erased are looked for everywhere: database files, tables, logs, exports, archives, answers."""

from __future__ import annotations

import io
import signal
import time
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pyarrow.ipc
import pyarrow.parquet
import pytest
from psycopg import sql

from ledger.log.application import Ledger
from ledger.settings import Settings
from replays.archive.reading import Archive
from replays.archive.writing import write
from tests.api.processes import Server
from tests.conftest import PrivateCluster

NAME, SAID, WHY, STATEMENT = (
    "Quetzal Ninefold",
    "羽蛇九重天想要退款",
    "reason-of-the-ninefold",
    "ninefold wants a red door",
)
TEXTS = (NAME, SAID, WHY, STATEMENT)
EVERY_TABLE = """
SELECT table_schema, table_name FROM information_schema.tables
WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')
"""


def cloud_event(number: int, kind: str, subject: str, data: dict[str, Any], **more: str) -> dict[str, Any]:
    return {
        "specversion": "1.0", "id": f"e{number}", "source": "/test", "type": kind, "subject": subject,
        "time": "2026-04-01T08:00:00Z", "data": data, **more,
    }  # fmt: skip


EVENTS = (
    cloud_event(1, "customer.registered", "CU-9", {"name": NAME, "stage": "customer"}, reason=WHY),
    cloud_event(
        2, "contact.received", "CT-9",
        {"customer_id": "CU-9", "channel": "email", "department": "desk", "kind": "complaint", "message": SAID},
    ),
    cloud_event(3, "contact.answered", "CT-9", {"agent_id": "s1", "message": f"dear {NAME}"}),
    cloud_event(
        4, "requirement.captured", "RQ-9",
        {
            "customer_id": "CU-9", "contact_id": "CT-9", "channel": "email", "source_kind": "contact",
            "expression": "explicit", "statement": STATEMENT,
        },
    ),
    cloud_event(
        5, "requirement.captured", "RQ-8",
        {
            "customer_id": "CU-9", "contact_id": "CT-9", "channel": "email", "source_kind": "contact",
            "expression": "explicit", "statement": STATEMENT + " too",
        },
    ),
)  # fmt: skip


def holds(content: bytes) -> list[str]:
    """Which of the texts stand in some bytes, whatever they are packed in."""
    packed = [content]
    if content[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            packed += [archive.read(name) for name in archive.namelist()]
    if content[:4] == b"PAR1":
        packed.append(repr(pyarrow.parquet.read_table(io.BytesIO(content)).to_pydict()).encode())
    if content[:6] == b"ARROW1" or content[:4] == b"\xff\xff\xff\xff":
        packed.append(repr(pyarrow.ipc.open_stream(io.BytesIO(content)).read_all().to_pydict()).encode())
    forms = {text: {text.encode(), text.encode("unicode_escape"), text.encode("utf-16-le")} for text in TEXTS}
    return [text for text in TEXTS if any(form in part for form in forms[text] for part in packed)]


def files(*folders: Path) -> Iterator[tuple[str, bytes]]:
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                yield str(path), path.read_bytes()


def tables(conninfo: str) -> Iterator[tuple[str, bytes]]:
    with psycopg.connect(conninfo) as connection:
        for schema, table in connection.execute(EVERY_TABLE).fetchall():
            rows = connection.execute(sql.SQL("SELECT t::text FROM {} AS t").format(sql.Identifier(schema, table)))
            text = "\n".join(row for (row,) in rows)
            yield f"{schema}.{table}", text.encode()
            # binary columns are shown as hexadecimal
            for each in TEXTS:
                if each.encode().hex() in text:
                    yield f"{schema}.{table} (binary)", each.encode()


def answers(client: httpx.Client) -> Iterator[tuple[str, bytes]]:
    """What an admin is answered, as JSON and as every kind of file."""
    paths = [
        "/v1/events?limit=1000", "/v1/events?source=/test&id=e1", "/v1/history/customer/CU-9",
        "/v1/history/contact/CT-9", "/v1/history/requirement/RQ-9", "/v1/customer/CU-9", "/v1/contact/CT-9",
        "/v1/explain/contacts/CT-9/customer_id", "/v1/duplicates?threshold=50", "/v1/kpis", "/tile/entries/000",
        "/v1/entries/1", "/v1/erasures", "/metrics",
    ]  # fmt: skip
    paths += [f"/v1/forms/{one['name']}" for one in client.get("/v1/forms").json()["forms"]]
    for table in ("customers", "contacts", "requirements"):
        paths += [f"/v1/tables/{table}?format={kind}" for kind in ("json", "csv", "arrow", "parquet")]
    for path in paths:
        answer = client.get(path)
        if path.startswith("/tile"):
            continue
        assert answer.status_code == 200, f"{path}: {answer.text[:300]}"
        yield path, answer.content


@pytest.mark.parametrize("encrypted", [True, False], ids=["encrypted", "as it is told"])
def test_who_was_erased_is_found_nowhere(cluster: PrivateCluster, tmp_path: Path, encrypted: bool) -> None:
    conninfo = cluster.conninfo
    home, archive, log = tmp_path / "home", tmp_path / "archive", tmp_path / "server.log"
    environment = {
        "LEDGER_DATABASE_URL": conninfo, "LEDGER_HOME": str(home), "LEDGER_ENCRYPT": str(encrypted),
        "LEDGER_LOG_LEVEL": "DEBUG",
    }  # fmt: skip
    with closing(Server([], environment, log)) as server:
        server.await_answer()
        assert server.post(*EVENTS).status_code == 201
        assert server.post(*EVENTS).status_code == 200
        refused = server.post(EVENTS[1] | {"id": "e9", "type": "contact.rang", "data": {"message": SAID}})
        assert refused.status_code == 422
        first = httpx.Client(base_url=server.address, headers={"authorization": f"Bearer {server.secret}"}, timeout=60)
        with first:
            until = time.monotonic() + 60
            while first.get("/v1/tables/contacts?min_position=6").status_code != 200:
                assert time.monotonic() < until
            told = {path for path, content in answers(first) if holds(content)}
            assert {"/v1/events?limit=1000", "/v1/history/customer/CU-9", "/v1/duplicates?threshold=50"} <= told
            assert any(path.startswith("/v1/forms/") for path in told), "the search finds it while it can be read"
            assert not any(path.startswith("/v1/tables/") for path in told)
            wanted = {"customer_id": "CU-9", "basis": "GDPR Art. 17", "request_id": "dsr-1"}
            asked = first.post("/v1/erasures", json=wanted)
            second_key = first.post("/v1/keys", json={"role": "admin", "label": "second"}).json()["secret"]
            if not encrypted:
                assert asked.status_code == 409
                assert "decided when it was created" in asked.json()["detail"]
            else:
                assert asked.status_code == 201
                assert first.post("/v1/erasures/CU-9/approve").status_code == 409
                second = {"authorization": f"Bearer {second_key}"}
                assert first.post("/v1/erasures/CU-9/approve", headers=second).status_code == 200
                _, read, *_ = first.get("/v1/events?limit=1000").json()["events"]
                assert (read["erased"], read["erasedbasis"]) == ("name reason", "GDPR Art. 17")
                assert "name" not in read["data"]
                history = first.get("/v1/history/contact/CT-9").text
                assert "erased 20" in history
                assert "GDPR Art. 17" in history
                for path, content in answers(first):
                    assert holds(content) == [], path
        with Ledger.open(Settings(database_url=conninfo, home=home)) as ledger:
            write(ledger, archive)
        assert not Archive.open(archive).examine()
        server.end(signal.SIGTERM)
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
    places = [*files(cluster.home, home, archive), ("the server's log", log.read_bytes()), *tables(conninfo)]
    found = {place: texts for place, content in places if (texts := holds(content))}
    if encrypted:
        assert found == {}
    else:
        assert any("log.entries" in place for place in found), "the search finds what is there"
        assert any(place.startswith(str(cluster.home)) for place in found)
        assert any(place.startswith(str(archive)) for place in found)
        assert "the server's log" not in found
