"""Charts as SVG of our own: bars by dimension and lines over time, with their targets.

Colours come from the page's style sheet by class, so that dark screens and paper have their own; no chart says anything
by colour alone. There are no scripts and nothing comes from elsewhere. Each has a title and a description, for those
who listen to it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from api.reports.markup import shortened, text

WIDTH: Final = 520.0
ROW: Final = 27.0
FLAT: Final = 1e-9
"""Below this part of the values themselves, their differences are no difference."""
SIGNS: Final = {"met": "✓", "missed": "✗"}
Format = Callable[[float], str]


@dataclass(frozen=True)
class Bar:
    """value: what its length shows. told: the value in words. note: what it was counted from. target: where its goal
    lies."""

    label: str
    value: float
    told: str
    note: str = ""
    verdict: str = ""
    target: float | None = None


@dataclass(frozen=True)
class Point:
    """A value of one period, None where there was none; where its goal lay then."""

    label: str
    value: float | None
    told: str
    verdict: str = ""
    target: float | None = None


def bars(name: str, title: str, description: str, rows: Sequence[Bar], *, ceiling: float | None = None) -> str:
    """Horizontal bars, one below the other, with a mark where each one's goal lies.

    `ceiling` is where the scale ends at the latest, such as 1 for shares of a whole.
    """
    left, right = 132.0, 372.0
    most = max((each for row in rows for each in (row.value, row.target or 0.0)), default=0.0)
    end = _end(most, ceiling)
    height = ROW * len(rows) + 14
    parts = [f'<line class="axis" x1="{left}" x2="{left}" y1="4" y2="{height - 8:.1f}"/>']
    for nth, row in enumerate(rows):
        top = 6 + nth * ROW
        middle = top + ROW / 2
        length = max(0.0, row.value) / end * (right - left)
        parts.append(
            f"<g><title>{text(row.label)}: {text(row.told)} {text(row.note)}</title>"
            f'<text class="label" x="{left - 8:.1f}" y="{middle + 4.5:.1f}" text-anchor="end">'
            f"{text(shortened(row.label, 9))}</text>"
            f'<rect class="bar {_kind(row.verdict)}" x="{left:.1f}" y="{top + 5:.1f}" width="{length:.1f}" '
            f'height="{ROW - 10:.1f}" rx="2"/>'
            f'<text class="value" x="434" y="{middle + 4.5:.1f}" text-anchor="end">{text(row.told)}</text>'
            f'<text class="sign {_kind(row.verdict)}" x="440" y="{middle + 4.5:.1f}">{sign(row.verdict)}</text>'
            f'<text class="note" x="{WIDTH:.0f}" y="{middle + 4.5:.1f}" text-anchor="end">'
            f"{text(shortened(row.note, 6.2))}</text></g>"
        )
        if row.target is not None:
            at = left + max(0.0, row.target) / end * (right - left)
            parts.append(f'<line class="target" x1="{at:.1f}" x2="{at:.1f}" y1="{top:.1f}" y2="{top + ROW:.1f}"/>')
    return _svg(name, title, description, height, parts)


def line(
    name: str,
    title: str,
    description: str,
    points: Sequence[Point],
    *,
    ticks: Format,
    ceiling: float | None = None,
    baseline: float | None = None,
    floor: float = 0.0,
) -> str:
    """Values over time, joined faintly across periods without one, with the goal as a stepped line and the baseline.

    `ticks` words the values at the scale; the scale begins at `floor` at the highest, `ceiling` is where it ends at the
    latest.
    """
    left, right, top, bottom = 58.0, WIDTH - 18, 22.0, 178.0
    values = [each for point in points for each in (point.value, point.target) if each is not None]
    values += [] if baseline is None else [baseline]
    least, most = min(values, default=0.0), max(values, default=0.0)
    low, high, marks = _scale(min(floor, least), most, ceiling)
    across = (right - left) / max(len(points) - 1, 1)

    def place(nth: int, value: float) -> tuple[float, float]:
        x = left + nth * across if len(points) > 1 else (left + right) / 2
        return x, bottom - (value - low) / (high - low) * (bottom - top)

    parts = []
    for mark in marks:
        y = place(0, mark)[1]
        parts.append(f'<line class="grid" x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="note" x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{text(ticks(mark))}</text>')
    parts += _periods(points, place, bottom)
    if baseline is not None:
        y = place(0, baseline)[1]
        parts.append(f'<line class="baseline" x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
    for begins, ends, goal in _runs([point.target for point in points]):
        half = across / 2 if len(points) > 1 else (right - left) / 2
        (x1, y), (x2, _) = place(begins, goal), place(ends, goal)
        x1, x2 = max(left, x1 - half), min(right, x2 + half)
        parts.append(f'<line class="target" x1="{x1:.1f}" x2="{x2:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>')
    valued = [(nth, point.value) for nth, point in enumerate(points) if point.value is not None]
    for (here, first), (there, then) in pairwise(valued):
        (x1, y1), (x2, y2) = place(here, first), place(there, then)
        kind = "line" if there == here + 1 else "line gap"
        parts.append(f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>')
    told = _worth_telling(points)
    for nth, point in enumerate(points):
        if point.value is None:
            continue
        x, y = place(nth, point.value)
        parts.append(
            f"<g><title>{text(point.label)}: {text(point.told)}</title>"
            f'<circle class="point {_kind(point.verdict)}" cx="{x:.1f}" cy="{y:.1f}" r="4"/></g>'
        )
        if nth in told:
            anchor = "start" if nth == 0 else "end" if nth == len(points) - 1 else "middle"
            # a label stands on the side that the line leaves free
            y += 18 if _dips(points, nth) and y < bottom - 20 else -9
            parts.append(
                f'<text class="value" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text(point.told)}</text>'
            )
    return _svg(name, title, description, 206, parts)


def share(name: str, title: str, description: str, parts: Sequence[tuple[str, int]]) -> str:
    """One bar made of parts (class, count), end to end."""
    whole = sum(count for _, count in parts)
    drawn, x = [], 0.0
    for kind, count in parts:
        width = WIDTH * count / whole if whole else 0.0
        if count:
            drawn.append(f'<rect class="bar {kind}" x="{x:.1f}" y="0" width="{width:.1f}" height="16"/>')
        x += width
    return _svg(name, title, description, 16, drawn, stretched=True)


def _worth_telling(points: Sequence[Point]) -> set[int]:
    """The places of the points whose value is written out: the first, the last, the lowest and the highest."""
    valued = [(point.value, nth) for nth, point in enumerate(points) if point.value is not None]
    if not valued:
        return set()
    kept = {valued[0][1], valued[-1][1]}
    for _, nth in (min(valued), max(valued)):
        # two labels beside each other would run into one another
        if all(abs(nth - other) > 1 for other in kept):
            kept.add(nth)
    return kept


def _dips(points: Sequence[Point], nth: int) -> bool:
    """Whether a value lies below the ones beside it."""
    value = points[nth].value
    beside = [point.value for point in points[max(nth - 1, 0) : nth + 2] if point.value is not None]
    return value is not None and value < sum(beside) / len(beside)


def _runs(values: Sequence[float | None]) -> list[tuple[int, int, float]]:
    """Stretches of one value: its first and last place."""
    found: list[tuple[int, int, float]] = []
    for nth, value in enumerate(values):
        if value is None:
            continue
        if found and found[-1][1] == nth - 1 and found[-1][2] == value:
            found[-1] = (found[-1][0], nth, value)
        else:
            found.append((nth, nth, value))
    return found


def _periods(points: Sequence[Point], place: Callable[[int, float], tuple[float, float]], bottom: float) -> list[str]:
    every = max(1, math.ceil(len(points) / 12))
    return [
        f'<text class="note" x="{place(nth, 0.0)[0]:.1f}" y="{bottom + 18:.1f}" text-anchor="middle">'
        f"{text(point.label)}</text>"
        for nth, point in enumerate(points)
        if nth % every == 0
    ]


def sign(verdict: str) -> str:
    """The sign of a verdict; '' for those that say neither met nor missed."""
    return SIGNS.get(verdict, "")


def _kind(verdict: str) -> str:
    return verdict if verdict in SIGNS else "plain"


def _end(most: float, ceiling: float | None) -> float:
    """Where the scale of bars ends: at the highest value, or at the whole where values come near it."""
    if ceiling is not None and most > ceiling / 2:
        return max(most, ceiling)
    return most if most > 0 else 1.0


def _scale(least: float, most: float, ceiling: float | None) -> tuple[float, float, list[float]]:
    """Where a scale begins and ends, and its marks: round steps, not more than five of them."""
    if most - least <= FLAT * max(abs(least), abs(most), 1.0):
        most = least + (abs(least) if abs(least) > FLAT else 1.0)
    step = _round_step((most - least) / 4)
    low = math.floor(least / step + 1e-9) * step
    high = math.ceil(most / step - 1e-9) * step
    if ceiling is not None and most <= ceiling:
        high = min(high, ceiling)
    marks = [low + nth * step for nth in range(int((high - low) / step + 1e-9) + 1)]
    return low, high, marks


def _round_step(least: float) -> float:
    """The next 1, 2 or 5 times a power of ten."""
    power: float = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))


def _svg(
    name: str, title: str, description: str, height: float, parts: Sequence[str], *, stretched: bool = False
) -> str:
    ratio = ' preserveAspectRatio="none"' if stretched else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:.0f} {height:.0f}"{ratio} role="img" '
        f'aria-labelledby="{name}-title {name}-text"><title id="{name}-title">{text(title)}</title>'
        f'<desc id="{name}-text">{text(description)}</desc>{"".join(parts)}</svg>'
    )
