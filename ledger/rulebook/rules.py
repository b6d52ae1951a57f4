"""The rules in force: rule books in order of time, each judging from its first day until the next one's.

The book published last is in force from its `effective_from` on; what earlier books said of that time no longer holds.
The first of them is in force since ever.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from ledger.rulebook.loading import load, load_all
from ledger.rulebook.model import Calendar, Metric, PriorityRule, RuleBook, Target, day_us

SEPARATOR = "\n---\n"
Part = TypeVar("Part", Target, Metric)


@dataclass(frozen=True)
class Spell:
    """When something holds: instants in microseconds, and the same as days; None where there is no end to it."""

    from_us: int | None
    until_us: int | None
    from_day: int | None
    until_day: int | None

    @property
    def always(self) -> bool:
        return self.from_us is None and self.until_us is None

    def holds(self, at: int) -> bool:
        """Whether an instant lies in it."""
        return (self.from_us is None or at >= self.from_us) and (self.until_us is None or at < self.until_us)


@dataclass(frozen=True)
class Versioned(Generic[Part]):
    """One version of a part of the rules (a target, a metric): the book that says so, and while it holds.

    calendar: a target's, under the name that the engines know it by. meaning: all that the version says.
    """

    part: Part
    book: RuleBook
    spell: Spell
    meaning: object
    calendar: Calendar | None = None

    def __repr__(self) -> str:
        return repr((self.meaning, self.spell, self.calendar))


Answer = TypeVar("Answer")
Asked = ParamSpec("Asked")


def question(ask: Callable[Concatenate[Any, Asked], Answer]) -> Callable[Concatenate[Any, Asked], Answer]:
    """Mark a function of the rules as one that what is compiled of them may depend on; `Traced` rules write it down."""

    @wraps(ask)
    def asking(rules: Any, *args: Asked.args, **named: Asked.kwargs) -> Answer:
        if not isinstance(rules, Traced):
            return ask(rules, *args, **named)
        found = ask(Rules(rules.books), *args, **named)
        rules.trace[asking, args] = repr(found)
        return found

    return asking  # type: ignore[return-value]


@dataclass(frozen=True)
class Rules:
    """Rule books, in force one after the other."""

    books: tuple[RuleBook, ...]

    def at(self, instant: int) -> RuleBook:
        """The book in force at an instant (microseconds)."""
        return next(book for book, spell in reversed(self.spells) if spell.holds(instant))

    @property
    def latest(self) -> RuleBook:
        """The book that comes into force last."""
        return self.books[-1]

    @property
    def spells(self) -> tuple[tuple[RuleBook, Spell], ...]:
        """Each book, and while it is in force."""
        found = []
        for nth, book in enumerate(self.books):
            following = self.books[nth + 1] if nth + 1 < len(self.books) else None
            found.append(
                (
                    book,
                    Spell(
                        from_us=book.effective_from_us if nth else None,
                        until_us=following.effective_from_us if following else None,
                        from_day=day_us(book.effective_from) if nth else None,
                        until_day=day_us(following.effective_from) if following else None,
                    ),
                )
            )
        return tuple(found)

    @question
    def targets(self, table: str | None = None) -> list[Versioned[Target]]:
        """Every version of every target, of one table or of all; what books in a row say alike is one version."""
        return self._versions(
            lambda book: [target for target in book.targets if table in (None, target.table)],
            lambda target, book: (target.model_dump(exclude={"label"}), self._calendar(target, book)),
            self._calendar,
        )

    @question
    def clocks(self, table: str) -> list[str]:
        """The names of all targets of a table."""
        return list(dict.fromkeys(each.part.name for each in self.targets(table)))

    @question
    def on_calendars(self, table: str) -> list[str]:
        """The names of those that measure working time or working days, in some book."""
        return list(dict.fromkeys(each.part.name for each in self.targets(table) if each.part.clock != "wall"))

    @question
    def metrics(self, name: str | None = None) -> list[Versioned[Metric]]:
        """Every version of one metric or of all; what books in a row say alike is one version."""
        return self._versions(
            lambda book: [metric for metric in book.metrics if name in (None, metric.name)],
            lambda metric, book: (
                metric.model_dump(exclude={"label", "goal", "baseline", "unit"}),
                [each.model_dump(exclude={"label"}) for each in book.dimensions if each.table == metric.table],
                book.time_zone,
            ),
            lambda metric, book: None,
        )

    @question
    def priorities(self) -> list[tuple[Spell, PriorityRule | None]]:
        """The rule of priority of each book, and while it holds."""
        return [(spell, book.priority) for book, spell in self.spells]

    def calendars(self) -> Iterator[Calendar]:
        """Every calendar, under the name that the engines know it by."""
        found: dict[str, Calendar] = {}
        for book in self.books:
            for calendar in book.calendars:
                found.setdefault(self.calendar_key(book, calendar.name), calendar)
        for key, calendar in found.items():
            yield calendar.model_copy(update={"name": key})

    def _calendar(self, target: Target, book: RuleBook) -> Calendar | None:
        if target.clock == "wall":
            return None
        return _calendar(book, target.clock).model_copy(update={"name": self.calendar_key(book, target.clock)})

    def calendar_key(self, book: RuleBook, name: str) -> str:
        """What engines call a book's calendar: its name, and where several books say it otherwise, which one."""
        said: list[dict[str, object]] = []
        for each in self.books:
            for calendar in each.calendars:
                told = calendar.model_dump(exclude={"label"})
                if calendar.name == name and told not in said:
                    said.append(told)
        nth = said.index(_calendar(book, name).model_dump(exclude={"label"}))
        return name if nth == 0 else f"{name}@{nth + 1}"

    def _versions(
        self,
        parts: Callable[[RuleBook], Sequence[Part]],
        meaning: Callable[[Part, RuleBook], object],
        calendar: Callable[[Part, RuleBook], Calendar | None],
    ) -> list[Versioned[Part]]:
        found: list[Versioned[Part]] = []
        last: dict[str, tuple[int, RuleBook, object]] = {}
        for book, spell in self.spells:
            for part in parts(book):
                name, means = part.name, meaning(part, book)
                before = last.get(name)
                if before is not None and before[1:] == (_previous(self.books, book), means):
                    nth = before[0]
                    held = found[nth].spell
                    joined = Spell(held.from_us, spell.until_us, held.from_day, spell.until_day)
                    found[nth] = Versioned(part, book, joined, means, calendar(part, book))
                else:
                    nth = len(found)
                    found.append(Versioned(part, book, spell, means, calendar(part, book)))
                last[name] = (nth, book, means)
        return found


class Traced(Rules):
    """Rules that write down what they are asked, and what they answer: the rest can change without any matter."""

    def __init__(self, books: tuple[RuleBook, ...]) -> None:
        super().__init__(books)
        object.__setattr__(self, "trace", {})

    trace: dict[tuple[Callable[..., Any], tuple[Any, ...]], str]

    @property
    def spells(self) -> tuple[tuple[RuleBook, Spell], ...]:
        raise TypeError("what is compiled of traced rules asks them by their questions, which are written down")


def answers_alike(rules: Rules, trace: Mapping[tuple[Callable[..., Any], tuple[Any, ...]], str]) -> bool:
    """Whether rules answer all that was asked as the traced ones did."""
    return all(repr(ask(rules, *args)) == answer for (ask, args), answer in trace.items())


def _previous(books: Sequence[RuleBook], book: RuleBook) -> RuleBook | None:
    nth = next(nth for nth, each in enumerate(books) if each is book)
    return books[nth - 1] if nth else None


def _calendar(book: RuleBook, name: str) -> Calendar:
    return next(calendar for calendar in book.calendars if calendar.name == name)


def in_force(texts: Iterable[str]) -> str:
    """The rules that books published in this order make: those still in force at some time, as one YAML stream."""
    kept: list[tuple[RuleBook, str]] = []
    for text in texts:
        book = load(text)
        kept = [each for each in kept if each[0].effective_from < book.effective_from]
        kept.append((book, text))
    return SEPARATOR.join(text for _, text in kept)


def read_rules(text: str) -> Rules:
    """Rules out of a YAML stream of books in force one after the other; those that were published are valid."""
    return Rules(tuple(load_all(text)))
