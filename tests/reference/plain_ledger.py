"""A ledger without a database: the real rules of deciding over lists, for generating many histories fast."""

from collections.abc import Sequence
from datetime import timedelta

from ledger.claims import Recorded
from ledger.decisions import NOTHING, Overlay, Snapshot, decide_unit
from ledger.errors import LedgerError
from tests.reference.book import Book
from tests.reference.events import Told
from tests.reference.histories import Move, Teller
from tests.reference.recorded import claims, moment, told
from tests.reference.tables import tables


class Empty:
    """A world in which nothing is recorded."""

    def snapshot(self, aggregate: str, subject: str) -> Snapshot:
        return NOTHING

    def referring(self, aggregate: str, field: str, subject: str) -> Sequence[str]:
        return ()

    def subjects(self, aggregate: str) -> Sequence[str]:
        return ()

    def stream(self, aggregate: str, subject: str) -> Sequence[Recorded]:
        return ()

    def entry(self, position: int) -> Recorded | None:
        return None


def deadlines(told: list[Told], book: Book) -> dict[tuple[str, str], list[int]]:
    """When the clocks of each subject run out."""
    found: dict[tuple[str, str], list[int]] = {}
    for clock in tables(told, book)["clocks"]:
        if clock["deadline"] is not None:
            found.setdefault((clock["aggregate"], clock["subject"]), []).append(clock["deadline"])
    return found


class PlainLedger:
    """Takes units of moves, tells the teller which were taken."""

    def __init__(self, teller: Teller, book: Book) -> None:
        self.teller = teller
        self.book = book
        self.world = Overlay(Empty())
        self.refusals: list[str] = []

    @property
    def told(self) -> list[Told]:
        return [told(entry) for entry in self.world.entries]

    def tell(self, count: int) -> list[Told]:
        """Draw and decide that many units; returns all that is recorded."""
        for number in range(count):
            self.take(self.teller.unit())
            if number % 8 == 0:
                self.teller.deadlines = deadlines(self.told, self.book)
        return self.told

    def take(self, unit: list[Move]) -> bool:
        position = len(self.world.entries) + 1
        times = [moment(move.recorded_at) for move in unit]
        last = self.world.entries[-1].recorded_at if self.world.entries else times[0]
        try:
            decided = decide_unit(
                claims(unit, position),
                self.world,
                position=position,
                recorded_at=[max(last, at) for at in times],
                recorded_by="test",
                skew=timedelta(minutes=5),
            )
        except LedgerError as refusal:
            self.refusals.append(f"{'+'.join(move.type for move in unit)}: {refusal}")
            self.teller.refused(unit)
            return False
        self.world.absorb(decided)
        for move, entry in zip(unit, decided.entries, strict=True):
            self.teller.taken(move, entry.position)
        return True
