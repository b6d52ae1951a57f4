"""What a measurement came to, ready to be shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Section:
    """A table of figures under a title, with a sentence on how they were taken, and some of them drawn as bars."""

    title: str
    how: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    bars: Sequence[tuple[str, float]] = ()


def number(value: float) -> str:
    """Three significant digits, thousands apart."""
    if value >= 999.5:
        digits = len(str(round(value))) - 3
        return f"{round(value / 10**digits) * 10**digits:,}"
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def against(value: float, floor: float, goal: float) -> str:
    """Whether a figure that should be high reaches its goal, its floor, or neither."""
    if value >= goal:
        return "goal reached"
    return "floor reached" if value >= floor else "below the floor"
