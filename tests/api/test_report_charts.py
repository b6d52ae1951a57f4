"""Charts and text of reports: whatever the figures say, what comes out is well-formed and only what it seems."""

import re
from collections.abc import Sequence
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.figures import change_in_words, duration_in_words, goal_in_words, quantity_in_words
from api.reports.charts import Bar, Point, bars, line, share
from api.reports.judging import best, margin, score, short_by, worst
from api.reports.markup import shortened, text, wide

SVG = "{http://www.w3.org/2000/svg}"
VERDICTS = ("met", "missed", "no goal", "too few", "")
NUMBERS = st.floats(min_value=-1e18, max_value=1e18, allow_nan=False, allow_infinity=False)
BARS = st.builds(Bar, st.text(), NUMBERS, st.text(), st.text(), st.sampled_from(VERDICTS), st.none() | NUMBERS)
POINTS = st.builds(Point, st.text(), st.none() | NUMBERS, st.text(), st.sampled_from(VERDICTS), st.none() | NUMBERS)
CEILINGS = st.sampled_from([None, 1.0])


def numbers_of(drawn: str) -> list[float]:
    """Every coordinate and length of a chart."""
    root = ElementTree.fromstring(drawn)
    names = {"x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "width", "height"}
    return [float(value) for element in root.iter() for name, value in element.attrib.items() if name in names]


@given(st.text(), st.text(), st.lists(BARS, max_size=14), CEILINGS)
def test_bars_of_any_figures_are_well_formed(
    title: str, description: str, rows: Sequence[Bar], ceiling: float | None
) -> None:
    drawn = bars("chart", title, description, rows, ceiling=ceiling)
    root = ElementTree.fromstring(drawn)
    assert len(root.findall(f".//{SVG}rect")) == len(rows)
    assert root.get("aria-labelledby") == "chart-title chart-text"
    assert all(abs(number) < 1e30 for number in numbers_of(drawn))
    assert all(rect.get("width", "").startswith("-") is False for rect in root.iter(f"{SVG}rect"))


@given(st.lists(POINTS, max_size=40), CEILINGS, st.none() | NUMBERS, st.sampled_from([0.0, 0.6]))
def test_lines_of_any_figures_are_well_formed_and_inside(
    points: Sequence[Point], ceiling: float | None, baseline: float | None, floor: float
) -> None:
    drawn = line(
        "chart",
        "title",
        "text",
        points,
        ticks=lambda value: f"{value:g}",
        ceiling=ceiling,
        baseline=baseline,
        floor=floor,
    )
    root = ElementTree.fromstring(drawn)
    circles = root.findall(f".//{SVG}circle")
    assert len(circles) == sum(point.value is not None for point in points)
    for circle in circles:
        assert 0 <= float(circle.get("cx", "nan")) <= 520
        assert 20 <= float(circle.get("cy", "nan")) <= 180
    marks = [each for each in root.iter(f"{SVG}line") if each.get("class") == "grid"]
    assert 2 <= len(marks) <= 7


@given(st.lists(st.integers(0, 1000), min_size=3, max_size=3))
def test_a_share_fills_its_width(counts: list[int]) -> None:
    drawn = share("chart", "title", "text", list(zip(("met", "missed", "plain"), counts, strict=True)))
    widths = [float(rect.get("width", "0")) for rect in ElementTree.fromstring(drawn).iter(f"{SVG}rect")]
    assert len(widths) == sum(count > 0 for count in counts)
    assert sum(widths) == pytest.approx(520 if any(counts) else 0, abs=0.3)


@given(st.text())
def test_no_text_ends_a_tag_or_turns_what_follows(value: str) -> None:
    shown = text(value)
    assert not re.search("[<>\"'\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c\x00-\x08]", shown)
    ElementTree.fromstring(f'<a b="{shown}">{shown}</a>')


def test_what_turns_text_is_made_visible() -> None:
    assert text("a\u202eb") == "a[U+202E]b"
    assert text("\x00<b>&") == "\ufffd&lt;b&gt;&amp;"


@given(st.text(), st.floats(3, 20))
def test_a_shortened_text_fits(value: str, ems: float) -> None:
    assert wide(shortened(value, ems)) <= ems or shortened(value, ems) == "…"


def figure(value: float, counted: int, verdict: str, **goal: float) -> dict[str, object]:
    return {
        "metric": f"m{value}",
        "value": value,
        "unit": "ratio",
        "numerator": round(value * counted),
        "denominator": counted,
        "dimensions": {},
        "goal": goal or None,
        "baseline": {"value": 0.5} if "change" in goal or "change_points" in goal else None,
        "verdict": verdict,
        "change": None,
    }


def test_how_many_cases_are_lacking() -> None:
    assert short_by(figure(0.5, 10, "missed", at_least=0.9)) == 4
    assert short_by(figure(0.5, 9, "missed", at_least=0.9)) == 5  # 4 of 9; 8.1 of them rounds up to all 9
    assert short_by(figure(0.2, 10, "missed", at_most=0.05)) == 2
    assert short_by(figure(0.9, 10, "met", at_least=0.9)) == 0
    assert short_by(figure(0.5, 10, "missed", change=0.5)) == 0


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (figure(0.45, 10, "missed", at_least=0.9), -0.5),
        (figure(0.1, 10, "missed", at_most=0.05), -1.0),
        (figure(0.25, 10, "met", change=-0.25), 1 / 3),
        (figure(0.75, 10, "met", change_points=0.25), 0.0),
        (figure(0.75, 10, "too few", at_least=0.9), None),
    ],
)
def test_how_far_a_figure_is_from_its_goal(told: dict[str, object], expected: float | None) -> None:
    found = margin(told)
    assert found is None if expected is None else found == pytest.approx(expected)


def test_the_best_and_the_worst_come_first() -> None:
    told = [
        figure(0.8, 10, "missed", at_least=0.9),
        figure(0.3, 10, "missed", at_least=0.9),
        figure(0.95, 10, "met", at_least=0.9),
        figure(0.99, 10, "met", at_least=0.9),
        figure(0.7, 10, "no goal"),
        figure(0.7, 10, "too few", change=-0.1),
    ]
    assert [one["value"] for one in worst(told)] == [0.3, 0.8]
    assert [one["value"] for one in best(told)] == [0.99, 0.95]
    found = score(told)
    assert (found.met, found.missed, found.unjudged, found.without_goal) == (2, 2, 1, 1)


def test_figures_in_words_in_both_languages() -> None:
    assert quantity_in_words(0.9031, "ratio") == "90.3 %"
    assert quantity_in_words(0.9031, "ratio", "zh") == "90.3%"
    assert quantity_in_words(None, "ratio", "zh") == "–"
    assert (duration_in_words(7_200_000_000), duration_in_words(7_200_000_000, "zh")) == ("2.0 h", "2.0 小时")
    assert goal_in_words({"change_points": 0.25}) == "Δ +25 pp"
    assert change_in_words({"change": 0.05, "goal": {"change_points": 0.25}}) == "+5.0 pp"
    assert change_in_words({"change": -0.3, "goal": {"change": -0.3}}, "zh") == "-30.0%"
