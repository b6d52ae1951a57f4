"""Checkpoints held outside: given to files, webhooks and witnesses, cosigned, and held against a log set back."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection, sql
from psycopg.conninfo import conninfo_to_dict

from ledger.claims import Claim
from ledger.errors import LedgerError
from ledger.log.application import Ledger
from ledger.seal import keys
from ledger.seal.cosigning import Cosigner
from ledger.seal.keys import rename, renew, signer, verifiers
from ledger.seal.notes import Note, Signer, opened
from ledger.seal.outside import Witnessed, cosigned, renamings, witnessed
from ledger.seal.sealing import Sealer, status
from ledger.seal.tiles import last_signed, signed_of
from ledger.settings import Settings
from replays.verifying import Held, verify
from tests.seal.test_sealing import await_size, await_state, size_of
from tests.seal.witness import Witness

Tell = Callable[..., Claim]
PROCESS = Path(__file__).with_name("sealing_process.py")


@pytest.fixture
def witness() -> Iterator[Witness]:
    with Witness().served() as served:
        yield served


@pytest.fixture
def restore(postgres: str, database: str) -> Iterator[Callable[[], Callable[[], None]]]:
    """Backs the test's database up as it stands; the result puts it back so."""
    name, made = conninfo_to_dict(database)["dbname"], []

    def execute(*statements: sql.Composed) -> None:
        with psycopg.connect(postgres, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def copy(source: str, target: str) -> None:
        parts = sql.Identifier(target), sql.Identifier(source)
        execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(parts[0]),
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*parts),
        )

    def back_up() -> Callable[[], None]:
        kept = f"ledger_backup_{uuid.uuid4().hex[:12]}"
        made.append(kept)
        copy(str(name), kept)
        return lambda: copy(kept, str(name))

    yield back_up
    for each in made:
        execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(each)))


@pytest.fixture
def run(settings: Settings, tell: Tell) -> Callable[..., Any]:
    """Runs a process of the ledger, as it were, with these witnesses: a context of a ledger that seals."""

    @contextmanager
    def running(*places: str, **more: Any) -> Iterator[Ledger]:
        more = {"witnesses": " ".join(places), "witness_seconds": 0.1, "seal_seconds": 0.02} | more
        changed = Settings(database_url=settings.database_url, home=settings.home, poll_seconds=0.1, **more)
        with Ledger.open(changed) as ledger, ledger.waker() as waker:
            sealer = Sealer(ledger.database, waker)
            sealer.start()
            try:
                yield ledger
            finally:
                sealer.stop()

    return running


def put(ledger: Ledger, tell: Tell, count: int, text: str = "told") -> None:
    """Append so many events and wait for nothing."""
    units = [
        [tell("requirement.captured", uuid.uuid4().hex, {"source_kind": "form", "statement": text})]
        for _ in range(count)
    ]
    assert all(isinstance(outcome, list) for outcome in ledger.append(units, "key"))


def known(ledger: Ledger, witness: Witness) -> None:
    """Tell a witness of a ledger's key, made where it has none yet."""
    with ledger.database.connect() as connection:
        signer(connection, ledger.settings)
        witness.knows(*verifiers(connection))


def held(ledger: Ledger) -> dict[str, Witnessed]:
    with ledger.database.reading() as connection:
        return {each.kind: each for each in witnessed(connection)}


def await_held(ledger: Ledger, reached: Callable[[dict[str, Witnessed]], bool]) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        # before the first word of a witness there is none
        with suppress(KeyError):
            if reached(held(ledger)):
                return
        time.sleep(0.02)
    raise AssertionError(held(ledger))


def await_refused(ledger: Ledger, said: str) -> str:
    await_state(ledger, lambda now: now.halted_by is not None and said in now.halted_by)
    with ledger.database.reading() as connection:
        return status(connection).halted_by or ""


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


@pytest.mark.parametrize("place", ["file", "witness that shows", "witness that does not"])
def test_after_a_restore_nothing_is_signed_that_contradicts_what_is_held(
    run: Any, tell: Tell, restore: Any, witness: Witness, tmp_path: Path, place: str
) -> None:
    witness.shows = place != "witness that does not"
    file = tmp_path / "held.checkpoint"
    setting = file.as_uri() if place == "file" else witness.setting
    with run(setting) as ledger:
        known(ledger, witness)
        put(ledger, tell, 40)
        await_held(ledger, lambda now: any(each.size == 40 for each in now.values()))
    put_back = restore()
    with run(setting) as ledger:
        put(ledger, tell, 30, "told once")
        await_held(ledger, lambda now: any(each.size == 70 for each in now.values()))
        good = file.read_text("utf-8") if place == "file" else witness.last[next(iter(witness.logs))][1]
    put_back()
    # it has fewer entries than were signed, then others
    for count in (0, 10, 100):
        with run(setting) as ledger:
            put(ledger, tell, count, "told otherwise")
            cause = await_refused(ledger, "70")
            assert "reqledger seal rename" in cause
            assert ("file://" if place == "file" else witness.name) in cause
            assert (size_of(ledger), ledger.head().position) == (40, 40 + (count and (count + (count > 10) * 10)))
            if place != "witness that does not":
                assert [each.what for each in verify(ledger).findings], "what was found is kept as evidence"
            assert verify(ledger, [Held("kept", good)]).findings
    # the place is gone, and what was found there is not forgotten
    if place != "witness that does not":
        file.unlink(missing_ok=True)
        with run() as ledger:
            await_refused(ledger, "70")
    else:
        witness.instead = lambda *_: (503, "text/plain", b"")
        with run(setting) as ledger:
            await_refused(ledger, "70")
            put(ledger, tell, 1)
            time.sleep(0.3)
            assert size_of(ledger) == 40
            # what it said was said of the log under the name it had
            with ledger.database.connect() as connection:
                rename(connection, ledger.settings, "lost with a disk", "example.com/ledger-of-2027")
            await_size(ledger, ledger.head().position)


def test_a_log_that_lost_only_checkpoints_goes_on(run: Any, tell: Tell, restore: Any, witness: Witness) -> None:
    """A backup may hold entries that were sealed only after it was taken."""
    with run(witness.setting) as ledger:
        known(ledger, witness)
        put(ledger, tell, 5)
        await_held(ledger, lambda now: now["witness"].size == 5)
    with run_unsealed(run) as ledger:
        put(ledger, tell, 300)
    put_back = restore()
    with run(witness.setting) as ledger:
        await_held(ledger, lambda now: now["witness"].size == 305)
    put_back()
    with run(witness.setting) as ledger:
        put(ledger, tell, 5)
        await_held(ledger, lambda now: now["witness"].size == 310 and now["witness"].error is None)
        assert verify(ledger).findings == []


def test_a_log_set_back_under_a_running_server_signs_nothing_more(
    run: Any, tell: Tell, restore: Any, witness: Witness, tmp_path: Path
) -> None:
    witness.shows = False
    file = tmp_path / "held.checkpoint"
    with run() as ledger:
        known(ledger, witness)
        put(ledger, tell, 2)
        await_size(ledger, 2)
    put_back = restore()
    for setting in (file.as_uri(), witness.setting):
        with run(setting) as ledger:
            put(ledger, tell, 2)
            await_held(ledger, lambda now: {each.size for each in now.values()} == {4})
            put_back()
            put_again(ledger, tell, 5)
            await_refused(ledger, "4")
            assert size_of(ledger) == 2
        file.unlink(missing_ok=True)
        put_back()


def test_a_checkpoint_by_a_key_that_was_renewed_after_the_backup(
    run: Any, tell: Tell, restore: Any, tmp_path: Path
) -> None:
    file = tmp_path / "held.checkpoint"
    with run(file.as_uri()) as ledger:
        put(ledger, tell, 2)
        await_held(ledger, lambda now: now["file"].size == 2)
        with ledger.database.connect() as connection:
            place = keys.Place.of(connection, ledger.settings).path
    first, put_back = place.read_text(), restore()
    with run(file.as_uri()) as ledger:
        with ledger.database.connect() as connection:
            renew(connection, ledger.settings)
        put(ledger, tell, 2)
        await_held(ledger, lambda now: now["file"].size == 4)
    put_back()
    place.write_text(first)
    with run(file.as_uri()) as ledger:
        put(ledger, tell, 5)
        await_refused(ledger, "by a key that this database does not know")
        assert size_of(ledger) == 2
        # a claim counts as long as it is made
        file.unlink()
        await_size(ledger, 7)


def put_again(ledger: Ledger, tell: Tell, count: int) -> None:
    """Append once the database answers again."""
    until = time.monotonic() + 20
    while True:
        try:
            put(ledger, tell, count, "told otherwise")
            return
        except (AssertionError, LedgerError):
            assert time.monotonic() < until
            time.sleep(0.1)


def test_a_log_goes_on_under_another_name_and_says_so(
    run: Any, tell: Tell, restore: Any, witness: Witness, tmp_path: Path
) -> None:
    file = tmp_path / "held.checkpoint"
    with run(file.as_uri(), witness.setting) as ledger:
        known(ledger, witness)
        put(ledger, tell, 4)
        await_held(ledger, lambda now: {each.size for each in now.values()} == {4})
    put_back = restore()
    with run(file.as_uri(), witness.setting) as ledger:
        put(ledger, tell, 4)
        await_held(ledger, lambda now: {each.size for each in now.values()} == {8})
    lost = file.read_text("utf-8")
    put_back()
    with run(file.as_uri(), witness.setting) as ledger:
        put(ledger, tell, 1)
        await_refused(ledger, "was set back")
        with ledger.database.connect() as connection:
            former = verifiers(connection)[-1]
            made = rename(connection, ledger.settings, "the disk of 2026-11-20 is lost")
            assert made.name == f"{former.name}/2"
        # the running server takes the new key by itself
        await_size(ledger, 5)
        await_held(ledger, lambda now: now["file"].size == 5)
        await_held(ledger, lambda now: "does not know this log" in (now["witness"].error or ""))
        witness.knows(made.verifier)
        put(ledger, tell, 1)
        await_held(ledger, lambda now: now["witness"].size == 6)
        report = verify(ledger)
        assert report.findings == []
        assert report.renamed
        assert "the disk of 2026-11-20 is lost" in report.renamed[0]
        with ledger.database.connect() as connection:
            (told,) = renamings(connection)
            assert (told.origin, told.former, told.size) == (made.name, former.name, 4)
        # whoever kept what was lost still shows it
        assert [each.what for each in verify(ledger, [Held("kept", lost)]).findings]
    assert opened(file.read_text("utf-8"), [made.verifier]).size == 6
    (aside,) = tmp_path.glob("held.checkpoint.*")
    assert aside.read_text("utf-8") == lost
    with run(file.as_uri(), witness.setting) as ledger:
        put(ledger, tell, 1)
        await_size(ledger, 7)


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
def run_unsealed(run: Any) -> Iterator[Ledger]:
    """A ledger that takes events while nothing seals."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Sealer, "start", lambda _: None)
        with run() as ledger:
            yield ledger


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
