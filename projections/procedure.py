"""How a batch is projected, as functions of the database: compiled once, made anew by every projector's session.

A batch is many small statements, each of which looks at what the one before came to. Asked one by one, their way to the
server and back takes longer than they do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, partial

import ibis

from ledger.rulebook.rules import Rules
from projections.compiled import once, parsed
from projections.contributions import columns_of
from projections.inputs import schema_of
from projections.relation import effective_schema
from projections.statements import columns_sql, placed
from projections.steps import AGGREGATES, Step, changed_schema, load, step
from projections.tables import TABLES

ADVANCE = """
CREATE FUNCTION pg_temp.advance(
    reader text, most bigint, final bigint, waits boolean, OUT begun bigint, OUT ended bigint
)
LANGUAGE plpgsql AS $function$
#variable_conflict use_column
DECLARE
    head bigint;
BEGIN
    IF waits THEN
        SELECT notification_id INTO begun FROM log.tracking WHERE application_name = reader FOR UPDATE;
    ELSE
        SELECT notification_id INTO begun FROM log.tracking WHERE application_name = reader FOR UPDATE SKIP LOCKED;
    END IF;
    IF begun IS NULL THEN
        RETURN;
    END IF;
    SELECT coalesce(max(position), 0) INTO head FROM log.entries;
    ended := greatest(least(head, begun + most, coalesce(final, head)), begun);
    IF ended > begun THEN
        PERFORM pg_temp.project(begun, ended);
        UPDATE log.tracking SET notification_id = ended WHERE application_name = reader;
    END IF;
END $function$
"""
PROJECT = """
CREATE FUNCTION pg_temp.project(after bigint, upto bigint) RETURNS void LANGUAGE plpgsql AS $function$
#variable_conflict use_column
DECLARE
    told text[];
    added bigint;
    keys bigint;
{variables}
BEGIN
    INSERT INTO touched SELECT DISTINCT aggregate, subject, type FROM log.entries
    WHERE position > after AND position <= upto;
    told := ARRAY(SELECT DISTINCT aggregate || ' ' || type FROM touched);
    INSERT INTO wanted_events SELECT DISTINCT aggregate, subject FROM touched;
    PERFORM pg_temp.load(upto);
{steps}
    PERFORM pg_temp.forget_events();
    DELETE FROM touched;
{emptied}
END $function$
"""
LOAD = """
CREATE FUNCTION pg_temp.load(upto bigint) RETURNS void LANGUAGE plpgsql AS $function$
#variable_conflict use_column
DECLARE
    wanted text[] := ARRAY(SELECT DISTINCT aggregate FROM wanted_events);
BEGIN
{loads}
    INSERT INTO loaded_events SELECT aggregate, subject FROM wanted_events;
    DELETE FROM wanted_events;
END $function$
"""
FORGET = """
CREATE FUNCTION pg_temp.forget_events() RETURNS void LANGUAGE plpgsql AS $function$
#variable_conflict use_column
DECLARE
    loaded text[] := ARRAY(SELECT DISTINCT aggregate FROM loaded_events);
BEGIN
{forgets}
    DELETE FROM loaded_events;
END $function$
"""


@dataclass(frozen=True)
class Procedure:
    """scratch: makes the session's temporary tables; functions: makes the functions; `pg_temp.advance` is the one to
    call, with the number of positions to take at the most, the last one to take (or null) and whether to wait for
    another projector. It gives the position before the batch and after it, nulls when another projector is at it."""

    scratch: tuple[str, ...]
    functions: tuple[str, ...]


@lru_cache(maxsize=4)
def procedure(book_text: str, schema: str) -> Procedure:
    """Everything a projector of this generation executes."""
    made = unplaced(book_text)
    return replace(made, functions=tuple(placed(each, schema) for each in made.functions))


UNPLACED: dict[str, Procedure] = {}
"""What this process knows, by the rule book's text: compiled by itself, or by another and kept in the database."""


def unplaced(book_text: str) -> Procedure:
    """The same for ANY_SCHEMA."""
    if book_text not in UNPLACED:
        rules = parsed(book_text)
        steps = [once("step", name, rules, partial(step, table)) for name, table in TABLES.items()]
        UNPLACED[book_text] = Procedure(scratch=tuple(_scratch(rules)), functions=tuple(_functions(steps)))
    return UNPLACED[book_text]


def _functions(steps: list[Step]) -> Iterator[str]:
    loads = (f"IF '{each}' = ANY (wanted) THEN {load(each)}; END IF;" for each in AGGREGATES)
    yield LOAD.format(loads="\n".join(loads))
    forgets = (f"IF '{each}' = ANY (loaded) THEN DELETE FROM effective_{each}; END IF;" for each in AGGREGATES)
    yield FORGET.format(forgets="\n".join(forgets))
    yield PROJECT.format(
        variables="\n".join(f"changed_in_{each.table} bigint := 0;" for each in steps),
        steps="\n".join(map(_step, steps)),
        emptied="\n".join(
            f"IF changed_in_{each.table} > 0 THEN DELETE FROM changed_{each.table}; END IF;" for each in steps
        ),
    )
    yield ADVANCE


def _step(each: Step) -> str:
    """What a batch does for a table; nothing but looking at two variables, where nothing can have changed."""
    lines = ["keys := 0;"]
    if each.told:
        told = ", ".join(f"'{kind}'" for kind in each.told)
        lines.append(f"IF told && ARRAY[{told}] THEN {each.started}; {_add('keys')} END IF;")
    for upstream, statement in each.reached:
        lines.append(f"IF changed_in_{upstream} > 0 THEN {statement}; {_add('keys')} END IF;")
    lines.append("IF keys > 0 THEN")
    if each.wanted is not None and each.reached:
        lines.append(f"{each.wanted}; GET DIAGNOSTICS added = ROW_COUNT;")
        lines.append("IF added > 0 THEN PERFORM pg_temp.load(upto); END IF;")
    lines.append(f"{each.replace}; {_add(f'changed_in_{each.table}')}")
    if each.count is not None:
        lines.append(f"IF changed_in_{each.table} > 0 THEN {each.count}; END IF;")
    lines.append(f"DELETE FROM keys_{each.table};")
    lines.append("END IF;")
    return "\n".join(lines)


def _add(variable: str) -> str:
    return f"GET DIAGNOSTICS added = ROW_COUNT; {variable} := {variable} + added;"


def _scratch(rules: Rules) -> Iterator[str]:
    """Temporary tables that last as long as the session, emptied by every batch that fills them.

    They are emptied by deleting: TRUNCATE has every statement planned anew that looks at the table, and ON COMMIT
    DELETE ROWS would truncate all of them at every commit, 0.28 s for ninety tables.
    """
    subjects = {"aggregate": "string", "subject": "string"}
    tables = {
        "touched": ibis.schema({**subjects, "type": "string"}),
        "wanted_events": ibis.schema(subjects),
        "loaded_events": ibis.schema(subjects),
    }
    tables |= {f"effective_{aggregate}": effective_schema(aggregate) for aggregate in AGGREGATES}
    for table in TABLES.values():
        full = schema_of(columns_of(table.name, rules))
        tables[f"keys_{table.name}"] = ibis.schema({name: full[name] for name in table.partition})
        tables[f"changed_{table.name}"] = changed_schema(table.name, rules)
    for name, schema in tables.items():
        yield f'CREATE TEMPORARY TABLE "{name}" ({columns_sql(schema)}) ON COMMIT PRESERVE ROWS'
