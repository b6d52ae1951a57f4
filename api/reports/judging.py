"""What a report says of its figures beyond themselves: where goals lie, how far from them, what is best and worst."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ledger.rulebook.model import BASIS

Told = dict[str, Any]
JUDGED: Final = ("met", "missed")


@dataclass(frozen=True)
class Score:
    """How many figures of a report met their goal, missed it, had one and could not be judged, or had none."""

    met: int
    missed: int
    unjudged: int
    without_goal: int


def score(figures: Iterable[Told]) -> Score:
    """Count the verdicts of some figures; those without data and without a goal are not counted at all."""
    told = [one["verdict"] for one in figures if one["goal"] is not None or one["value"] is not None]
    without = sum(verdict == "no goal" for verdict in told)
    met, missed = (sum(verdict == each for verdict in told) for each in JUDGED)
    return Score(met, missed, len(told) - met - missed - without, without)


def target(figure: Told) -> float | None:
    """Where the goal lies, in the figure's own unit: a goal of change counts from the baseline. None without either."""
    goal, baseline = figure["goal"] or {}, figure["baseline"]
    for name in ("at_least", "at_most"):
        if name in goal:
            return float(goal[name])
    if baseline is None or baseline["value"] is None or figure["verdict"] == "not comparable":
        return None
    if "change" in goal:
        return float(baseline["value"] * (1 + goal["change"]))
    return float(baseline["value"] + goal["change_points"]) if "change_points" in goal else None


def falling(goal: Told) -> bool:
    """Whether less is better."""
    return "at_most" in goal or goal.get("change", 0) < 0 or goal.get("change_points", 0) < 0


def margin(figure: Told) -> float | None:
    """How far beyond its goal a judged figure is, as a part of the goal; negative where it misses it."""
    wanted = target(figure)
    if figure["verdict"] not in JUDGED or figure["value"] is None or not wanted:
        return None
    beyond = float(figure["value"] / wanted - 1)
    return -beyond if falling(figure["goal"]) else beyond


def worst(figures: Iterable[Told], most: int = 5) -> list[Told]:
    """Of those that missed their goals, the ones farthest from them."""
    found = [(each, one) for one in figures if one["verdict"] == "missed" and (each := margin(one)) is not None]
    return [one for _, one in sorted(found, key=lambda pair: (pair[0], pair[1]["metric"]))[:most]]


def best(figures: Iterable[Told], most: int = 5) -> list[Told]:
    """Of those that met their goals, the ones farthest beyond them."""
    found = [(each, one) for one in figures if one["verdict"] == "met" and (each := margin(one)) is not None]
    return [one for _, one in sorted(found, key=lambda pair: (-pair[0], pair[1]["metric"]))[:most]]


def short_by(figure: Told) -> int:
    """How many more cases would have had to go well for a share to meet its goal; 0 where that cannot be said."""
    goal = figure["goal"] or {}
    if figure["verdict"] != "missed" or figure["unit"] != "ratio":
        return 0
    went, counted = int(figure["numerator"]), int(figure["denominator"])
    for name in ("at_least", "at_most"):
        if name in goal:
            points: int = round(goal[name] * BASIS)
            if name == "at_least":
                return -(-points * counted // BASIS) - went
            return went - points * counted // BASIS
    return 0


def weakest(broken: Iterable[Sequence[Told]], most: int = 10) -> list[Told]:
    """The parts of breakdowns that lack most cases to their goals, most first."""
    found = [(short_by(one), one) for figures in broken for one in figures]
    ranked = sorted(
        (pair for pair in found if pair[0] > 0),
        key=lambda pair: (-pair[0], pair[1]["metric"], sorted(pair[1]["dimensions"].items())),
    )
    return [one for _, one in ranked[:most]]
