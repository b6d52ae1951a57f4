"""Checkpoints, tiles and proofs over HTTP and on the command line, as somebody sees them who trusts nobody here."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from api.bootstrap import Program, running
from api.cli.client import in_process
from ledger.claims import Claim
from ledger.seal.notes import Checkpoint, Verifier, opened
from ledger.seal.tree import extends, includes, leaf_hash
from ledger.settings import Settings
from tests.api.conftest import served
from tests.api.test_cli import run

__all__ = ["run"]

GO = Path(__file__).parents[1] / "seal" / "verifier.go"
GO_LIBRARY = Path("/usr/share/gocode/src/golang.org/x/mod/sumdb/tlog")


@pytest.fixture
def program(settings: Settings) -> Iterator[Program]:
    """One that seals, and projects nothing."""
    with running(settings, project=False, sealing=True) as program:
        yield program


@pytest.fixture
def auditor(client_of: Callable[..., httpx.Client]) -> httpx.Client:
    return client_of("auditor")


@pytest.fixture
def append(program: Program, tell: Callable[..., Claim]) -> Callable[..., None]:
    """Appends requirements and waits until they are sealed."""
    told = 0

    def more(count: int, **data: Any) -> None:
        nonlocal told
        units = [
            [tell("requirement.captured", f"R{number}", {"source_kind": "form", **data})]
            for number in range(told, told + count)
        ]
        told += count
        assert all(isinstance(outcome, list) for outcome in program.ledger.append(units, "key"))
        until = time.monotonic() + 20
        while program.seal_status().lag_positions:
            assert time.monotonic() < until, program.seal_status()
            time.sleep(0.02)

    return more


def hashes(told: list[str]) -> list[bytes]:
    return [base64.b64decode(each) for each in told]


def checkpoint(client: httpx.Client) -> Checkpoint:
    keys = [Verifier.read(each) for each in client.get("/v1/seal").json()["verifiers"]]
    return opened(client.get("/checkpoint").text, keys)


def test_an_entry_is_proven_to_be_in_the_log(auditor: httpx.Client, append: Callable[..., None]) -> None:
    append(5)
    signed = checkpoint(auditor)
    entry = auditor.get("/v1/entries/3").content
    proof = auditor.get("/v1/proofs/inclusion", params={"position": 3}).json()
    assert (proof["index"], proof["size"], proof["leaf"]) == (
        2,
        signed.size,
        base64.b64encode(leaf_hash(entry)).decode(),
    )
    assert includes(leaf_hash(entry), 2, signed.size, hashes(proof["hashes"]), signed.root)
    text = auditor.get("/v1/proofs/inclusion", params={"position": 3, "format": "tlog-proof"}).text
    head, note = text.split("\n\n", 1)
    assert head.split("\n") == ["c2sp.org/tlog-proof@v1", "index 2", *proof["hashes"]]
    assert note == proof["checkpoint"] == auditor.get("/checkpoint").text
    older = auditor.get("/v1/proofs/inclusion", params={"position": 1, "size": 2}).json()
    assert older["size"] == 2
    assert includes(hashes([older["leaf"]])[0], 0, 2, hashes(older["hashes"]), hashes([older["root"]])[0])


def test_the_log_is_proven_to_have_only_grown(auditor: httpx.Client, append: Callable[..., None]) -> None:
    append(3)
    old = checkpoint(auditor)
    append(300)
    new = checkpoint(auditor)
    proof = auditor.get("/v1/proofs/consistency", params={"from": old.size}).json()
    assert (proof["from"], proof["to"]) == (old.size, new.size)
    assert extends(old.size, old.root, new.size, new.root, hashes(proof["hashes"]))
    same = auditor.get("/v1/proofs/consistency", params={"from": old.size, "to": old.size}).json()
    assert (same["hashes"], same["from_root"]) == ([], same["to_root"])


def test_what_is_not_sealed_has_no_proof(auditor: httpx.Client, append: Callable[..., None]) -> None:
    append(2)
    size = checkpoint(auditor).size
    for path, asked in (
        ("inclusion", {"position": size + 1}),
        ("inclusion", {"position": 1, "size": size + 1}),
        ("inclusion", {"position": 0}),
        ("consistency", {"from": size + 1}),
        ("consistency", {"from": 2, "to": 1}),
        ("consistency", {}),
    ):
        answer = auditor.get(f"/v1/proofs/{path}", params=asked)
        assert answer.status_code == 422, (path, asked, answer.text)
    assert auditor.get(f"/v1/entries/{size + 1}").status_code == 404


def test_before_anything_is_sealed(settings: Settings) -> None:
    with (
        running(settings, project=False, founding=False) as program,
        in_process(program.asgi, program.local_token) as client,
    ):
        for path in ("/checkpoint", "/tile/0/000", "/v1/proofs/inclusion?position=1"):
            answer = client.get(path)
            assert (answer.status_code, "within a second" in answer.text) == (404, True)
        assert client.get("/v1/seal").json() == {
            "origin": None,
            "verifiers": [],
            "checkpoint": None,
            "cosigned": None,
            "renamings": [],
        }


def test_tiles_have_the_paths_of_c2sp_and_others_are_nowhere(
    auditor: httpx.Client, append: Callable[..., None]
) -> None:
    append(600)
    size = checkpoint(auditor).size
    width = size - 512
    full = auditor.get("/tile/0/001")
    assert (full.status_code, len(full.content), full.headers["content-type"]) == (
        200,
        8192,
        "application/octet-stream",
    )
    assert auditor.get("/tile/0/001.p/7").content == full.content[: 7 * 32]
    assert len(auditor.get(f"/tile/0/002.p/{width}").content) == width * 32
    assert len(auditor.get("/tile/1/000.p/2").content) == 64
    nowhere = (
        "0/002", f"0/002.p/{width + 1}", "0/003", "0/1", "0/0001", "0/x000/001.p/0", "0/001.p/256", "0/001.p/01",
        "1/000", "1/000.p/3", "2/000", "9/000", "0/x001/000", "0/001/x", "entries/003", "entries/002", "entries/-01",
    )  # fmt: skip
    for path in nowhere:
        assert auditor.get(f"/tile/{path}").status_code == 404, path
    assert auditor.get("/tile/64/000").status_code == 422


def test_an_entry_too_long_for_a_bundle_is_named_and_given_by_itself(
    auditor: httpx.Client, append: Callable[..., None], program: Program, tell: Callable[..., Claim]
) -> None:
    append(1)
    before = program.ledger.head().position
    # characters that take six bytes each in an entry
    long = tell("script.published", "S1", {"title": "long", "wording": "\x01" * 20_000})
    assert isinstance(program.ledger.append([[long]], "key")[0], list)
    append(1)
    assert len(auditor.get(f"/v1/entries/{before + 1}").content) > 120_000
    answer = auditor.get(f"/tile/entries/000.p/{before + 1}")
    assert (answer.status_code, f"at {before + 1}:" in answer.json()["detail"]) == (422, True)
    bundle = auditor.get(f"/tile/entries/000.p/{before}").content
    assert bundle.endswith(auditor.get(f"/v1/entries/{before}").content)


def test_the_command_line_shows_proofs_and_seal(
    auditor: httpx.Client, append: Callable[..., None], settings: Settings, run: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    append(4)
    assert settings.database_url is not None
    monkeypatch.setenv("LEDGER_DATABASE_URL", settings.database_url.get_secret_value())
    monkeypatch.setenv("LEDGER_HOME", str(settings.home))
    shown = run("seal", "show")
    told = auditor.get("/v1/seal").json()
    assert told["verifiers"][0] in shown.out
    assert told["checkpoint"]["note"].strip() in shown.out
    assert run("seal", "checkpoint").out == told["checkpoint"]["note"]
    assert run("seal", "show", "--json").json == told
    proof = auditor.get("/v1/proofs/inclusion", params={"position": 2}).json()
    assert run("proof", "inclusion", 2, "--json").json == proof
    assert proof["leaf"] in run("proof", "inclusion", 2).out
    text = auditor.get("/v1/proofs/inclusion", params={"position": 2, "format": "tlog-proof"}).text
    assert run("proof", "inclusion", 2, "--text").out == text
    assert proof["root"] in run("proof", "consistency", 1).out
    assert run("proof", "consistency", 1, proof["size"], "--json").json["to_root"] == proof["root"]
    assert run("proof", "inclusion", 1000).status == 1
    findings = {one["check"]: one for one in run("doctor", "--json").json}
    assert findings["seal"]["verdict"] == "ok"
    renewed = run("seal", "renew", "--yes")
    assert renewed.out.strip().splitlines()[-1].startswith(told["origin"])


def test_the_command_line_verifies(
    auditor: httpx.Client, append: Callable[..., None], settings: Settings, database: str, run: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    append(3)
    monkeypatch.setenv("LEDGER_DATABASE_URL", database)
    monkeypatch.setenv("LEDGER_HOME", str(settings.home))
    kept = tmp_path / "kept.txt"
    kept.write_bytes(auditor.get("/checkpoint").content)
    key = auditor.get("/v1/seal").json()["verifiers"][0]
    ran = run("verify", "--checkpoint", kept, "--verifier", key, "--tables")
    assert (ran.status, "Nothing was altered." in ran.out) == (0, True), ran
    assert "The live tables equal a replay." in ran.out
    with psycopg.connect(database, autocommit=True) as superuser:
        superuser.execute("ALTER TABLE log.entries DISABLE TRIGGER ALL")
        superuser.execute("UPDATE log.entries SET subject = 'R-other' WHERE position = 3")
    ran = run("verify")
    assert ran.status == 1
    assert "  position 3: column subject is 'R-other', but the entry says 'R1'" in ran.out
    assert run("verify", "--json").json["findings"][0]["position"] == 3
    assert "is not a signed note" in run("verify", "--checkpoint", GO).out
    assert "not a verifier key" in run("verify", "--verifier", "nonsense").err


def test_readiness_and_measurements_tell_of_the_seal(
    auditor: httpx.Client, append: Callable[..., None], program: Program
) -> None:
    append(3)
    size = program.ledger.head().position
    ready = auditor.get("/readyz").json()["seal"]
    assert ready == {"size": size, "head": size, "lag_positions": 0, "lag_seconds": 0.0, "halted_by": None}
    assert f"ledger_seal_size {size}.0" in auditor.get("/metrics").text


def test_go_verifies_what_is_served(
    program: Program, secrets_of: dict[str, str], auditor: httpx.Client, append: Callable[..., None], tmp_path: Path
) -> None:
    """Go's own checksum database's client code accepts checkpoint, tiles, bundles, inclusion and consistency."""
    if shutil.which("go") is None or not GO_LIBRARY.exists():
        assert "CI" not in os.environ, "golang-go and golang-golang-x-mod-dev are missing"
        pytest.skip("Debian's golang-go and golang-golang-x-mod-dev are not installed")
    kept = b""
    for count in (1, 6, 250, 300, 260):
        append(count)
        kept += auditor.get("/checkpoint").content + b"\x00"
    (tmp_path / "kept").write_bytes(kept)
    built = tmp_path / "verifier"
    go = {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOCACHE": str(tmp_path / "cache"), "GOFLAGS": ""}
    subprocess.run(["go", "build", "-o", built, GO], check=True, env=os.environ | go, timeout=250)
    (verifier,) = auditor.get("/v1/seal").json()["verifiers"]
    other = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    with served(program) as address:

        def run(key: str) -> str:
            command = [built, address, secrets_of["auditor"], key, tmp_path / "kept"]
            return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout

        assert run(verifier).startswith(f"accepted {program.ledger.head().position} ")
        assert run(other).startswith("REFUSED: note has no verifiable signatures")
