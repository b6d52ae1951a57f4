"""Checkpoints given to files, webhooks and witnesses, which cosign them."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from ledger.seal.cosigning import Cosigner
from ledger.seal.keys import verifiers
from ledger.seal.notes import Note, Signer, opened
from ledger.seal.outside import cosigned, witnessed
from ledger.seal.tiles import last_signed, signed_of
from ledger.settings import Settings
from replays.verifying import Held, verify
from tests.seal.holding import Tell, await_held, held, known, put
from tests.seal.test_sealing import await_size
from tests.seal.witness import Witness

PROCESS = Path(__file__).with_name("sealing_process.py")


def test_a_checkpoint_goes_to_a_file_a_webhook_and_a_witness(
    run: Any, tell: Tell, witness: Witness, tmp_path: Path, settings: Settings
) -> None:
    posted: list[str] = []
    file = tmp_path / "held.checkpoint"
    with webhook(posted) as address, run(file.as_uri(), address, witness.setting) as ledger:
        known(ledger, witness)
        for count in (3, 300, 5):
            put(ledger, tell, count)
            size = ledger.head().position
            await_held(ledger, lambda now: {each.size for each in now.values()} == {size})  # noqa: B023
        assert all(each.error is None and not each.lag_positions for each in held(ledger).values())
        with ledger.database.connect() as connection:
            newest = last_signed(connection)
            assert newest is not None
            assert newest.size == 308
            assert file.read_text("utf-8") == posted[-1] == newest.note
            cosigner = Cosigner.read(witness.verifier)
            note = Note.read(cosigned(connection, newest))
            assert opened(cosigned(connection, newest), verifiers(connection)).size == 308
            kept = cosigner.cosignature(note)
            assert kept is not None
            assert abs(kept.time - time.time()) < 60
        report = verify(ledger)
        assert report.findings == []
        assert report.cosigners == [witness.name]
        assert report.cosigned == 308
    assert not list(tmp_path.glob("*.unfinished"))
    assert "/hook" not in repr(held), "the path of a webhook is nobody's business"


def test_many_checkpoints_become_few_and_the_newest(run: Any, tell: Tell, witness: Witness) -> None:
    with run(witness.setting, witness_seconds=0.5) as ledger:
        known(ledger, witness)
        put(ledger, tell, 1)
        for _ in range(20):
            put(ledger, tell, 1)
            time.sleep(0.05)
        await_held(ledger, lambda now: now["witness"].size == 21)
    assert witness.last[next(iter(witness.logs))][0].size == 21
    assert len([each for each in witness.asked if each == ("POST", 200)]) <= 6


def test_killed_between_the_witness_and_keeping_what_it_signed(
    run: Any, tell: Tell, witness: Witness, database: str, superuser: Connection[Any]
) -> None:
    with run(witness.setting) as ledger:
        known(ledger, witness)
        put(ledger, tell, 3)
        await_held(ledger, lambda now: now["witness"].size == 3)
        # the witness signs, and its signature never arrives in the database
        superuser.execute("ALTER TABLE log.cosignatures ADD CONSTRAINT killed CHECK (size < 4) NOT VALID")
        put(ledger, tell, 3)
        await_held(ledger, lambda now: "database" in (now["witness"].error or "") or witness_size(witness) == 6)
        await_size(ledger, 6)
    assert witness_size(witness) == 6
    superuser.execute("ALTER TABLE log.cosignatures DROP CONSTRAINT killed")
    for count in (0, 2):
        with run(witness.setting) as ledger:
            put(ledger, tell, count)
            size = ledger.head().position
            await_held(ledger, lambda now: now["witness"].size == size and now["witness"].error is None)  # noqa: B023
            with ledger.database.connect() as connection:
                signed = signed_of(connection, size)
                assert signed is not None
                assert witness.name in cosigned(connection, signed)


def witness_size(witness: Witness) -> int:
    return max((checkpoint.size for checkpoint, _ in witness.last.values()), default=0)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((200, "text/plain", b"garbage"), "no good cosignature"),
        ((200, "text/plain", b"\xff\xfe\x00"), "not text"),
        ((200, "text/plain", b"x" * 100_000), "more than"),
        ((200, "text/plain", b""), "without a cosignature"),
        ((302, "text/plain", b""), "302"),
        ((500, "text/plain", b""), "500"),
        ((409, "text/x.tlog.size", b"many\n"), "409"),
        ((409, "text/html", b"70\n"), "409"),
        ((404, "text/plain", b""), "does not know this log"),
        ((403, "text/plain", b""), "does not know the log's key"),
    ],
    ids=str,
)
def test_what_a_witness_answers_wrongly_is_not_kept_and_stops_nothing(
    run: Any, tell: Tell, witness: Witness, answer: tuple[int, str, bytes], said: str
) -> None:
    witness.instead = lambda *_: answer
    with run(witness.setting) as ledger:
        known(ledger, witness)
        put(ledger, tell, 2)
        await_size(ledger, 2)
        await_held(ledger, lambda now: said in (now["witness"].error or ""))
        put(ledger, tell, 2)
        await_size(ledger, 4)
        assert verify(ledger).cosignatures == 0
        witness.instead = lambda *_: None
        await_held(ledger, lambda now: now["witness"].size == 4)


def test_a_cosignature_of_another_key_is_not_kept(run: Any, tell: Tell, witness: Witness) -> None:
    with Witness().served() as other:
        with run(f"{other.address}#{witness.verifier}") as ledger:
            known(ledger, other)
            put(ledger, tell, 2)
            # it has the same name, and another key
            await_held(ledger, lambda now: "without a cosignature of the key" in (now["witness"].error or ""))
            assert verify(ledger).cosignatures == 0
        other.instead = lambda path, _: (
            (200, "text/plain", forged(witness)) if path.endswith("add-checkpoint") else None
        )
        with run(f"{other.address}#{witness.verifier}") as ledger:
            await_held(ledger, lambda now: "no good cosignature" in (now["witness"].error or ""))
            assert verify(ledger).cosignatures == 0


def forged(witness: Witness) -> bytes:
    """A cosignature of the right key, over something else."""
    return witness.cosigned("something else\n1\nAAAA\n").encode()


def test_a_dead_or_slow_place_delays_neither_appends_nor_sealing(
    run: Any, tell: Tell, witness: Witness, tmp_path: Path
) -> None:
    gate = threading.Event()

    def slow(*_: Any) -> None:
        gate.wait(30)

    with Witness(name="dead.example/w1").served() as dead:
        gone = dead.setting
    nowhere = (tmp_path / "no folder" / "held.checkpoint").as_uri()
    # the very first signature waits for a few seconds to learn what is held, and no longer
    with run(witness.setting, gone, nowhere) as ledger:
        known(ledger, witness)
        put(ledger, tell, 1)
        await_held(ledger, lambda now: now["witness"].size == 1)
        witness.instead = slow  # type: ignore[assignment]
        took = []
        for _ in range(5):
            began = time.monotonic()
            put(ledger, tell, 1)
            await_size(ledger, ledger.head().position)
            took.append(time.monotonic() - began)
        assert max(took) < 2
        with ledger.database.reading() as connection:
            told = {each.name: each for each in witnessed(connection)}
        assert "does not answer" in (told["dead.example/w1"].error or "")
        assert "cannot be written" in (told[nowhere.replace("%20", " ")].error or "")
        gate.set()


def test_a_start_waits_for_a_silent_witness_only_so_long(
    run: Any, tell: Tell, witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.seal.witnesses.LOOK_SECONDS", 3.0)
    gate = threading.Event()
    witness.instead = lambda *_: gate.wait(30) and None
    began = time.monotonic()
    with run(witness.setting) as ledger:
        put(ledger, tell, 3)
        assert time.monotonic() - began < 3, "an append waits for no witness"
        await_size(ledger, 3)
        assert 3 <= time.monotonic() - began < 10
        gate.set()


def test_what_else_stands_in_the_file_is_not_replaced(run: Any, tell: Tell, tmp_path: Path) -> None:
    file = tmp_path / "held.checkpoint"
    stranger = Signer.make("example.com/other").sign("example.com/other\n7\n" + "A" * 43 + "=\n")
    for text in ("a letter", stranger, "x" * 70_000):
        file.write_text(text, "utf-8")
        with run(file.as_uri()) as ledger:
            put(ledger, tell, 1)
            await_size(ledger, ledger.head().position)
            await_held(ledger, lambda now: now["file"].error is not None)
        assert file.read_text("utf-8") == text
    file.unlink()
    with run(file.as_uri()) as ledger:
        await_held(ledger, lambda now: now["file"].size == 3)


def test_two_processes_and_one_that_gives(run: Any, tell: Tell, witness: Witness, tmp_path: Path) -> None:
    file = tmp_path / "held.checkpoint"
    with ExitStack() as stack:
        first = stack.enter_context(run(file.as_uri(), witness.setting))
        known(first, witness)
        with run(file.as_uri(), witness.setting) as second:
            for _ in range(5):
                put(second, tell, 10)
                put(first, tell, 10)
            await_held(first, lambda now: {each.size for each in now.values()} == {100})
        put(first, tell, 1)
        await_held(first, lambda now: {each.size for each in now.values()} == {101})
        assert verify(first).findings == []
    assert not [each for each in witness.asked if each[1] == 422]


def test_killed_processes_leave_nothing_that_contradicts(
    run: Any, tell: Tell, settings: Settings, database: str, witness: Witness, tmp_path: Path
) -> None:
    file = tmp_path / "held.checkpoint"
    with run() as ledger:
        known(ledger, witness)
    for turn in range(3):
        places = f"{file.as_uri()} {witness.setting}"
        process = subprocess.Popen(
            [sys.executable, str(PROCESS), database, str(settings.home), f"w{turn}", places],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert process.stdout is not None
        assert process.stdout.readline()
        time.sleep(0.5 + turn / 5)
        process.kill()
        process.wait()
        process.stdout.close()
    with run(file.as_uri(), witness.setting) as ledger:
        size = ledger.head().position
        await_held(ledger, lambda now: {each.size for each in now.values()} == {size})
        report = verify(ledger, [Held("file", file.read_text("utf-8"))])
        assert report.findings == []
        assert report.cosignatures > 0
    assert not [each for each in witness.asked if each[0] == "POST" and each[1] in (400, 403, 404, 422)]


def test_a_kept_cosignature_that_somebody_changed_is_found(
    run: Any, tell: Tell, witness: Witness, superuser: Connection[Any]
) -> None:
    with run(witness.setting) as ledger:
        known(ledger, witness)
        put(ledger, tell, 2)
        await_held(ledger, lambda now: now["witness"].size == 2)
        with pytest.raises(psycopg.Error, match="append"), ledger.database.connect() as connection:
            connection.execute("DELETE FROM log.cosignatures")
        superuser.execute("ALTER TABLE log.cosignatures DISABLE TRIGGER ALL")
        superuser.execute("UPDATE log.cosignatures SET signature = set_byte(signature, 3, 77)")
        (found,) = verify(ledger).findings
        assert "a witness's signature under the checkpoint of size 2" in found.what


@contextmanager
def webhook(posted: list[str]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(self.rfile.read(int(self.headers["content-length"])).decode())
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook/secret"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
