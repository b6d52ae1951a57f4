"""A mapping and the head of a file, compiled into a function from a row to its events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from api.importer.errors import BadMapping, RowRefused
from api.importer.expressions import Getter, Moment, Names, condition, parts, template, value
from api.importer.loading import Loaded
from api.importer.model import EventRule, TimeSource
from api.importer.rows import Cell, Row
from api.importer.times import reader
from ledger.claims import claim
from ledger.errors import Invalid
from ledger.events import CATALOGUE

Told = dict[str, Any]
"""An event in the CloudEvents JSON form."""

_ENVELOPE = {"actor": "actor", "reason": "reason", "correlation_id": "correlationid", "causation_id": "causationid"}


@dataclass(slots=True)
class Group:
    """What is known of the entity whose rows are being read."""

    key: Cell = None
    previous: list[Cell] | None = None
    remembered: dict[str, str] = field(default_factory=dict)
    given: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Rule:
    """One event rule, compiled."""

    source: EventRule
    conditions: tuple[Callable[[Moment], bool], ...]
    subject: Getter
    id: Getter
    time: Getter
    extensions: tuple[tuple[str, Getter], ...]
    data: tuple[tuple[str, Getter], ...]
    remember: tuple[tuple[str, Getter], ...]


class Compiled:
    """Turns rows into events, one row after the other: the rows of a group are told in their order.

    Raises BadMapping, with every reason, when the mapping names columns the file lacks, types or fields the ledger does
    not know, leaves out what an event needs, or holds constants that a field cannot take. With `check`, each event is
    also examined as the ledger would that takes it.
    """

    def __init__(self, loaded: Loaded, head: Sequence[str], *, check: bool = False) -> None:
        self._check = check
        self._loaded = loaded
        self._mapping = mapping = loaded.mapping
        self._width = len(head)
        self._problems: list[str] = []
        names = {name for rule in mapping.events for name in rule.remember}
        self._names = Names(head, names, mapping.identity)
        self._empty = frozenset(mapping.empty)
        self._group = Group()
        self._group_column = self._column(mapping.group_by, ["group_by"]) if mapping.group_by is not None else None
        self._finished: set[int] = set()
        self._copies: Counter[str] | None = Counter() if self._uses("copy") else None
        self._digests = self._copies is not None or self._uses("digest")
        self._defaults = [(self._column(name, ["defaults", name]), text) for name, text in mapping.defaults.items()]
        for name in sorted(names & set(head)):
            self._problems.append(loaded.wrong(["events"], f"remembers {name}, which is also a column: rename it"))
        for number, name in enumerate(mapping.identity or []):
            self._column(name, ["identity", number])
        self._rules = [self._rule(rule, ["events", number]) for number, rule in enumerate(mapping.events)]
        if self._problems:
            raise BadMapping("\n".join(dict.fromkeys(self._problems)))

    def events(self, row: Row) -> list[Told]:
        """The events the row stands for; raises RowRefused, and then the row has changed nothing."""
        if len(row.cells) != self._width:
            raise RowRefused(f"the row has {len(row.cells)} cells, the head {self._width}")
        empty = self._empty
        cells: list[Cell] = [None if cell in empty else cell for cell in row.cells]
        for place, text in self._defaults:
            if cells[place] is None:
                cells[place] = text
        group = self._group_of(cells)
        digest = self._names.digest(row.cells) if self._digests else ""
        copy = 1
        if self._copies is not None:
            self._copies[digest] += 1
            copy = self._copies[digest]
        moment = Moment(cells, group.previous, dict(group.remembered), row.line, digest, copy)
        given: list[str] = []
        told = [event for rule in self._rules if (event := self._event(rule, moment, group, given)) is not None]
        group.previous, group.remembered = cells, moment.remembered
        group.given.update(given)
        return told

    def _group_of(self, cells: list[Cell]) -> Group:
        if self._group_column is None:
            return Group()
        key = cells[self._group_column]
        if key is None:
            raise RowRefused(f"column {self._mapping.group_by} is empty")
        if key != self._group.key or self._group.previous is None:
            if hash(key) in self._finished:
                raise RowRefused(f"the rows of {key} do not stand together: sort the file by {self._mapping.group_by}")
            if self._group.previous is not None:
                self._finished.add(hash(self._group.key))
            self._group = Group(key)
        return self._group

    def _event(self, rule: Rule, moment: Moment, group: Group, given: list[str]) -> Told | None:
        source = rule.source
        if source.row != "any" and (source.row == "first") is not (moment.previous is None):
            return None
        for holds in rule.conditions:
            if not holds(moment):
                return None
        event_id = rule.id(moment)
        if event_id is None:
            raise RowRefused(f"{source.type}: id {source.id!r} cannot be filled in: a column is empty")
        if source.once and (event_id in group.given or event_id in given):
            return None
        subject = rule.subject(moment)
        if subject is None:
            raise RowRefused(f"{source.type}: subject {source.subject!r} cannot be filled in: a column is empty")
        at = rule.time(moment)
        if at is None:
            raise RowRefused(f"{source.type}: column {source.time.column} is empty, so nobody knows when")
        data = {name: found for name, get in rule.data if (found := get(moment)) is not None}
        extensions = {name: found for name, get in rule.extensions if (found := get(moment)) is not None}
        if self._check:
            _examine(source.type, subject, event_id, self._mapping.source, at, data, extensions)
        for name, get in rule.remember:
            moment.remembered[name] = get(moment) or ""
        for name in source.forget:
            moment.remembered.pop(name, None)
        given.append(event_id)
        return {
            "specversion": "1.0",
            "id": event_id,
            "source": self._mapping.source,
            "type": source.type,
            "subject": subject,
            "time": at,
            "datacontenttype": "application/json",
            "data": data,
            **extensions,
        }

    def _rule(self, rule: EventRule, place: list[int | str]) -> Rule:
        known = CATALOGUE.get(rule.type)
        fields = {each.name: each for each in known.fields} if known is not None else {}
        if known is None:
            self._wrong([*place, "type"], f"{rule.type} is not an event type of the ledger")
        for name, each in fields.items():
            if each.required and name not in rule.data:
                self._wrong([*place, "type"], f"{rule.type} needs the field {name}: give it under data")
        data = []
        for name, source in rule.data.items():
            at: list[int | str] = [*place, "data", name]
            if known is None:
                continue
            if name not in fields:
                self._wrong(at, f"{rule.type} has no field {name}, only {', '.join(fields) or 'none'}")
            else:
                declared = known.model.model_fields[name]
                found = value(source, fields[name], declared, self._mapping, self._names, partial(self._wrong, at))
                data.append((name, found))
        conditions = [
            condition(name, said, self._names, partial(self._wrong, [*place, "when", name]))
            for name, said in rule.when.items()
        ]
        for name in rule.forget:
            if name not in self._names.remembered:
                self._wrong([*place, "forget"], f"nothing is remembered as {name}")
        return Rule(
            source=rule,
            conditions=tuple(conditions),
            subject=self._template(rule.subject, [*place, "subject"]),
            id=self._template(rule.id, [*place, "id"]),
            time=self._time(rule.time, [*place, "time"]),
            extensions=tuple(
                (wire, self._template(text, [*place, name]))
                for name, wire in _ENVELOPE.items()
                if (text := getattr(rule, name)) is not None
            ),
            data=tuple(data),
            remember=tuple(
                (name, self._template(text, [*place, "remember", name])) for name, text in rule.remember.items()
            ),
        )

    def _time(self, source: TimeSource, place: list[int | str]) -> Getter:
        column = self._column(source.column, place)
        mapping = self._mapping
        read = reader(
            source.format or mapping.time_format, source.zone or mapping.time_zone, mapping.ambiguous, mapping.skipped
        )

        def get(moment: Moment) -> str | None:
            cell = moment.cells[column]
            return None if cell is None else read(cell)

        return get

    def _template(self, text: str, place: list[int | str]) -> Getter:
        return template(text, self._names, partial(self._wrong, place))

    def _column(self, name: str, place: list[int | str]) -> int:
        if name not in self._names.columns:
            self._wrong(place, f"the file has no column {name}, only {', '.join(self._names.columns)}")
            return 0
        return self._names.columns[name]

    def _wrong(self, place: list[int | str], why: str) -> None:
        self._problems.append(self._loaded.wrong(place, why))

    def _uses(self, name: str) -> bool:
        rules = self._mapping.events
        texts = [text for rule in rules for text in (rule.subject, rule.id, *rule.remember.values())]
        texts += [source.template for rule in rules for source in rule.data.values() if source.template is not None]
        return any(name in parts(text)[1::2] for text in texts)


def _examine(kind: str, subject: str, event_id: str, source: str, at: str, data: Told, extensions: Told) -> None:
    """What the ledger itself would say of the event before it looks at the subject's history."""
    attributes = {name: extensions[wire] for name, wire in _ENVELOPE.items() if wire in extensions}
    try:
        claim(kind, subject, data, id=event_id, source=source, occurred_at=at, **attributes)
    except Invalid as error:
        raise RowRefused(str(error)) from None
