"""What is told of checkpoints held outside: over HTTP, in measurements, and on the command line."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from api.bootstrap import Program, running
from ledger.claims import Claim
from ledger.seal.cosigning import Cosigner
from ledger.seal.keys import signer, verifiers
from ledger.seal.notes import Note, Verifier, opened
from ledger.settings import Settings
from tests.api.conftest import served
from tests.api.test_cli import run
from tests.seal.witness import Witness

__all__ = ["run"]


@pytest.fixture
def witness() -> Iterator[Witness]:
    with Witness().served() as served:
        yield served


@pytest.fixture
def settings(
    settings: Settings, run: Any, witness: Witness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """Those of a process with two witnesses, which commands read too."""
    del run
    assert settings.database_url is not None
    places = f"{(tmp_path / 'held.checkpoint').as_uri()} {witness.setting}"
    for name, value in (
        ("DATABASE_URL", settings.database_url.get_secret_value()),
        ("HOME", str(settings.home)),
        ("WITNESSES", places),
        ("WITNESS_SECONDS", "0.1"),
        ("POLL_SECONDS", "0.2"),
    ):
        monkeypatch.setenv(f"LEDGER_{name}", value)
    return Settings()


@pytest.fixture
def program(settings: Settings, witness: Witness) -> Iterator[Program]:
    """One that seals, projects nothing, and has told the witness of its key."""
    with running(settings, project=False, sealing=False) as program, program.database.connect() as connection:
        witness.knows(signer(connection, settings).verifier)
    with running(settings, project=False, sealing=True) as program:
        yield program


@pytest.fixture
def append(program: Program, tell: Callable[..., Claim]) -> Callable[[int], int]:
    """Appends requirements and waits until both witnesses hold them; the size that they hold."""
    told = 0

    def more(count: int) -> int:
        nonlocal told
        units = [
            [tell("requirement.captured", f"R{number}", {"source_kind": "form"})]
            for number in range(told, told + count)
        ]
        told += count
        assert all(isinstance(outcome, list) for outcome in program.ledger.append(units, "key"))
        size, until = program.ledger.head().position, time.monotonic() + 20
        while [each.size for each in program.witnesses()] != [size, size]:
            assert time.monotonic() < until, program.witnesses()
            time.sleep(0.02)
        return size

    return more


def test_what_witnesses_sign_is_served_with_the_checkpoint(
    program: Program, witness: Witness, append: Callable[[int], int], client_of: Callable[..., httpx.Client]
) -> None:
    size = append(3)
    client, cosigner = client_of(), Cosigner.read(witness.verifier)
    told = client.get("/v1/seal").json()
    (verifier,) = (Verifier.read(each) for each in told["verifiers"])
    note = client.get("/checkpoint").text
    assert opened(note, [verifier]).size == size
    assert cosigner.cosignature(Note.read(note)) is not None
    assert told["cosigned"] == told["checkpoint"]
    assert told["checkpoint"]["note"] == note
    assert told["renamings"] == []
    proof = client_of("auditor").get("/v1/proofs/inclusion", params={"position": 1, "format": "tlog-proof"}).text
    assert proof.endswith(f"\n\n{note}")


def test_health_and_measurements_tell_how_far_each_witness_is(
    program: Program, witness: Witness, append: Callable[[int], int], client_of: Callable[..., httpx.Client]
) -> None:
    size = append(3)
    ready = client_of().get("/readyz").json()["witnesses"]
    assert {each["kind"]: each["size"] for each in ready} == {"file": size, "witness": size}
    assert all(each["lag_positions"] == 0 and each["error"] is None for each in ready)
    auditor = client_of("auditor")
    told = auditor.get("/metrics").text
    assert f'ledger_witness_size{{witness="{witness.name}"}} {size}.0' in told
    assert f'ledger_witness_failing{{witness="{witness.name}"}} 0.0' in told
    assert f'ledger_witness_lag_seconds{{witness="{witness.name}"}} 0.0' in told


def test_the_command_line_shows_verifies_and_renames(
    program: Program, witness: Witness, append: Callable[[int], int], run: Callable[..., Any], tmp_path: Path,
    database: str,
) -> None:  # fmt: skip
    size = append(3)
    shown = run("seal", "witnesses")
    assert witness.name in shown.out
    assert str(tmp_path / "held.checkpoint") in shown.out.replace("\n", "")
    assert {each["size"] for each in run("seal", "witnesses", "--json").json} == {size}
    found = {each["found"]: each for each in run("doctor", "--json").json if each["check"] == "witness"}
    assert len(found) == 2
    assert all(each["verdict"] == "ok" and f"of {size} entries" in told for told, each in found.items())
    kept = tmp_path / "held.checkpoint"
    with served(program) as address:
        ran = run("verify", "--checkpoint", str(kept), "--checkpoint", f"{address}/checkpoint")
        assert (ran.status, "Nothing was altered." in ran.out) == (0, True), ran
        assert f"cosignatures of {witness.name}, the newest over {size} entries." in ran.out
        assert "it answered 404" in run("verify", "--checkpoint", f"{address}/nothing").err
    assert "cannot be read" in run("verify", "--checkpoint", str(tmp_path / "nothing")).err

    assert run("seal", "rename", "--reason", " ", "--yes").status == 1
    ran = run("seal", "rename", "--reason", "the disk of 2026 is lost", "--yes")
    assert ran.status == 0, ran
    assert "/2+" in ran.out
    assert "the disk of 2026 is lost" in run("seal", "show").out
    assert "the disk of 2026 is lost" in run("verify").out
    (told,) = (each for each in run("doctor", "--json").json if each["check"] == "name")
    assert (told["verdict"], "the disk of 2026 is lost" in told["found"]) == ("note", True)
    with psycopg.connect(database) as connection:
        assert len(verifiers(connection)) == 2
