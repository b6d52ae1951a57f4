"""What the company's services tell the ledger, in the order in which it hears it.

Services are not perfect: some send twice, some have a clock that runs fast, some tell days later, and what was told
wrongly is voided and told again. All of that is made here, so that the lives of contacts and requirements stay plain.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush
from random import Random
from typing import Any

from api.simulator.rhythm import DAY, HOUR, MINUTE, SECOND, rfc3339
from api.simulator.words import CORRECTIONS

Data = dict[str, Any]

SOURCES = {
    "customer": "/company/crm",
    "contact": "/company/contact-centre",
    "handoff": "/company/service-desk",
    "requirement": "/company/requirements-desk",
    "delivery": "/company/delivery-office",
    "plan": "/company/programme-office",
    "notice": "/company/messaging",
    "notice_delivery": "/company/messaging",
    "script": "/company/knowledge-base",
    "review": "/company/quality",
    "survey": "/company/surveys",
    "staff": "/company/training",
    "benchmark": "/company/marketing",
}
# Services that now and then send again what they have sent already.
RETRYING = {"/company/contact-centre": 0.012, "/company/shop": 0.02, "/company/delivery-office": 0.006,
            "/company/messaging": 0.01}  # fmt: skip

PROPOSED_EVERY = 20
"""Of how many corrections one is proposed, declined, proposed again and then made by somebody else."""
HESITATION = (
    (30 * MINUTE, "void.proposed", "staff-7"),
    (20 * MINUTE, "void.declined", "supervisor-1"),
    (10 * MINUTE, "void.proposed", "staff-7"),
)
_TELLING, _AGAIN, _VOID, _PROPOSAL = 0, 1, 2, 3


class Subject:
    """One aggregate as the teller knows it: its opening is told first, and nothing that builds on another before it."""

    __slots__ = ("aggregate", "extensions", "id", "opened", "told")

    def __init__(self, aggregate: str, subject: str, correlation: str | None = None) -> None:
        self.aggregate = aggregate
        self.id = subject
        self.opened = 0  # when its opening is recorded
        self.told = 0  # when the latest event that others may build on is recorded
        self.extensions: Data = {} if correlation is None else {"correlationid": correlation}


class Teller:
    """Collects tellings and yields them as CloudEvents in recording order.

    `first_position` is the position the ledger will give to the first event: voids name positions.
    """

    def __init__(self, random: Random, end: int, first_position: int) -> None:
        self._random = random
        self._end = end
        self._heap: list[tuple[int, int, int, Any]] = []
        self._sequence = 0
        self._position = first_position - 1
        self._to_void: dict[int, int] = {}  # sequence → position, once known
        self._corrections = 0
        self._shares: dict[str, float] = {}
        self._fast_clock = 0

    def rare(self, what: str, share: float) -> bool:
        """Whether this one of many is such a case; the first is, so that a small company has seen everything once."""
        owed = self._shares.get(what, 1.0)
        if owed >= 1.0:
            self._shares[what] = owed - 1.0 + share
            return True
        self._shares[what] = owed + share * 2 * self._random.random()
        return False

    def tell(
        self,
        kind: str,
        subject: Subject,
        at: int,
        data: Data,
        *,
        opens: bool = False,
        loose: bool = False,
        late: int = 0,
        source: str | None = None,
        actor: str | None = None,
        reason: str | None = None,
        corrected: Data | None = None,
        after: int = 0,
    ) -> int:
        """Tell that `kind.past_tense` happened to a subject at a time; answers when the ledger hears of it.

        `loose` events need only the opening before them, all others come in the order they are told; `late` is the
        extra delay; `after` a moment before which it cannot be recorded; `corrected` is what should have been said:
        the first telling is then voided and told again with it.
        """
        recorded = at + SECOND // 5 + int(self._random.random() * 2 * SECOND) + late
        floor = subject.opened if loose else subject.told
        if recorded < floor:
            recorded = floor
        if recorded < after:
            recorded = after
        if opens:
            if at < self._end <= recorded:
                recorded = self._end - 1
            subject.opened = recorded
        if not loose:
            subject.told = recorded
        extensions = subject.extensions
        if actor is not None or reason is not None:
            extensions = dict(extensions)
            if actor is not None:
                extensions["actor"] = actor
            if reason is not None:
                extensions["reason"] = reason
        if loose and recorded - at < 5 * SECOND:
            self._fast_clock += 1
            if self._fast_clock % 97 == 0:
                at = recorded + SECOND + int(self._random.random() * 4 * MINUTE)
        name = f"{subject.aggregate}.{kind}"
        source = source or SOURCES[subject.aggregate]
        sequence = self._push(recorded, _TELLING, (name, subject.id, at, source, data, extensions))
        if corrected is not None:
            self._correct(sequence, recorded, (name, subject.id, at, source, corrected, extensions))
        return recorded

    def _push(self, recorded: int, what: int, content: Any) -> int:
        self._sequence += 1
        if recorded < self._end:
            heappush(self._heap, (recorded, self._sequence, what, content))
        return self._sequence

    def _correct(self, sequence: int, recorded: int, retold: tuple[Any, ...]) -> None:
        random = self._random
        found = recorded + HOUR + int(random.random() * 3 * DAY)
        if found >= self._end:
            return
        name, subject, at, source, data, extensions = retold
        self._to_void[sequence] = 0
        # the first is such a case, so that a small company has seen it
        if self._corrections % PROPOSED_EVERY == 0:
            for before, kind, who in HESITATION:
                self._push(found - before, _PROPOSAL, (sequence, source, kind, who))
        self._corrections += 1
        self._push(found, _VOID, (sequence, subject, source, random.choice(CORRECTIONS)))
        self._push(found + MINUTE, _TELLING, (name, subject, at, source, data, extensions))

    def until(self, moment: int) -> Iterator[Data]:
        """Everything the ledger hears before that moment and has not been yielded yet."""
        heap, random = self._heap, self._random
        while heap and heap[0][0] < moment:
            recorded, sequence, what, content = heappop(heap)
            if what == _AGAIN:
                # the service sends what it sent before; only the moment at which the ledger hears it is another
                yield {**content, "recordedat": rfc3339(recorded)}
                continue
            event = self._event(recorded, sequence, what, content)
            self._position += 1
            if sequence in self._to_void:
                self._to_void[sequence] = self._position
            yield event
            if what == _PROPOSAL:
                continue
            if random.random() < RETRYING.get(event["source"], 0.0):
                again = recorded + int(random.random() * 10 * MINUTE) * (random.random() < 0.5)
                self._push(again, _AGAIN, event)

    def _event(self, recorded: int, sequence: int, what: int, content: tuple[Any, ...]) -> Data:
        extensions: Data
        if what == _VOID:
            voided, subject, source, reason = content
            name, at, extensions = "record.voided", recorded - SECOND, {"reason": reason, "actor": "supervisor-1"}
            data = {"voided_position": self._to_void.pop(voided)}
        elif what == _PROPOSAL:
            voided, source, name, who = content
            subject, at, data, extensions = str(self._to_void[voided]), recorded - SECOND, {}, {"actor": who}
        else:
            name, subject, at, source, data, extensions = content
        return {
            "specversion": "1.0",
            "id": f"{sequence:08d}",
            "source": source,
            "type": name,
            "subject": subject,
            "time": rfc3339(at),
            "recordedat": rfc3339(recorded),
            "datacontenttype": "application/json",
            "data": data,
            **extensions,
        }
