"""What encrypting personal texts costs: the same events told to a ledger that does and to one that does not."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any, Final

from ledger.claims import Claim, claim
from ledger.log.application import Ledger
from replays.rebuild import rebuild
from replays.verifying import verify
from tests.benchmarks.events import LIFE, RECEIVED, SOURCE
from tests.benchmarks.replaying import timed
from tests.benchmarks.running import Bench
from tests.benchmarks.sections import Section, number

BATCH: Final = 500
TEXT: Final = (
    "What somebody writes to the desk of a shop, in two sentences or three. It is not long, nor is it nothing. "
)
SAYING: Final = {"contact.received": "message", "contact.answered": "message", "requirement.captured": "statement"}
"""Three of the ten events of a life hold a text."""
SIZE: Final = "SELECT sum(length(entry)), pg_total_relation_size('log.data_keys') FROM log.entries"

Make = Callable[[str], list[Claim]]
"""Claims of a name of their own."""


def encryption(bench: Bench, rounds: int, events: int) -> Section:
    """Both ledgers in turns, without HTTP: appended in batches, read with texts and without, verified, rebuilt."""
    found: dict[tuple[str, bool], list[float]] = {}
    for turn in range(rounds):
        # what comes first in a round finds caches colder
        for encrypt in (False, True) if turn % 2 else (True, False):
            for kind, make in (("contacts", _contact), ("lives", _life)):
                with bench.ledger(encrypt=encrypt) as ledger:
                    before = ledger.head().position
                    for what, seconds in _seconds(ledger, make, events, everything=kind == "lives"):
                        each = (
                            seconds if what.startswith("bytes") else 1e6 * seconds / (ledger.head().position - before)
                        )
                        found.setdefault((f"{kind}: {what}", encrypt), []).append(each)
    rows = []
    for name in dict.fromkeys(name for name, _ in found):
        plain, encrypted = (median(found[name, each]) for each in (False, True))
        rows.append((name, number(plain), number(encrypted), number(encrypted - plain), f"{encrypted / plain:.2f} ×"))
    return Section(
        "Encryption",
        f"The same {events:,} events told to a ledger that encrypts personal texts and to one that does not, in "
        f"batches of {BATCH}, without HTTP, {rounds} turns. *Contacts*: each event opens a contact and holds a text of "
        f"{len(TEXT)} characters, so that each needs a new key: the worst there is. *Lives*: ten events of a contact "
        "and its requirement, three of them with such a text. µs an event, medians.",
        ("what", "as told", "encrypted", "more", "ratio"),
        rows,
    )


def _seconds(ledger: Ledger, make: Make, events: int, *, everything: bool) -> list[tuple[str, float]]:
    units = []
    while sum(map(len, units)) < events:
        units.append([one for n in range(BATCH) for one in make(f"{len(units)}-{n}")][:BATCH])
    told: list[tuple[str, float]] = []
    with timed() as clock:
        for unit in units:
            (outcome,) = ledger.append([unit], "benchmark")
            assert isinstance(outcome, list), outcome
    told.append(("appended", clock.seconds))
    with ledger.database.connect() as connection:
        connection.execute("ANALYZE log.entries, log.names, log.data_keys")
        size, keys = connection.execute(SIZE).fetchone() or (0, 0)
    told.append(("bytes of an entry", float(size) / ledger.head().position))
    told.append(("bytes of keys for an event", float(keys) / ledger.head().position))
    with timed() as clock:
        _read(ledger, lambda entries: entries)
    told.append(("read, texts left as they are", clock.seconds))
    with timed() as clock:
        _read(ledger, ledger.reveal)
    told.append(("read with texts", clock.seconds))
    if everything:
        with timed() as clock:
            assert not verify(ledger).findings
        told.append(("verified", clock.seconds))
        with timed() as clock:
            rebuild(ledger)
        told.append(("rebuilt", clock.seconds))
    return told


def _read(ledger: Ledger, through: Callable[[Any], Any]) -> None:
    after = 0
    while page := ledger.entries(after=after, limit=1_000):
        through(page)
        after = page[-1].position


def _contact(name: str) -> list[Claim]:
    return [_claim("contact.received", f"CT-{name}", name, RECEIVED | {"customer_id": "C-1", "message": TEXT})]


def _life(name: str) -> list[Claim]:
    links = {"contact.received": {"customer_id": "C-1"}, "requirement.captured": {"contact_id": f"CT-{name}"}}
    return [
        _claim(
            kind,
            f"{whose}-{name}",
            f"{name}-{place}",
            data | links.get(kind, {}) | ({SAYING[kind]: TEXT} if kind in SAYING else {}),
        )
        for place, (kind, whose, data) in enumerate(LIFE)
    ]


def _claim(kind: str, subject: str, name: str, data: dict[str, Any]) -> Claim:
    return claim(kind, subject, data, id=name, source=SOURCE, occurred_at="2026-01-05T01:00:00Z")
