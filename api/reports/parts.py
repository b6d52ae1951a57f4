"""The parts of a report around its charts: summary, weak spots, tables of sections, stages, plans."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from api.figures import goal_in_words, quantity_in_words
from api.reports.charts import share, sign
from api.reports.judging import best, score, short_by, weakest, worst
from api.reports.markup import text, told
from api.reports.shapes import Section, Tally
from api.reports.telling import HEADS, Telling
from api.reports.words import day_in_words, say

Told = dict[str, Any]
PARTS = ("met", "missed", "unjudged")


def overall(telling: Telling, names: Iterable[str]) -> list[Told]:
    """The figures of the whole period of some metrics."""
    return [one for name in names for one in telling.findings.overall.get(name, ())]


def summary(telling: Telling, names: Iterable[str]) -> str:
    """How many goals were met and missed, which by most."""
    figures = overall(telling, names)
    found = score(figures)
    counts = {"met": found.met, "missed": found.missed, "unjudged": found.unjudged, "without_goal": found.without_goal}
    cards = "".join(
        f'<li class="{name}"><strong>{count}</strong> {telling.say(name)}</li>'
        for name, count in counts.items()
        if count
    )
    said = say("score", telling.language, met=found.met, missed=found.missed, unjudged=found.unjudged)
    kinds = [("met", found.met), ("missed", found.missed), ("plain", found.unjudged)]
    bar = share(f"{telling.language}-score", say("summary", telling.language), said, kinds)
    lists = "".join(
        f"<div><h3>{telling.say(word)}</h3>{_ranked(telling, ranked)}</div>"
        for word, ranked in (("worst", worst(figures)), ("best", best(figures)))
    )
    scored = f'<ul class="score">{cards}</ul><div class="share">{bar}</div>'
    return f'{scored}{_latest(telling)}<div class="ranked">{lists}</div>'


def _latest(telling: Telling) -> str:
    """How many goals were met in the last quarter, or year: a whole period holds its beginnings too."""
    every = [one for figures in telling.findings.spans.values() for one in figures]
    if not every:
        return ""
    last = max(one["period"]["first"] for one in every)
    figures = [one for one in every if one["period"]["first"] == last]
    found = score(figures)
    (period,) = telling.plain_periods(figures[:1], telling.findings.spans_by)
    return f"<p>{telling.say('latest', period=period, met=found.met, missed=found.missed)}</p>"


def _ranked(telling: Telling, figures: Sequence[Told]) -> str:
    if not figures:
        return f"<p>{telling.say('none')}</p>"
    rows = "".join(
        f"<li><span>{told(telling.plain_name(one))}</span>"
        f'<span class="figure {one["verdict"]}">{sign(one["verdict"])} {text(telling.plain_quantity(one))}</span>'
        f"<small>{text(_aim(telling, one))}</small></li>"
        for one in figures
    )
    return f"<ol>{rows}</ol>"


def _aim(telling: Telling, figure: Told) -> str:
    """The target, and where it is a change what there was of it."""
    aim = goal_in_words(figure["goal"], telling.language)
    if figure["change"] is None:
        return aim
    change = f"{figure['change'] * 100:+.1f}%" if telling.language == "zh" else f"{figure['change'] * 100:+.1f} %"
    return f"{change} / {aim}"


def weak_spots(telling: Telling) -> str:
    """Where most cases are lacking to a goal; '' where nowhere."""
    found = weakest(telling.findings.broken.values())
    if not found:
        return ""
    heads = ("metric", "part", "value", "parts", "target", "short_by")
    rows = [
        (
            text(telling.plain_metric(one["metric"])),
            _place(telling, one),
            f'<strong class="missed">{text(telling.plain_quantity(one))}</strong>',
            f"{one['numerator']:,} / {one['denominator']:,}",
            text(goal_in_words(one["goal"], telling.language)),
            f"<strong>{short_by(one):,}</strong>",
        )
        for one in found
    ]
    return f"<p>{telling.say('weakest_text')}</p>{telling.table(heads, [('', rows)])}"


def _place(telling: Telling, figure: Told) -> str:
    return ", ".join(
        f"{told(telling.plain_value(name, value))} <small>{text(telling.plain_dimension(name))}</small>"
        for name, value in figure["dimensions"].items()
    )


def table_of(telling: Telling, names: Iterable[str]) -> str:
    """The figures of some metrics, those without data named below."""
    figures = overall(telling, names)
    there = [one for one in figures if one["value"] is not None or one["open"]]
    without = [telling.plain_metric(one["metric"]) for one in figures if one not in there]
    parts = [telling.figures(there, map(telling.plain_name, there), "metric")] if there else []
    if without:
        joined = ("、" if telling.language == "zh" else ", ").join(without)
        parts.append(f'<p class="more">{telling.say("no_data", names=joined)}</p>')
    return "".join(parts)


def tallies(telling: Telling, section: Section) -> Iterator[str]:
    """The counts of a section's rows by the values of a column."""
    for one in section.tallies:
        yield f"<div><h3>{telling.of(one.label)}</h3>{_tally(telling, one)}</div>"


def _tally(telling: Telling, one: Tally) -> str:
    found = telling.findings.tallies[one]
    if not found:
        return f"<p>{telling.say('nothing_there')}</p>"
    whole = sum(each.count for each in found)
    heads = ("which", "count", "of_all", *(("lasting", "mean") if one.until else ()))
    rows = []
    for each in found:
        cells = [
            told(telling.plain_value(one.by, each.value)),
            f"{each.count:,}",
            quantity_in_words(each.count / whole, "ratio", telling.language),
        ]
        if one.until:
            mean = quantity_in_words((each.lasted or 0) / each.count, "microseconds", telling.language)
            cells += [f"{each.lasting:,}" if each.lasting else "", mean]
        rows.append(cells)
    source = f'<p class="more">{telling.say("tally_text", table=one.table)}</p>'
    return telling.table(heads, [("", rows)]) + source


def spans(telling: Telling, names: Iterable[str]) -> str:
    """Metrics by quarter or year, a column for each; '' where there is one only."""
    rows = [(name, part, figures) for name in names for part, figures in _by_part(telling.findings.spans.get(name, ()))]
    rows = [row for row in rows if any(one["value"] is not None for one in row[2])]
    if not rows:
        return ""
    longest = max((figures for *_, figures in rows), key=len)
    heads = telling.plain_periods(longest, telling.findings.spans_by)
    days = [one["period"]["first"] for one in longest]
    head = "".join(f'<th scope="col" class="value">{text(each)}</th>' for each in heads)
    body = ""
    for name, part, figures in rows:
        by_day = {one["period"]["first"]: one for one in figures}
        title = telling.plain_metric(name) + (f" ({part})" if part else "")
        cells = "".join(_span_cell(telling, by_day.get(day)) for day in days)
        body += f'<tr><th scope="row">{told(title)}</th>{cells}</tr>'
    word = "by_span" if telling.findings.spans_by == "quarter" else "by_year"
    metric = telling.say("metric")
    return (
        f'<h3>{telling.say(word)}</h3><div class="wide"><table class="spans"><thead><tr><th scope="col" class="metric">'
        f"{metric}</th>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _by_part(figures: Sequence[Told]) -> Iterator[tuple[str, list[Told]]]:
    parts: dict[str, list[Told]] = {}
    for one in figures:
        parts.setdefault(", ".join(one["dimensions"].values()), []).append(one)
    if len(parts) > 1:
        # periods without data of what is always told by a dimension
        parts.pop("", None)
    yield from parts.items()


def _span_cell(telling: Telling, figure: Told | None) -> str:
    if figure is None or figure["value"] is None:
        return '<td class="value">–</td>'
    found = figure["verdict"]
    kind = found if found in ("met", "missed") else "plain"
    return f'<td class="value {kind}">{text(telling.plain_quantity(figure))} <span>{sign(found)}</span></td>'


def stages(telling: Telling) -> str:
    """The stages of targets that grow with the programme; '' where no target does."""
    groups: dict[str, list[Sequence[str]]] = {}
    for stage in telling.findings.stages:
        ends = None if stage.last is None else day_in_words(stage.last, telling.language)
        first = day_in_words(stage.first, telling.language)
        when = say("onwards", telling.language, first=first) if ends is None else f"{first} – {ends}"
        one = stage.figure
        part = "" if one is None or not one["dimensions"] else f" ({telling.plain_part(one)})"
        outside = f"<small>{telling.say('outside')}</small>"
        cells: tuple[str, ...] = (outside, "", "", "", "") if one is None else _stage_cells(telling, one)
        goal = text(goal_in_words(stage.goal, telling.language))
        rows = groups.setdefault(stage.metric.name, [])
        rows.append((text(when) + told(part), goal, *cells))
    if not groups:
        return ""
    start = day_in_words(telling.findings.book.programme_start, telling.language)
    heads = ("stage_from", "target", "value", "parts", "open", "change", "verdict")
    titled = [(text(telling.plain_metric(name)), rows) for name, rows in groups.items()]
    return f"<p>{telling.say('stages_text', start=start)}</p>{telling.table(heads, titled)}"


def _stage_cells(telling: Telling, figure: Told) -> tuple[str, ...]:
    cells = dict(zip(HEADS, telling.cells(figure), strict=True))
    return tuple(cells[name] for name in ("value", "parts", "open", "change", "verdict"))


def plans(telling: Telling) -> str:
    """The plans, with what they were to reach and what they did; '' where there are none."""
    rows = [_plan(telling, row) for row in telling.findings.plans]
    if not rows:
        return ""
    heads = ("objective", "department", "before", "goal", "achieved", "spent", "verdict")
    more = telling.findings.more_plans
    note = f'<p class="more">{telling.say("more_plans", count=more)}</p>' if more else ""
    return f"<h3>{telling.say('plan_list')}</h3>{telling.table(heads, [('', rows)])}{note}"


def _plan(telling: Telling, row: dict[str, Any]) -> Sequence[str]:
    met = row["goal_met"] if row["evaluated_at"] is not None else None
    word = "plan_running" if met is None else "plan_met" if met else "plan_missed"
    kind = "plain" if met is None else "met" if met else "missed"
    numbers = [_number(row[name], row["unit"]) for name in ("baseline_value", "goal_value", "achieved_value")]
    money = [quantity_in_words(row[name], "money") for name in ("spent", "budget")]
    return (
        f"{told(row['objective'])} <small>{told(row['plan_id'])}</small>",
        told(row["department"] or ""),
        *numbers,
        f"{text(money[0])} / {text(money[1])} <small>{text(row['currency'] or '')}</small>" if row["budget"] else "",
        f'<span class="verdict {kind}">{sign(kind)} {telling.say(word)}</span>',
    )


def _number(value: int | None, unit: str | None) -> str:
    return "" if value is None else f"{value:,} <small>{told(unit or '')}</small>"
