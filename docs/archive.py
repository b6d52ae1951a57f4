"""The page of the archive's format: the files, the manifest's keys, the columns of a segment."""

from __future__ import annotations

from collections.abc import Iterator

from writing import Words, code, same, table

from ledger.events import CATALOGUE, COLUMNS
from projections.relation import FIELDS
from replays.archive import columns
from replays.archive.manifest import KeptDocument, KeptKeys, Manifest, Segment

PARTS = (Manifest, Segment, KeptDocument, KeptKeys)
KINDS = {
    "time": "time, µs since 1970 in UTC",
    "day": "day, as its first µs",
    "week": "week, as the first µs of its Monday",
    "quarter": "quarter, as the first µs of its first day",
}
"""What an integer column holds, where that is not a number that was told."""


def page(words: Words) -> Iterator[str]:
    """The page's lines. Raises Undocumented where `meanings.yaml` and the code do not speak of the same."""
    yield from ["# The archive", "", words["pages"]["archive"], "", "## Files", ""]
    yield from table(("file", "what it is"), [(code(name), text) for name, text in words["archive_files"].items()])
    keys = words["archive_manifest"]
    same("archive_manifest", keys, [part.__name__ for part in PARTS])
    for part in PARTS:
        meant = keys[part.__name__]
        same(f"archive_manifest.{part.__name__}", meant["keys"], part.model_fields)
        yield from ["", f"## {meant['title']}", ""]
        yield from table(("key", "meaning"), [(code(name), meant["keys"][name]) for name in part.model_fields])
    yield from ["", "## Columns of a segment", "", words["archive_columns_of"], ""]
    meant = words["archive_columns"]
    beside = {name: kind for name, kind in columns.COLUMNS.items() if name not in FIELDS}
    same("archive_columns", meant, beside)
    yield from table(("column", "type", "meaning"), [(code(name), kind, meant[name]) for name, kind in beside.items()])
    yield from ["", "## Typed fields", "", words["archive_fields"], ""]
    rows = [(code(name), kind, KINDS.get(COLUMNS[name], ""), *_told(name)) for name, kind in FIELDS.items()]
    yield from table(("column", "type", "", "label", "told by"), rows)


def _told(name: str) -> tuple[str, str]:
    """A field's label, as the first event has it, and the aggregates whose events have it."""
    having = [(known, field) for known in CATALOGUE.values() for field in known.fields if field.name == name]
    label = having[0][1].label
    whose = dict.fromkeys(known.aggregate or "any" for known, _ in having)
    return f"{label.en} · {label.zh}", ", ".join(whose)
