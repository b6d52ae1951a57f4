"""What two sets of tables and counters disagree on, in as few words as a reader needs."""

from collections.abc import Iterable, Mapping
from typing import Any

from tests.reference.events import Told
from tests.reference.expressions import Row
from tests.reference.figures import Key
from tests.reference.tables import KEYS, Tables

Counters = dict[Key, tuple[int, int]]
SHOWN = 12
TOLD = 60


def differences(
    left: Tables, right: Tables, names: tuple[str, str], keys: Mapping[str, tuple[str, ...]] = KEYS
) -> list[str]:
    """One line per row or cell that differs: table, key, column, both values."""
    found = []
    for table in left:
        key = keys[table]
        ours, theirs = _keyed(left[table], key), _keyed(right[table], key)
        for side, rows in ((names[0], left[table]), (names[1], right[table])):
            if len(rows) != len(_keyed(rows, key)):
                found.append(f"{table}: {side} has {len(rows)} rows under {len(_keyed(rows, key))} keys")
        for at in sorted(ours.keys() | theirs.keys(), key=repr):
            if at not in theirs or at not in ours:
                found.append(
                    f"{table} {at}: only in {names[0] if at in ours else names[1]}: {ours.get(at) or theirs[at]}"
                )
                continue
            for column in theirs[at].keys() - ours[at].keys():
                found.append(f"{table}: {names[0]} has no column {column}")
            for column in ours[at]:
                if column not in theirs[at]:
                    found.append(f"{table}: {names[1]} has no column {column}")
                elif ours[at][column] != theirs[at][column]:
                    values = f"{names[0]} {ours[at][column]!r}, {names[1]} {theirs[at][column]!r}"
                    found.append(f"{table} {at} {column}: {values}")
    return list(dict.fromkeys(found))


def counter_differences(left: Counters, right: Counters, names: tuple[str, str]) -> list[str]:
    return [
        f"counter {key}: {names[0]} {left.get(key)}, {names[1]} {right.get(key)}"
        for key in sorted(left.keys() | right.keys(), key=repr)
        if left.get(key) != right.get(key)
    ]


def report(found: list[str], told: list[Told]) -> str:
    """The first differences, each with the events that name its subject, in order of telling."""
    lines = [f"{len(found)} differences"]
    for line in found[:SHOWN]:
        lines.append(line)
    subjects = {event.subject for event in told if any(f"'{event.subject}'" in line for line in found[:3])}
    lines.append(f"events about {', '.join(sorted(subjects)) or 'anything'}:")
    about = [event for event in told if not subjects or event.subject in subjects or _names(event, subjects)]
    lines += [_event(event) for event in about[-TOLD:]]
    return "\n".join(lines)


def _names(event: Told, subjects: Iterable[str]) -> bool:
    return any(value in subjects for value in event.data.values() if isinstance(value, str))


def _event(event: Told) -> str:
    return (
        f"  {event.position:4} {event.type} {event.subject} at {event.occurred_at} rec {event.recorded_at} {event.data}"
    )


def _keyed(rows: list[Row], key: tuple[str, ...]) -> dict[tuple[Any, ...], Row]:
    return {tuple(row[name] for name in key): row for row in rows}
