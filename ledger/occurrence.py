"""One thing told: the envelope all events share, before and after the ledger has recorded it.

Also the small protocol through which an aggregate, deciding, reads other subjects.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from ledger.vocabulary import Encrypted, Erased, Event


@dataclass(slots=True, kw_only=True)
class Occurrence:
    """What the sender says: which event, of which subject, when, and who says so.

    Never changed once made. It is not `frozen`, which takes three times as long to make, and two are made per event.

    ``occurred_at`` is aware UTC. ``reason`` is personal text, which an encrypting ledger keeps
    encrypted.
    """

    id: str
    source: str
    type: str
    aggregate: str
    subject: str
    occurred_at: datetime
    data: Event
    actor: str | None = None
    reason: str | Encrypted | Erased | None = None
    correlation_id: str | None = None
    causation_id: str | None = None

    @property
    def stream(self) -> str:
        """The stream's id, such as ``contact:CT-1``."""
        return f"{self.aggregate}:{self.subject}"


class Reading(Protocol):
    """What an aggregate may read of other subjects while it decides."""

    def state(self, aggregate: str, subject: str) -> Any:
        """The subject's present state; None when it was never opened."""

    def referring(self, aggregate: str, field: str, subject: str) -> Iterable[str]:
        """The subjects of ``aggregate`` that have ever named ``subject`` in ``field``, each once, in any order.

        Events since voided count too: the reader looks at the states of those it is given.
        """
