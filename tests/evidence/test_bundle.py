"""An evidence bundle is checked by the program in it, alone; altered in any byte, it fails and says where."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import random
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import cryptography
import httpx
import pytest

from api.bootstrap import Program, running
from api.cli.client import in_process
from api.evidence import verify as verifier
from api.evidence.container import packed
from ledger.claims import Claim
from ledger.privacy import erasing
from ledger.seal.keys import signer, verifiers
from ledger.seal.notes import Signer
from ledger.settings import Settings

CONTACT = {"channel": "email", "department": "front_desk", "kind": "complaint"}
REQUIREMENT = {"channel": "email", "source_kind": "contact", "expression": "explicit"}


@pytest.fixture
def program(settings: Settings) -> Iterator[Program]:
    with running(settings, project=True) as program:
        yield program


@pytest.fixture
def told(program: Program, tell: Callable[..., Claim]) -> Program:
    """A requirement with its contact, a void, and another customer's."""
    unit = [
        tell("customer.registered", "ann", {"name": "Ann Quince <b>", "stage": "customer"}),
        tell("contact.received", "C1", CONTACT | {"customer_id": "ann", "message": '门是红色的 "so"\n\x01'}),
        tell(
            "requirement.captured",
            "R1",
            REQUIREMENT | {"contact_id": "C1", "statement": "a red door"},
            reason="as asked",
        ),
        tell("requirement.classified", "R1", {"kano": "performance", "archive_class": "new_feature"}),
        tell("contact.received", "C2", CONTACT | {"customer_id": "bob", "message": "Bob"}),
    ]
    assert isinstance(program.ledger.append([unit], "key")[0], list)
    void = tell("record.voided", "R1", {"voided_position": program.ledger.head().position - 1}, reason="wrong")
    assert isinstance(program.ledger.append([[void]], "key")[0], list)
    return program


@pytest.fixture
def client(told: Program) -> Iterator[httpx.Client]:
    with in_process(told.asgi, told.ledger.keys.create("auditor", "reads")[1]) as client:
        until = time.monotonic() + 60
        while told.projected_position() < told.ledger.head().position:
            assert time.monotonic() < until
            time.sleep(0.05)
        yield client


@pytest.fixture
def bundle(client: httpx.Client) -> bytes:
    answer = client.get("/v1/evidence/requirement/R1")
    assert answer.status_code == 200, answer.text
    return answer.content


def files(bundle: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def failure(bundle: bytes, key: str | None = None) -> str | None:
    """What the verifier finds wrong; None where nothing is."""
    try:
        verifier.verify(bundle, key, lambda _: None)
    except verifier.Failed as failed:
        return str(failed)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        return f"{type(error).__name__}: {error}"
    return None


def test_the_verifier_in_it_needs_nothing_else(bundle: bytes, told: Program, tmp_path: Path) -> None:
    (tmp_path / "bundle.zip").write_bytes(bundle)
    (tmp_path / "verify.py").write_bytes(files(bundle)["verify.py"])
    with told.ledger.database.connect() as connection:
        key = verifiers(connection)[-1].text
    site = Path(cryptography.__file__).parents[1]
    run = [sys.executable, "-S", "-c", f"import sys, runpy; sys.path.append({str(site)!r}); "]
    run[-1] += "sys.argv = ['verify.py', *sys.argv[1:]]; runpy.run_path('verify.py', run_name='__main__')"
    done = subprocess.run([*run, "bundle.zip", "--key", key], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "5 entries are in that log" in done.stdout
    assert "3 of them are the subject's own, numbered without a gap" in done.stdout
    assert re.search(r"the history says what the entries say; \d encrypted texts open to what it shows", done.stdout)
    assert "Not checked" not in done.stdout
    (tmp_path / "bundle.zip").write_bytes(bundle[:-1])
    done = subprocess.run([*run, "bundle.zip"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout.startswith("FAILED") or "\nFAILED" in done.stdout
    assert subprocess.run([*run, "none.zip"], cwd=tmp_path, capture_output=True, check=False).returncode == 2


def test_it_holds_what_happened_and_what_proves_it(bundle: bytes, told: Program) -> None:
    held = files(bundle)
    for position in (3, 4, 5, 7):
        assert held[f"entries/{position:012}.json"] == told.ledger.entry_bytes(position)
    assert "entries/000000000006.json" not in held, "another customer's"
    page = held["history.html"].decode()
    assert "a red door" in page
    assert "门是红色的" in page
    assert "<s>" in page
    assert "default-src 'none'" in page
    assert "<script" not in page
    assert len(json.loads(held["figures.json"])["figures"]) > 10
    assert all(json.loads(one["stamp"])["position"] <= 7 for one in json.loads(held["figures.json"])["figures"])
    assert failure(bundle) is None


def test_every_byte_counts(bundle: bytes) -> None:
    """All bytes around the files and of the signed ones, and of the others one in seventeen; each flipped by a bit."""
    random_bits = random.Random(7)
    own = [name for name in files(bundle) if name not in ("history.html", "figures.json", "verify.py")]
    inside = bytearray(len(bundle))
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        for info in archive.infolist():
            first = info.header_offset + 30 + len(info.filename)
            if info.filename not in own:
                inside[first : first + info.file_size] = b"\x01" * info.file_size
    places = [at for at in range(len(bundle)) if not inside[at] or random_bits.random() < 1 / 170]
    if len(places) > 6_000:
        places = random_bits.sample(places, 6_000)
    for at in places:
        altered = bytearray(bundle)
        altered[at] ^= 1 << random_bits.randrange(8)
        wrong = failure(bytes(altered))
        assert wrong, at


def test_the_place_is_named(bundle: bytes) -> None:
    held = files(bundle)
    for name in (
        "history.html",
        "entries/000000000003.json",
        "proofs.json",
        "figures.json",
        "checkpoint",
        "README.txt",
    ):
        at = bundle.index(held[name]) + 5
        altered = bytearray(bundle)
        altered[at] ^= 1
        assert name in (failure(bytes(altered)) or ""), name
        # put into a zip of its own, so that the container's own check says nothing
        content = bytearray(held[name])
        content[5] ^= 1
        assert failure(packed(held | {name: bytes(content)})) == f"{name}: was altered"
        assert failure(packed({one: each for one, each in held.items() if one != name})) is not None
    assert failure(packed(held | {"more": b"x"})) == "more: is not in the manifest"
    swapped = held | {"history.json": held["figures.json"], "figures.json": held["history.json"]}
    assert failure(packed(swapped)) == "history.json: was altered"
    assert "outside of all files" in (failure(bundle + b"x") or "")
    assert "outside of all files" in (failure(b"x" + bundle) or "")


def test_what_is_signed_by_another_key_is_refused(bundle: bytes, told: Program) -> None:
    other = Signer.make("ledger.example/other")
    assert "no signature of the ledger's key" in (failure(bundle, other.verifier.text) or "")
    with told.ledger.database.connect() as connection:
        mine = signer(connection, told.ledger.settings)
    # the signature is good, and in base64 that differs in bits that say nothing
    held = files(bundle)
    note = held["manifest.note"].decode()
    assert note.rstrip().endswith("=")
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    last = note.rstrip()[-2]
    changed = note.replace(f"{last}=\n", f"{letters[letters.index(last) ^ 1]}=\n")
    assert base64.b64decode(changed.split()[-1]) == base64.b64decode(note.split()[-1])
    assert (
        failure(packed(held | {"manifest.note": changed.encode()})) == "manifest.note: is base64 written in another way"
    )
    twice = mine.sign("x\n").splitlines()[-1]
    assert failure(packed(held | {"manifest.note": (note + twice + "\n").encode()})) is not None


def test_whoever_signs_lies_is_found_out_by_the_proofs(bundle: bytes, told: Program) -> None:
    """The ledger's owner makes a bundle up, and signs it: entries must be in the log all the same."""
    held = files(bundle)
    with told.ledger.database.connect() as connection:
        key = signer(connection, told.ledger.settings)

    def resigned(**changed: bytes) -> bytes:
        made = held | {name.replace("__", "/"): content for name, content in changed.items()}
        manifest = json.loads(held["manifest.json"])
        manifest["files"] = {
            name: hashlib.sha256(content).hexdigest()
            for name, content in made.items()
            if not name.startswith("manifest.")
        }
        made["manifest.json"] = json.dumps(manifest).encode()
        digest = hashlib.sha256(made["manifest.json"]).hexdigest()
        text = f"requirements-ledger evidence bundle\n{key.name}\nsha256:{digest}\n"
        return packed(made | {"manifest.note": key.sign(text).encode()})

    assert failure(resigned()) is None
    entry = held["entries/000000000004.json"].replace(b"explicit", b"implicit")
    forged = resigned(**{"entries/000000000004.json": entry})
    assert failure(forged) == "entries/000000000004.json: is not the entry that is proven"
    history = held["history.json"].replace(b"a red door", b"a red wall")
    assert failure(resigned(**{"history.json": history})) == "history.json, position 4: statement is not the entry's"
    figures = json.loads(held["figures.json"])
    figures["figures"][0]["stamp"] = figures["figures"][0]["stamp"].replace('"position":7', '"position":70')
    assert "stands beyond the checkpoint" in (failure(resigned(**{"figures.json": json.dumps(figures).encode()})) or "")
    proofs = json.loads(held["proofs.json"])
    proofs[1]["hashes"][0] = base64.b64encode(bytes(32)).decode()
    assert "is not in the log of the checkpoint" in (
        failure(resigned(**{"proofs.json": json.dumps(proofs).encode()})) or ""
    )


def test_without_texts_nothing_personal_is_in_it(client: httpx.Client, told: Program) -> None:
    made = client.get("/v1/evidence/requirement/R1?texts=false").content
    assert failure(made) is None
    for name, content in files(made).items():
        assert not any(each.encode() in content for each in ("red door", "Quince", "门是红色的", "as asked")), name


def test_what_was_erased_is_said_to_be(client: httpx.Client, told: Program) -> None:
    erasing.ask(told.ledger, "ann", basis="GDPR Art. 17", request_id="dsr-1", by="asks")
    erasing.approve(told.ledger, "ann", by="approves")
    made = client.get("/v1/evidence/requirement/R1").content
    assert failure(made) is None
    page = files(made)["history.html"].decode()
    assert "a red door" not in page
    assert "GDPR Art. 17" in page
    assert "已删除" in page


def test_of_what_nothing_is_known(client: httpx.Client) -> None:
    assert client.get("/v1/evidence/requirement/none").status_code == 404
    assert client.get("/v1/evidence/nothing/R1").status_code == 404


def test_a_ledger_that_keeps_texts_as_told_withholds_whole_entries(
    new_database: Callable[[], str], tmp_path: Path, tell: Callable[..., Claim]
) -> None:
    settings = Settings(database_url=new_database(), home=tmp_path, encrypt=False)
    with running(settings, project=True) as program:
        said = tell("requirement.captured", "R1", REQUIREMENT | {"statement": "a red door"})
        assert isinstance(program.ledger.append([[said]], "key")[0], list)
        with in_process(program.asgi, program.ledger.keys.create("auditor", "reads")[1]) as client:
            whole = client.get("/v1/evidence/requirement/R1").content
            without = client.get("/v1/evidence/requirement/R1?texts=false").content
    assert failure(whole) is None
    assert failure(without) is None
    assert b"red door" in files(whole)["entries/000000000002.json"]
    assert "entries/000000000002.json" not in files(without)
    assert not any(b"red door" in content for content in files(without).values())
