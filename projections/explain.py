"""Which event is behind a cell: a column names its sources, so any cell can be traced to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import ibis
import ibis.expr.types as ir
from psycopg import Connection, sql

from ledger.claims import Recorded
from ledger.log.application import Ledger
from ledger.rulebook.expressions import Kind
from ledger.rulebook.model import Target
from projections.contributions import columns_of
from projections.generations import Generation, live
from projections.reading import UnknownColumn, UnknownTable
from projections.relation import EFFECTIVE, RAW, effective
from projections.statements import to_sql
from projections.tables import TABLES
from projections.tables.contact import with_cycle
from projections.tables.expressions import CLOCK_COLUMNS
from projections.tables.fold import Spec
from projections.tables.rating import rating_of
from projections.values import read, shown

MOST = 20
"""Events shown of a cell that many add up to."""


STATUS_FROM = {"merged": "merged_into", "erased": "erased_at", "churned": "churned_at"}
"""States that a subject is in because another of its cells is set; a customer is otherwise in its stage."""

OF_ITS_GROUP = {
    ("contact_groups", "joined_at"),
    ("contact_cycles", "group_received_at"),
    ("requirement_groups", "joined_at"),
    ("requirement_lineage", "joined_at"),
    ("tellings", "customer_id"),
    ("tellings", "joined_at"),
}
"""Cells taken over from any member of the merged group that their row belongs to."""

GROUPS = {"contacts": "contact_groups", "requirements": "requirement_groups"}
OF_GROUP = sql.SQL(
    "WITH survivor AS (SELECT coalesce((SELECT survivor_id FROM {groups} WHERE {key} = {member}), {member}) AS id) "
    "SELECT {key} FROM {rows}, survivor WHERE {column} = {value} AND ({key} = survivor.id OR {key} IN "
    "(SELECT {key} FROM {groups} WHERE survivor_id = survivor.id)) ORDER BY {key} LIMIT {most}"
)


class UnknownRow(LookupError):
    """The table has no such row."""


@dataclass(frozen=True)
class Explanation:
    """A cell, where it comes from, and the events behind it.

    from_: in words, how the column is made (`last customer_id of contact.received, contact.identified`); rule: for the
    columns of a clock, its target in the rule book; through: the cells of other tables it is taken from.
    """

    table: str
    key: Mapping[str, Any]
    column: str
    value: Any
    from_: str
    events: list[Recorded] = field(default_factory=list)
    rule: Target | None = None
    through: list[Explanation] = field(default_factory=list)


def explain(ledger: Ledger, table: str, key: tuple[str, ...], column: str) -> Explanation:
    """Explain one cell of a live table; `key` holds the row's key as text, in the order of the table's key.

    Raises UnknownTable, UnknownColumn, UnknownRow, BadValue.
    """
    with ledger.pool.connection() as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        return _Explainer(ledger, connection, live(connection)).cell(table, key, column)


class _Explainer:
    def __init__(self, ledger: Ledger, connection: Connection[Any], generation: Generation) -> None:
        self.ledger = ledger
        self.connection = connection
        self.generation = generation

    def cell(self, table: str, key: tuple[str, ...], column: str) -> Explanation:
        if table not in TABLES:
            raise UnknownTable(f"there is no table {table!r} with cells to explain; there are {', '.join(TABLES)}")
        kinds = columns_of(table, self.generation.rules)
        if column not in kinds:
            raise UnknownColumn(f"table {table} has no column {column!r}; it has {', '.join(kinds)}")
        definition = TABLES[table]
        if len(key) != len(definition.key):
            raise UnknownRow(f"a row of {table} is named by {', '.join(definition.key)}")
        values = {name: read(kinds[name], text) for name, text in zip(definition.key, key, strict=True)}
        row = self._row(table, kinds, values)
        explanation = Explanation(
            table=table,
            key={name: shown(kinds[name], value) for name, value in values.items()},
            column=column,
            value=shown(kinds[column], row[column]),
            from_=f"{table}.{column}",
        )
        clock = self._clock_of(table, column, row)
        if clock is not None:
            return self._of_clock(explanation, clock, key)
        if table == "tellings" and column == "started_at" and row["joined_at"] == row[column]:
            return self._worked_out(explanation, key, ("joined_at",))
        if column in definition.worked_out:
            return self._worked_out(explanation, key, definition.worked_out[column])
        if column in definition.borrowed:
            return self._borrowed(explanation, row, *definition.borrowed[column])
        return self._told(explanation, row)

    def _row(self, table: str, kinds: Mapping[str, Kind], values: Mapping[str, Any]) -> dict[str, Any]:
        query = sql.SQL("SELECT {} FROM {} WHERE {}").format(
            sql.SQL(", ").join(map(sql.Identifier, kinds)),
            sql.Identifier(self.generation.schema, table),
            sql.SQL(" AND ").join(
                sql.SQL("{} = {}").format(sql.Identifier(name), sql.Literal(value)) for name, value in values.items()
            ),
        )
        found = self.connection.execute(query).fetchone()
        if found is None:
            raise UnknownRow(f"{table} has no row {', '.join(map(str, values.values()))}")
        return dict(zip(kinds, found, strict=True))

    def _clock_of(self, table: str, column: str, row: Mapping[str, Any]) -> Target | None:
        """The target a column belongs to, as the rule book in force at the clock's start says it."""
        found = None
        for version in self.generation.rules.targets(table):
            target = version.part
            if column in {f"{target.name}_{part}" for part in CLOCK_COLUMNS}:
                started_at = row[f"{target.name}_started_at"]
                if found is None or started_at is None or version.spell.holds(started_at):
                    found = target
        return found

    def _of_clock(self, explanation: Explanation, target: Target, key: tuple[str, ...]) -> Explanation:
        """A clock's columns come from where it starts, stops and is dropped, and from the rule."""
        part = explanation.column.removeprefix(f"{target.name}_")
        wanted = {
            "started_at": [target.start],
            "deadline": [target.deadline or target.start],
            "stopped_at": [target.stop],
        }.get(part, [target.start, target.stop, *target.dropped_by])
        through = [self.cell(explanation.table, key, column) for column in wanted]
        limits = "; ".join(f"{each.within.text}{f' when {each.when}' if each.when else ''}" for each in target.limits)
        words = (
            f"clock {target.name} from {target.start} to {target.stop} ({target.clock}): {limits or target.deadline}"
        )
        return _filled(explanation, from_=words, rule=target, through=through, events=_behind(through))

    def _worked_out(self, explanation: Explanation, key: tuple[str, ...], columns: tuple[str, ...]) -> Explanation:
        """A cell that others of its row make up."""
        through = [self.cell(explanation.table, key, column) for column in columns]
        words = f"worked out of {', '.join(columns)}"
        return _filled(explanation, from_=words, through=through, events=_behind(through))

    def _borrowed(self, explanation: Explanation, row: Mapping[str, Any], table: str, column: str) -> Explanation:
        """A cell taken over from other tables' rows: explain it there."""
        upstream = TABLES[table]
        matched = self._matching(explanation, row, upstream.name, column)
        through = [self.cell(table, each, column) for each in matched]
        events = _behind(through)
        if not events and explanation.value is not None:
            return self._told(explanation, row)
        return _filled(
            explanation,
            from_=f"{table}.{column}",
            through=through,
            events=events[:MOST],
        )

    def _matching(
        self, explanation: Explanation, row: Mapping[str, Any], table: str, column: str
    ) -> list[tuple[str, ...]]:
        """Keys of the upstream rows that share a column with this row, and the moment that is taken over."""
        if (explanation.table, explanation.column) in OF_ITS_GROUP:
            return self._of_group(row, table, column, row[explanation.column])
        upstream = TABLES[table]
        kinds = columns_of(table, self.generation.rules)
        shared = next(
            (
                (name, row.get(own))
                for name, own in (
                    *((name, name) for name in upstream.partition),
                    *((name, name) for name in TABLES[explanation.table].key if name in kinds),
                    (upstream.partition[0], "subject"),
                )
                if row.get(own) is not None
            ),
            None,
        )
        if shared is None:
            return []
        query = sql.SQL("SELECT {} FROM {} WHERE {} {} ORDER BY {} LIMIT {}").format(
            sql.SQL(", ").join(map(sql.Identifier, upstream.key)),
            sql.Identifier(self.generation.schema, table),
            self._named(explanation, *shared),
            self._narrower(explanation, row, table, column),
            sql.SQL(", ").join(map(sql.Identifier, upstream.key)),
            sql.Literal(MOST),
        )
        found = self.connection.execute(query).fetchall()
        return [
            tuple(str(shown(kinds[name], value)) for name, value in zip(upstream.key, each, strict=True))
            for each in found
        ]

    def _named(self, explanation: Explanation, column: str, value: Any) -> sql.Composable:
        """Rows that name the same; what a customer's row takes over may name one that is merged into it."""
        if explanation.table != "customers":
            return sql.SQL("{} = {}").format(sql.Identifier(column), sql.Literal(value))
        return sql.SQL("({0} = {1} OR {0} IN (SELECT customer_id FROM {2} WHERE survivor_id = {1}))").format(
            sql.Identifier(column), sql.Literal(value), sql.Identifier(self.generation.schema, "customer_groups")
        )

    def _narrower(self, explanation: Explanation, row: Mapping[str, Any], table: str, column: str) -> sql.Composable:
        """Of many upstream rows, those that the cell can be from."""
        if table == "tier_spells":
            held = sql.SQL("AND spell = (SELECT max(spell) FROM {} WHERE customer_id = {} AND from_at <= {})")
            spells = sql.Identifier(self.generation.schema, table)
            return held.format(spells, sql.Literal(row["customer_id"]), sql.Literal(row["received_at"]))
        kinds = columns_of(explanation.table, self.generation.rules)
        value = row[explanation.column]
        taken_over = kinds[explanation.column] == columns_of(table, self.generation.rules)[column] == "time"
        if not taken_over or value is None:
            return sql.SQL("")
        return sql.SQL("AND {} = {}").format(sql.Identifier(column), sql.Literal(value))

    def _of_group(self, row: Mapping[str, Any], table: str, column: str, value: Any) -> list[tuple[str, ...]]:
        """Members of the merged group that a row belongs to whose merge, or arrival, was at that moment."""
        key = TABLES[table].key[0]
        query = OF_GROUP.format(
            key=sql.Identifier(key),
            rows=sql.Identifier(self.generation.schema, table),
            groups=sql.Identifier(self.generation.schema, GROUPS[table]),
            column=sql.Identifier(column),
            value=sql.Literal(value),
            member=sql.Literal(row[key]),
            most=sql.Literal(MOST),
        )
        return [(str(found[0]),) for found in self.connection.execute(query)]

    def _told(self, explanation: Explanation, row: Mapping[str, Any]) -> Explanation:
        """A cell set by an event of the row's own subject: find that event by the column's own definition."""
        definition = TABLES[explanation.table]
        column = explanation.column
        aggregate = str(row["aggregate"]) if "aggregate" in definition.key else definition.aggregates[0]
        subject = str(row["subject"] if "subject" in definition.key else row[definition.key[0]])
        events = ibis.table(EFFECTIVE, name="effective_events")
        if column != definition.key[0]:
            events = self._of_part(events, explanation, row)
        if column == "status":
            column = STATUS_FROM.get(str(row[column]), "status" if "status" in definition.cells else "stage")
        spec = definition.cells.get(column)
        if spec is None:
            position = events.position.min() if column in definition.key else events.position.max()
            words = f"{', '.join(sorted(definition.sources))} of {aggregate} {subject}"
        else:
            if column == explanation.column and spec.field == "occurred_at" and spec.kind == "time":
                events = self._at(events, spec, row[column])
            position = spec.source(events)
            words = str(spec)
        nothing = explanation.value is None and (spec is None or not spec.undone_by)
        query = f"{_of_subject()} {_escaped(events.agg(position=position))}"
        about = {"aggregate": aggregate, "subject": subject}
        found = None if nothing else self.connection.execute(query.encode(), about).fetchone()
        entry = self.ledger.entry(int(found[0])) if found and found[0] is not None else None
        return _filled(explanation, from_=words, events=[entry] if entry else [])

    def _at(self, events: ir.Table, spec: Spec, value: int | None) -> ir.Table:
        """Only the events that can have said that it was then."""
        return events if value is None else events.filter(events.type.isin(spec.types), events.occurred_at == value)

    def _of_part(self, events: ir.Table, explanation: Explanation, row: Mapping[str, Any]) -> ir.Table:
        """Only the events of the row's part (its cycle, its pause, its role …)."""
        definition = TABLES[explanation.table]
        part = definition.part
        if "position" in definition.key:
            return events.filter(events.position == row["position"])
        if part is None:
            return events
        if part in ("spell", "churn", "review"):
            events = events.filter(events.type.isin(sorted(definition.sources)))
            nth = ibis.row_number().over(ibis.window(order_by=events.seq)) + 1
            events = events.mutate(nth=nth)
            return events.filter(events.nth == row[part] + (explanation.column == "until_at"))
        value = row[part]
        if part == "cycle":
            events = with_cycle(events)
            return events.filter(events.cycle == value)
        if part == "rating":
            return events.filter(rating_of(events) == value)
        return events.filter(events[part] == value)


@cache
def _of_subject() -> str:
    """The effective events of one subject, to stand before a query over them."""
    names = ", ".join(f'"{name}"' for name in RAW.names)
    told = effective(ibis.table(RAW, name="events_of_subject"))
    return (
        f"WITH events_of_subject AS (SELECT {names} FROM log.events WHERE aggregate = %(aggregate)s AND "
        f"subject = %(subject)s), effective_events AS ({_escaped(told)})"
    )


def _escaped(rows: ir.Table) -> str:
    """Compiled SQL that stands beside parameters: its own percent signs doubled."""
    return to_sql(rows).replace("%", "%%")


def _behind(through: list[Explanation]) -> list[Recorded]:
    """The events behind any of these cells, each once, by position."""
    events = {event.position: event for each in through for event in each.events}
    return [events[at] for at in sorted(events)]


def _filled(explanation: Explanation, **parts: Any) -> Explanation:
    return Explanation(**{**explanation.__dict__, **parts})
