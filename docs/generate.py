"""Writes docs/reference/ from the code, so that what it says is what the program does.

Run it as `.venv/bin/python docs/generate.py`. Words that no code holds (what a key means, where a worked-out column
comes from) stand in `meanings.yaml` beside it, worked examples in `kpi_examples.yaml`, what the source documents ask
for in `systems.yaml`. Raises Undocumented where the code has something that those do not speak of, or they speak of
something that is gone. Needs no database.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import archive
import kpis
import typer
import yaml
from pydantic import BaseModel
from reading_code import problem_statuses, refusal_rules
from systems import page as systems
from writing import Undocumented, Words, code, json, json_lines, nothing_left, same, table

from api.bootstrap import Program
from api.cli import app as commands
from api.http import application, problems
from api.http.access import ACCESS, EVERYBODY
from api.http.contract import event_schema, example
from api.http.metrics import Metrics
from api.importer import model as mapping
from ledger.events import AGGREGATES, CATALOGUE, EventType, Field
from ledger.rulebook import expressions, model
from ledger.rulebook.loading import default_book
from ledger.rulebook.rules import Rules
from ledger.rulebook.voiding import Voids
from ledger.settings import Settings
from projections.tables import READABLE, Table
from projections.tables.clockwork import clock_columns
from projections.tables.expressions import CLOCK_COLUMNS, CLOCK_PARTS
from projections.tables.fold import Spec
from projections.tables.standing import STANDING

DOCS = Path(__file__).parent
NOTE = "<!-- Written by docs/generate.py from the code. Change the code or docs/meanings.yaml, then run it again. -->"
STANDING_TITLE = "Worked out when they are read"


def pages() -> dict[str, str]:
    """Every reference page: file name → text. The same code gives the same text."""
    words: Words = yaml.safe_load((DOCS / "meanings.yaml").read_text("utf-8"))
    stories: Words = yaml.safe_load((DOCS / "kpi_examples.yaml").read_text("utf-8"))
    asked_for: Words = yaml.safe_load((DOCS / "systems.yaml").read_text("utf-8"))
    makers: Mapping[str, Callable[[], Iterable[str]]] = {
        "events.md": lambda: events(words),
        "tables.md": lambda: tables(words),
        "kpis.md": lambda: kpis.page(words, stories),
        "systems.md": lambda: systems(words, asked_for, (name for name, _ in every_command())),
        "clocks.md": lambda: clocks(words),
        "rule-book.md": lambda: rule_book(words),
        "mappings.md": lambda: mappings(words),
        "settings.md": lambda: settings(words),
        "http.md": lambda: http(words),
        "commands.md": lambda: command_line(words),
        "problems.md": lambda: refusals(words),
        "metrics.md": lambda: metrics(words),
        "archive.md": lambda: archive.page(words),
    }
    return {name: "\n".join([NOTE, "", *make()]).rstrip() + "\n" for name, make in makers.items()}


def events(words: Words) -> Iterator[str]:
    yield from ["# Events", "", words["pages"]["events"], "", "## The envelope", ""]
    properties = event_schema(CATALOGUE["contact.rang"])["properties"]
    yield from table(
        ("attribute", "meaning"),
        [(code(name), part["description"]) for name, part in properties.items() if "description" in part],
    )
    for name, aggregate in AGGREGATES.items():
        yield from ["", f"## {aggregate.label.en} {aggregate.label.zh} (`{name}`)"]
        for known in CATALOGUE.values():
            if known.aggregate == name:
                yield from event(known)
    yield from ["", "## Any subject"]
    for known in CATALOGUE.values():
        if known.aggregate is None:
            yield from event(known)


def event(known: EventType) -> Iterator[str]:
    opens = " It opens its subject." if known.opens else ""
    yield from ["", f"### {known.name}", "", f"{known.label.en} · {known.label.zh}.{opens}", ""]
    if known.fields:
        heads = ("field", "kind", "", "label", "values")
        yield from table(heads, [field(each) for each in known.fields])
        yield ""
    else:
        yield from ["No fields beyond the envelope.", ""]
    yield from ["```json", *json_lines(example(known)), "```"]


def field(each: Field) -> tuple[str, ...]:
    marks = ["required" if each.required else f"default `{json(each.default)}`" if each.default is not None else ""]
    marks += ["⚿ personal" if each.personal else "", "" if each.column or each.personal else "no column"]
    values = ", ".join(code(choice.value) for choice in each.choices) if each.choices else ""
    values = f"id of a {each.refers_to}" if each.refers_to else values
    label = f"{each.label.en} · {each.label.zh}"
    return code(each.name), each.kind, ", ".join(mark for mark in marks if mark), label, values


def tables(words: Words) -> Iterator[str]:
    yield from ["# Tables", "", words["pages"]["tables"]]
    derived: dict[str, dict[str, str]] = words["columns"]
    told = {(name, column) for name, columns in derived.items() for column in columns}
    for one in READABLE.values():
        yield from ["", f"## {one.name}", "", f"{one.label.en} · {one.label.zh}. {words['tables'][one.name]}", ""]
        key = ", ".join(map(code, one.key))
        yield from [f"Key: {key}. From events of: {', '.join(one.aggregates)}.", ""]
        rows = []
        for name, kind in one.columns.items():
            said = derived.get(one.name, {}).get(name)
            told.discard((one.name, name))
            rows.append((code(name), kind, set_by(one, name, said)))
        yield from table(("column", "kind", "set by"), rows)
        clocked = [target.name for target in default_book().targets if target.table == one.name]
        if clocked and one.name != "clocks":
            assert set(clock_columns(one.name, Rules((default_book(),)))) == {
                f"{c}_{p}" for c in clocked for p in CLOCK_COLUMNS
            }
            yield from ["", words["clock_columns_of"] + " " + ", ".join(f"[{c}](clocks.md#{c})" for c in clocked) + "."]
    yield from ["", f"## {STANDING_TITLE}", "", words["standing"]]
    for late in STANDING.values():
        yield from ["", f"### {late.name}", "", f"{late.label.en} · {late.label.zh}. {words['tables'][late.name]}", ""]
        yield from [f"Key: {', '.join(map(code, late.key))}. {words['standing_of']} {code(late.end)}.", ""]
        meant = derived.get(late.name, {})
        same(f"columns.{late.name}", meant, late.columns)
        told -= {(late.name, name) for name in late.columns}
        rows = [(code(name), kind, meant[name]) for name, kind in late.columns.items()]
        yield from table(("column", "kind", "meaning"), rows)
    nothing_left("columns", told)
    same("tables", words["tables"], {**READABLE, **STANDING})


def set_by(one: Table, column: str, said: str | None) -> str:
    """What sets a cell: the words for it, which may hold those of its definition, or those alone."""
    if said is None:
        return origin(one, column)
    return said.replace("{set_by}", origin(one, column)) if "{set_by}" in said else said


def origin(one: Table, column: str) -> str:
    """Which events set a cell, in words, out of the column's own definition."""
    if column in one.borrowed:
        return "taken over from `{}.{}`".format(*one.borrowed[column])
    spec = one.cells.get(column)
    if spec is not None:
        return from_spec(spec)
    if one.key == (column,) or (column == one.key[0] and column.endswith("_id")):
        return "the subject"
    raise Undocumented(f"docs/meanings.yaml: columns.{one.name}.{column} is missing")


def from_spec(spec: Spec) -> str:
    types = ", ".join(map(code, spec.types))
    where = "".join(f" with {name} = {json(value)}" for name, value in spec.where)
    match spec.pick:
        case "count":
            return f"number of {types}"
        case "distinct":
            return f"number of different {code(spec.field)} in {types}"
        case "ever":
            return f"whether there is any {types}{where}"
        case "status":
            return "the last of " + ", ".join(f"{code(kind)} → {state}" for kind, state in spec.states)
    what = "time" if spec.field == "occurred_at" else code(spec.field)
    order = ", by position" if spec.order == "position" else ""
    undone = f"; nothing once {', '.join(map(code, spec.undone_by))} follows" if spec.undone_by else ""
    return f"{what} of the {spec.pick} {types}{where}{order}{undone}"


def clocks(words: Words) -> Iterator[str]:
    book = default_book()
    yield from ["# Clocks", "", words["pages"]["clocks"], ""]
    yield from ["Every clock adds these columns to its table, each as `<clock>_<column>`:", ""]
    same("clock_columns", words["clock_columns"], CLOCK_COLUMNS)
    rows = [(code(name), kind, words["clock_columns"][name]) for name, kind in CLOCK_COLUMNS.items()]
    yield from table(("column", "kind", "meaning"), rows)
    for target in book.targets:
        yield from ["", f"## {target.name}", "", f"{target.label.en} · {target.label.zh}. On `{target.table}`.", ""]
        yield f"- from `{target.start}` to `{target.stop}`, measured by {clock_name(target.clock)}"
        if target.deadline:
            yield f"- deadline: the column `{target.deadline}`"
        for limit in target.limits:
            yield f"- within {limit.within.text}" + (f" when `{limit.when}`" if limit.when else "")
        if target.pauses:
            yield "- pauses shift the deadline"
        if target.dropped_by:
            yield f"- not counted when {', '.join(map(code, target.dropped_by))} comes first"
    yield from ["", "## Calendars"]
    for calendar in book.calendars:
        hours = "; ".join(f"{days} {', '.join(times)}" for days, times in calendar.hours.items())
        off = ", ".join(str(day) for day in calendar.holidays) or "none"
        yield from ["", f"`{calendar.name}` ({calendar.time_zone}): {hours}. Holidays: {off}."]


def clock_name(name: str) -> str:
    return "the wall clock" if name == "wall" else f"the calendar `{name}`"


def rule_book(words: Words) -> Iterator[str]:
    yield from ["# Rule-book keys", "", words["pages"]["rule_book"]]
    parts = (
        model.RuleBook,
        model.Calendar,
        model.Workday,
        model.Dimension,
        model.Case,
        model.Target,
        model.Limit,
        model.Metric,
    )
    figures = (model.Target, model.Limit, model.Metric, model.Goal, model.Comparison)
    rules = (model.PriorityRule, model.Level, model.Cadence, model.Indicator, model.Sampling, model.Duplicates)
    last = (Voids, model.Example, model.Label)
    yield from keys((*parts, *figures, *rules, *last), words, "rule_book_keys")
    yield from ["", "## Expressions", "", words["expressions"], "", "What may stand in an expression:", ""]
    signs = {**expressions.COMPARISONS, **expressions.ARITHMETIC, **expressions.LOGIC}
    yield "- " + ", ".join(code(sign) for sign in signs.values())
    same("expression_parts", words["expression_parts"], [node.key for node in expressions.PARTS if node not in signs])
    yield from [f"- {text}" for text in words["expression_parts"].values()]
    yield from ["", "Of a clock an expression may say:", ""]
    same("clock_parts", words["clock_parts"], CLOCK_PARTS)
    rows = [(f"`<clock>.{name}`", kind, words["clock_parts"][name]) for name, kind in CLOCK_PARTS.items()]
    yield from table(("part", "kind", "meaning"), rows)


def mappings(words: Words) -> Iterator[str]:
    yield from ["# Mapping keys", "", words["pages"]["mappings"]]
    parts = (mapping.Mapping, mapping.EventRule, mapping.TimeSource, mapping.ValueSource, mapping.Condition)
    yield from keys(parts, words, "mapping_keys")


def keys(parts: Sequence[type[BaseModel]], words: Words, section: str) -> Iterator[str]:
    """One table per model: its keys as they stand in YAML, and what they mean."""
    same(section, words[section], [part.__name__ for part in parts])
    for part in parts:
        meant = words[section][part.__name__]
        names = {str(info.alias or name): info for name, info in part.model_fields.items()}
        same(f"{section}.{part.__name__}", meant["keys"], names)
        yield from ["", f"## {meant['title']}", ""]
        rows = [(code(name), "yes" if info.is_required() else "", meant["keys"][name]) for name, info in names.items()]
        yield from table(("key", "required", "meaning"), rows)


def settings(words: Words) -> Iterator[str]:
    yield from ["# Settings", "", words["pages"]["settings"], ""]
    rows = []
    for name, info in Settings.model_fields.items():
        aliases = getattr(info.validation_alias, "choices", None) or [f"LEDGER_{name.upper()}"]
        default = "" if info.default is None else code(str(info.default))
        rows.append((", ".join(code(str(alias)) for alias in aliases), default, info.description or ""))
    yield from table(("variable", "default", "meaning"), rows)
    yield from ["", "Beside the settings of the server:", ""]
    yield from table(("variable", "meaning"), [(code(name), text) for name, text in words["variables"].items()])


def http(words: Words) -> Iterator[str]:
    yield from ["# HTTP routes", "", words["pages"]["http"]]
    program = cast(Program, SimpleNamespace(simulated=False))
    paths: Words = application.build_application(program).openapi()["paths"]
    left = set(ACCESS)
    for (method, path), roles in ACCESS.items():
        operation = paths.get(path, {}).get(method.lower())
        left.discard((method, path))
        yield from ["", f"## {method} {path}", ""]
        told = operation or {"summary": words["routes"][f"{method} {path}"]}
        yield f"{told['summary']}. Roles: {', '.join(sorted(roles)) if roles != EVERYBODY else 'no key needed'}."
        if operation and (text := operation.get("description")):
            yield from ["", text]
        listed = [each for each in told.get("parameters", ()) if not each["name"].startswith("ce-")]
        if listed:
            rows = [(code(each["name"]), each["in"], each.get("description", "")) for each in listed]
            yield from ["", *table(("parameter", "in", "meaning"), rows)]
    nothing_left("routes", left)


def command_line(words: Words) -> Iterator[str]:
    yield from ["# Commands", "", words["pages"]["commands"]]
    for _, context in every_command():
        one = context.command
        usage = " ".join([context.command_path, *one.collect_usage_pieces(context)])
        yield from ["", f"## {context.command_path}", "", one.help or "", "", "```", usage, "```"]
        rows = [record for each in one.get_params(context) if (record := each.get_help_record(context))]
        rows = [(code(left), right) for left, right in rows if not left.startswith("--help")]
        if rows:
            yield from ["", *table(("argument or option", "meaning"), rows)]


def every_command() -> Iterator[tuple[str, Any]]:
    """Each command's name, such as `keys create`, with its context."""
    group: Any = typer.main.get_command(commands)
    return below(group.make_context("reqledger", [], resilient_parsing=True))


def below(context: Any) -> Iterator[tuple[str, Any]]:
    for name in sorted(context.command.commands):
        one = context.command.commands[name]
        own = one.make_context(name, [], parent=context, resilient_parsing=True)
        if hasattr(one, "commands"):
            yield from below(own)
        else:
            yield own.command_path.partition(" ")[2], own


def refusals(words: Words) -> Iterator[str]:
    yield from ["# Problems and refusal rules", "", words["pages"]["problems"], "", "## Kinds of problem", ""]
    statuses = problem_statuses()
    rows = [
        (code(kind), ", ".join(map(str, sorted(statuses.get(kind, ())))), title)
        for kind, title in problems.TITLES.items()
    ]
    yield from table(("kind", "status", "title"), rows)
    yield from ["", "## Refusal rules", "", words["refusal_rules"], ""]
    rules = refusal_rules()
    yield from table(("rule", "says"), [(code(name), "<br>".join(rules[name])) for name in sorted(rules)])


def metrics(words: Words) -> Iterator[str]:
    yield from ["# Metrics", "", words["pages"]["metrics"], ""]
    rows = []
    for one in (
        part for part in vars(Metrics()).values() if hasattr(part, "describe") and hasattr(part, "_labelnames")
    ):
        (family,) = one.describe()
        name = family.name + ("_total" if family.type == "counter" else "")
        rows.append((code(name), family.type, ", ".join(map(code, one._labelnames)), family.documentation))
    yield from table(("metric", "type", "labels", "meaning"), rows)


def main() -> None:
    for name, text in pages().items():
        (DOCS / "reference" / name).write_text(text, encoding="utf-8")
    sys.stdout.write(f"{len(pages())} pages written to {DOCS / 'reference'}\n")


if __name__ == "__main__":
    main()
