"""What the fields of a drawn event are drawn from."""

from collections.abc import Callable
from random import Random
from typing import Any, Protocol

from tests.reference.calendars import SECOND

CHANNELS = ["phone", "web_chat", "community", "email", "meeting"]
CAUSES = ["service", "price", "communication"]
DUE = [0, 3600 * SECOND, 24 * 3600 * SECOND, 72 * 3600 * SECOND, 30 * 24 * 3600 * SECOND]
QUARTERS = ["2025-Q1", "2025-Q4", "2026-Q2"]


class Draw(Protocol):
    random: Random

    def named(self, aggregate: str) -> str: ...

    def opened(self, aggregate: str) -> str: ...

    def said(self, subject: str, field: str) -> list[str]: ...

    def chance(self, percent: int) -> bool: ...


Data = dict[str, Any]
Fields = Callable[["Words"], Data]


class Words:
    """What the fields are drawn from."""

    def __init__(self, draw: Draw, subject: str, occurred_at: int) -> None:
        self.draw, self.subject, self.occurred_at = draw, subject, occurred_at

    def one(self, *values: Any) -> Any:
        return self.draw.random.choice(values)

    def flag(self) -> bool:
        return self.draw.chance(60)

    def some(self, **values: Callable[[], Any]) -> Data:
        """Each of the optional fields, or not."""
        return {name: value() for name, value in values.items() if self.draw.chance(60)}

    def customer(self) -> str:
        return self.draw.named("customer")

    def contact(self) -> str:
        return self.draw.named("contact")

    def requirement(self) -> str:
        return self.draw.named("requirement")

    def told(self, field: str, *values: str) -> Any:
        """Mostly what the subject's events named in that field before."""
        known = self.draw.said(self.subject, field)
        return self.one(*(known if known and self.draw.chance(85) else values))

    def id(self, prefix: str) -> str:
        return f"{prefix}{self.one(1, 2)}"

    def money(self, field: str, *amounts: int) -> Data:
        """An amount with its currency."""
        return {field: self.one(*amounts), "currency": self.one("CNY", "CNY", "EUR")}

    def due(self) -> int:
        return self.occurred_at + int(self.one(*DUE)) + int(self.one(-1, 0, 0, 1))


def score(w: Words) -> Data:
    scale = w.one(5, 10)
    return {"score": w.one(0, 4, 5, scale), "scale": scale}
