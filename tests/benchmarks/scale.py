"""Long logs: a simulated history many times over, rebuilt end to end, beside a bare COPY of what comes out."""

from __future__ import annotations

import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice

import psutil
from psycopg import sql

from api.sending import Direct
from api.simulator.company import company
from api.simulator.playing import play
from ledger.events import CATALOGUE
from ledger.log.application import Ledger
from projections import generations
from projections.keeping import keep
from projections.statements import create_indexes
from projections.tables import TABLES
from replays.archive.reading import Archive
from replays.archive.writing import write
from replays.rebuild import rebuild
from tests.benchmarks.replaying import EVENTS_PER_CONTACT, timed
from tests.benchmarks.running import Bench
from tests.benchmarks.sections import Section, number

HISTORY = 50_000
NAMING = "|".join(
    sorted({field.name for kind in CATALOGUE.values() for field in kind.fields if field.refers_to is not None})
)
# after every id stands a character that JSON text cannot hold, where a copy's number goes
TEMPLATE = f"""
CREATE TEMPORARY TABLE template AS
SELECT position, aggregate, subject, version, type, occurred_at, recorded_at, recorded_by, source, id, voided_position,
       regexp_replace(
           regexp_replace(substr(convert_from(entry, 'UTF8'), position(',' in convert_from(entry, 'UTF8'))),
                          '"(subject|id|{NAMING})":"([^"]+)"', E'"\\\\1":"\\\\2\\x01"', 'g'),
           '"voided_position":[0-9]+', E'"voided_position":\\x02') AS rest
FROM log.entries WHERE position > %s
"""
NAMES = "CREATE TEMPORARY TABLE template_names AS SELECT * FROM log.names WHERE position > %s"
PLACE = "{first} + ({position} - {first} - 1) * {copies} + copy"
ENTRIES = """
INSERT INTO log.entries (position, aggregate, subject, version, type, occurred_at, recorded_at, recorded_by, source, id,
                         voided_position, entry)
SELECT {place}, aggregate, subject || '~' || copy, version, type, occurred_at, recorded_at, recorded_by, source,
       id || '~' || copy, {voided},
       convert_to('{{"position":' || {place}
                  || replace(replace(rest, E'\\x01', '~' || copy), E'\\x02', coalesce(({voided})::text, '')), 'UTF8')
FROM template, generate_series(1, {copies}) AS copies (copy) ORDER BY position, copy
"""
ALL_NAMES = """
INSERT INTO log.names (aggregate, subject, position, field)
SELECT aggregate, subject || '~' || copy, {place}, field
FROM template_names, generate_series(1, {copies}) AS copies (copy)
"""
EMPTY = (
    "ALTER TABLE log.entries DISABLE TRIGGER append_only",
    "ALTER TABLE log.names DISABLE TRIGGER append_only",
    "DELETE FROM log.entries WHERE position > {first}",
    "DELETE FROM log.names WHERE position > {first}",
    "ALTER TABLE log.entries ENABLE ALWAYS TRIGGER append_only",
    "ALTER TABLE log.names ENABLE ALWAYS TRIGGER append_only",
)


HEADER = (
    "events", "from", "seconds", "events/s", "reading", "fold", "fold events/s", "writing, indexing",
    "a bare COPY, indexing", "ratio", "memory MiB",
)  # fmt: skip


def multiply(ledger: Ledger, events: int) -> int:
    """Record a simulated history and put it into the log as often as makes so many events, side by side: subjects and
    ids of their own, times as they were. How many there are then."""
    first = ledger.head().position
    history = islice(company(contacts=max(50, min(events, HISTORY) // EVENTS_PER_CONTACT)), min(events, HISTORY))
    play(Direct(ledger, "benchmark"), list(history))
    copies = max(1, round(events / (ledger.head().position - first)))
    place = sql.SQL(PLACE)
    numbers = {"first": sql.Literal(first), "copies": sql.Literal(copies)}
    places = {
        "place": place.format(position=sql.Identifier("position"), **numbers),
        "voided": place.format(position=sql.Identifier("voided_position"), **numbers),
    }
    with ledger.database.connect() as connection, connection.transaction():
        connection.execute(TEMPLATE.encode(), [first])
        connection.execute(NAMES, [first])
        for statement in EMPTY:
            connection.execute(sql.SQL(statement).format(**numbers))
        connection.execute(sql.SQL(ENTRIES).format(**numbers, **places))
        connection.execute(sql.SQL(ALL_NAMES).format(**numbers, **places))
    with ledger.database.connect() as connection:
        connection.execute("VACUUM ANALYZE log.entries")
        connection.execute("VACUUM ANALYZE log.names")
    return ledger.head().position


@contextmanager
def watched() -> Iterator[list[int]]:
    """The most memory that this process holds meanwhile, in bytes, as the list's only item."""
    most, ended, process = [0], threading.Event(), psutil.Process()

    def watch() -> None:
        while not ended.wait(0.05):
            most[0] = max(most[0], process.memory_info().rss)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield most
    finally:
        ended.set()
        thread.join()


def rebuilt(bench: Bench, sizes: list[int]) -> Section:
    """Logs of several lengths, each rebuilt into a live generation, out of the database and out of an archive."""
    rows, costs = [], []
    for size in sizes:
        with bench.ledger(simulated=True) as ledger, tempfile.TemporaryDirectory(dir=bench.home) as folder:
            events = multiply(ledger, size)
            with ledger.database.connect() as connection:
                keep(connection, generations.live(connection).book_text)
            with timed() as archiving:
                write(ledger, folder)
            for source, archive in (("the log", None), ("an archive", Archive.open(folder))):
                steps = Steps()
                with watched() as most, timed() as rebuilding:
                    rebuild(ledger, compare=False, archive=archive, progress=steps)
                rows.append(_row(source, events, steps, rebuilding.seconds, _bare_copy(ledger, bench), most[0]))
                costs.append((f"{events:,} from {source}: µs an event", 1e6 * rebuilding.seconds / events))
            archived = (f"{events:,}", "(archived)", f"{archiving.seconds:.1f}", number(events / archiving.seconds))
            rows.append((*archived, *[""] * (len(HEADER) - len(archived))))
    return Section(
        "Rebuilding long logs",
        "A simulated history many times over, rebuilt into a live generation: all tables, counters and indexes. "
        "Promised: a fold of 1,000,000 events/s, less than 4 GiB of memory, and in all 1.5 × what a bare COPY of the "
        "same rows with the same indexes takes.",
        HEADER,
        rows,
        costs,
    )


class Steps:
    """How long each step of a rebuild took, told by its progress."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self._step, self._since = "beginning", time.perf_counter()

    def __call__(self, what: str, _done: int, _of: int) -> None:
        now = time.perf_counter()
        self.seconds[self._step.split()[0]] += now - self._since
        self._step, self._since = what, now


def _row(source: str, events: int, steps: Steps, seconds: float, bare: float, memory: int) -> Sequence[str]:
    took = steps.seconds
    fold = took["ordering"] + took["building"]
    writing = took["writing"] + took["indexing"]
    return (
        f"{events:,}", source, f"{seconds:.1f}", number(events / seconds), f"{seconds - fold - writing:.1f}",
        f"{fold:.1f}", number(events / fold), f"{writing:.1f}", f"{bare:.1f}", f"{seconds / bare:.1f} ×",
        number(memory / 2**20),
    )  # fmt: skip


def _bare_copy(ledger: Ledger, bench: Bench) -> float:
    """Seconds that COPY takes for the live rows, from files into tables without indexes, and those indexes after."""
    files = {name: bench.home / f"bare_{name}" for name in (*TABLES, "counters")}
    with ledger.database.connect() as connection, connection.cursor() as cursor:
        live = generations.live(connection)
        connection.execute("CREATE SCHEMA bare")
        for name, file in files.items():
            kept, bare = sql.Identifier(live.schema, name), sql.Identifier("bare", name)
            connection.execute(sql.SQL("CREATE TABLE {} (LIKE {})").format(bare, kept))
            with cursor.copy(sql.SQL("COPY {} TO STDOUT (FORMAT BINARY)").format(kept)) as rows, file.open("wb") as out:
                out.writelines(rows)
        with timed() as copying, connection.transaction():
            for name, file in files.items():
                copy = sql.SQL("COPY {} FROM STDIN (FORMAT BINARY)").format(sql.Identifier("bare", name))
                with cursor.copy(copy) as into, file.open("rb") as rows_in:
                    while block := rows_in.read(1 << 20):
                        into.write(block)
            for statement in chain(*create_indexes(live.rules, "bare").values()):
                connection.execute(statement.encode())
        connection.execute("DROP SCHEMA bare CASCADE")
    for file in files.values():
        file.unlink()
    return copying.seconds
