"""Given what was told, when this is told, then: a chronicle that keeps what decisions accept, in memory.

It is the plainest possible World: a list of entries, everything else computed from it at each asking.
"""

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from ledger.claims import Claim, claim
from ledger.decisions import Snapshot, decide_unit, fold
from ledger.errors import Refused
from ledger.events import CATALOGUE

MORNING = datetime(2026, 4, 1, 8, tzinfo=UTC)
NOW = datetime(2026, 6, 1, tzinfo=UTC)
ids = count(1)


def at(text):
    """ "09:30" on the day all stories play on, "+2 09:30" two days later."""
    day, _, clock = text.rpartition(" ")
    hours, minutes = clock.split(":")
    midnight = MORNING.replace(hour=0) + timedelta(days=int(day or 0))
    return midnight + timedelta(hours=int(hours), minutes=int(minutes))


class Chronicle:
    """Entries told so far. ``tell`` takes what may be told as one unit."""

    def __init__(self):
        self.entries = []

    def tell(self, *claims, now=NOW, key="key-1"):
        """Record the claims as one unit under a key, or raise Refused. Gives the unit's entries."""
        decided = decide_unit(
            [told if isinstance(told, Claim) else event(*told) for told in claims],
            self,
            position=len(self.entries) + 1,
            recorded_at=[now] * len(claims),
            recorded_by=key,
        )
        self.entries += decided.entries
        for key, snapshot in decided.snapshots.items():
            assert snapshot == self.snapshot(*key)
        return decided.entries

    def given(self, *claims):
        """Record the claims one by one."""
        for told in claims:
            self.tell(told)
        return self

    def refuses(self, *claims, rule, index=None, key="key-1"):
        """The unit is refused by ``rule``, at ``index`` if given, and nothing is kept. Gives the refusal."""
        before = list(self.entries)
        with pytest.raises(Refused) as caught:
            self.tell(*claims, key=key)
        assert caught.value.rule == rule, caught.value
        assert self.entries == before
        if index is not None:
            assert caught.value.index == index
        return caught.value

    def position(self, name, subject=None):
        """The position of the last entry of a type (and a subject)."""
        return max(e.position for e in self.entries if e.type == name and subject in (None, e.subject))

    def void(self, name, subject=None, **attributes):
        """A claim that voids the last entry of a type (and a subject)."""
        position = self.position(name, subject)
        target = self.entries[position - 1]
        return event("record.voided", target.subject, {"voided_position": position}, **attributes)

    def state(self, aggregate, subject):
        return self.snapshot(aggregate, subject).state

    # World

    def snapshot(self, aggregate, subject):
        entries = self.stream(aggregate, subject)
        return Snapshot(len(entries), fold(aggregate, entries))

    def referring(self, aggregate, field, subject):
        named = (
            e.subject for e in self.entries if e.aggregate == aggregate and getattr(e.data, field, None) == subject
        )
        return dict.fromkeys(named)

    def subjects(self, aggregate):
        return dict.fromkeys(e.subject for e in self.entries if e.aggregate == aggregate)

    def stream(self, aggregate, subject):
        return [e for e in self.entries if (e.aggregate, e.subject) == (aggregate, subject)]

    def entry(self, position):
        return self.entries[position - 1] if 1 <= position <= len(self.entries) else None


def event(name, subject, data=None, when="09:00", **attributes):
    """A claim that differs from the type's example in ``data`` only; ``when`` as for ``at``."""
    values = {**CATALOGUE[name].example, **(data or {})}
    given = {"id": f"e{next(ids)}", "source": "test", "occurred_at": at(when), **attributes}
    return claim(name, subject, {field: value for field, value in values.items() if value is not None}, **given)


@pytest.fixture
def chronicle():
    return Chronicle()


@pytest.fixture(scope="session")
def new_chronicle():
    """Makes chronicles, for tests that need many."""
    return Chronicle


@pytest.fixture(scope="session")
def tell():
    """Makes claims: tell(type, subject, data, when)."""
    return event
