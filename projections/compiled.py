"""What is worked out of a rule book's text once per process."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from functools import cache
from itertools import chain
from typing import Any, TypeVar

from ledger.rulebook.calendars import days, segments
from ledger.rulebook.rules import Rules, Traced, answers_alike, read_rules


@cache
def parsed(rules_text: str) -> Rules:
    """Published rules."""
    return read_rules(rules_text)


@cache
def calendars(rules_text: str) -> Mapping[str, tuple[tuple[Any, ...], ...]]:
    """All calendars of the rules, worked out: the rows of each relation of projections.inputs.CALENDARS."""
    told = list(parsed(rules_text).calendars())
    return {
        "calendar_days": tuple(chain.from_iterable(map(days, told))),
        "calendar_segments": tuple(chain.from_iterable(map(segments, told))),
    }


Made = TypeVar("Made")
KEPT = 12
"""How many versions of one thing are remembered."""
_MADE: dict[tuple[str, str], deque[tuple[Any, Any]]] = defaultdict(lambda: deque(maxlen=KEPT))


def once(kind: str, name: str, rules: Rules, make: Callable[[Rules], Made]) -> Made:
    """What is compiled of the rules, made anew only where they answer otherwise what it was made of.

    Most of what a new rule book says changes a clock or a metric, and leaves the SQL of all else as it is.
    """
    known = _MADE[kind, name]
    for trace, made in known:
        if answers_alike(rules, trace):
            found: Made = made
            return found
    traced = Traced(rules.books)
    fresh = make(traced)
    known.appendleft((traced.trace, fresh))
    return fresh
