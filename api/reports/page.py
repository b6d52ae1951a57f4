"""A report as one HTML document that needs nothing from elsewhere: both languages, a switch without scripts, for screen
and paper.

The same findings and facts give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Final
from zoneinfo import ZoneInfo

from api.reports import appendix, parts
from api.reports.drawing import Drawing
from api.reports.gathering import Findings
from api.reports.judging import score
from api.reports.markup import text, told
from api.reports.shapes import Section
from api.reports.telling import Telling
from api.reports.words import LANGUAGES, Language, day_in_words
from ledger.choices import Label
from ledger.vocabulary import instant_text
from projections.values import instant

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
"""What the document may load and run: nothing but the styles it brings along."""
TAGS: Final = {"zh": "zh-CN", "en": "en"}
NAMES: Final = {"zh": "中文", "en": "English"}
STYLE: Final = files("api.reports").joinpath("style.css").read_text("utf-8")


@dataclass(frozen=True)
class Facts:
    """What a report says of its issue: its id, who issued it (as they say), under which key, and whether the ledger
    tells invented things."""

    report_id: str
    actor: str | None
    key_id: str
    simulated: bool


def html(title: str, language: Language, mains: str) -> bytes:
    """A whole document, UTF-8, of a `<main>` in each language, that opens in `language`."""
    switches = "".join(
        f'<input type="radio" name="language" id="show-{each}"{" checked" if each == language else ""}>'
        for each in LANGUAGES
    )
    labels = "".join(f'<label for="show-{each}" lang="{TAGS[each]}">{NAMES[each]}</label>' for each in LANGUAGES)
    return (
        f'<!DOCTYPE html>\n<html lang="{TAGS[language]}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{text(title)}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n"
        f'{switches}<nav class="switch">{labels}</nav>\n{mains}</body>\n</html>\n'
    ).encode()


def document(findings: Findings, facts: Facts, language: Language) -> bytes:
    """The document, UTF-8, that opens in `language`."""
    title = f"{findings.definition.title.of(language)} {findings.first} – {findings.last}"
    mains = "".join(_main(Telling(findings, each), facts) for each in LANGUAGES)
    return html(title, language, mains)


def _main(telling: Telling, facts: Facts) -> str:
    found = telling.findings
    names = [*dict.fromkeys(name for section in found.definition.sections for name in section.metrics)]
    others = [name for name in found.overall if name not in names] if found.definition.whole else []
    drawing = Drawing(telling)
    chapters = [
        ("summary", telling.say("summary"), _summary(telling, [*names, *others])),
        ("weakest", telling.say("weakest"), parts.weak_spots(telling)),
        *(
            (each.name, telling.of(each.heading), _section(telling, drawing, each))
            for each in found.definition.sections
        ),
        ("others", telling.say("others"), _others(telling, others)),
        ("stages", telling.say("stages"), parts.stages(telling)),
        ("appendix", telling.say("appendix"), _appendix(telling)),
        ("about", telling.say("about"), _about(telling, facts)),
    ]
    chapters = [chapter for chapter in chapters if chapter[2]]
    language = telling.language
    contents = "".join(f'<li><a href="#{language}-{name}">{heading}</a></li>' for name, heading, _ in chapters)
    bodies = "".join(
        f'<section id="{language}-{name}" class="{name}"><h2>{heading}</h2>{body}</section>\n'
        for name, heading, body in chapters
    )
    return (
        f'<main lang="{TAGS[language]}">\n{_header(telling, facts)}'
        f'<nav class="contents"><h2>{telling.say("contents")}</h2><ol>{contents}</ol></nav>\n{bodies}</main>\n'
    )


def _header(telling: Telling, facts: Facts) -> str:
    found, language = telling.findings, telling.language
    first, last = (day_in_words(day, language) for day in (found.first, found.last))
    book = found.book.label
    subject = "" if book is None else f'<p class="subject">{telling.of(Label(book.en, book.zh))}</p>'
    notes = []
    if found.provisional:
        notes.append(telling.say("provisional", last=last, asked=_asked(telling)))
    if facts.simulated:
        notes.append(telling.say("simulated"))
    banner = "".join(f'<p class="banner">{note}</p>' for note in notes)
    return (
        f"<header>{subject}<h1>{telling.of(found.definition.title)}</h1>"
        f'<p class="period">{text(first)} {telling.say("to")} {text(last)}</p>{banner}'
        f"<p>{telling.of(found.definition.introduction)}</p></header>\n"
    )


def _summary(telling: Telling, names: Sequence[str]) -> str:
    keys = "".join(
        f'<li><span class="swatch {kind}"></span>{telling.say(f"legend_{kind}")}</li>'
        for kind in ("met", "missed", "plain", "target", "baseline")
    )
    counted = telling.say("legend_n")
    legend = f'<p class="legend-title">{telling.say("legend")}</p><ul class="legend">{keys}<li>{counted}</li></ul>'
    return parts.summary(telling, names) + legend


def _section(telling: Telling, drawing: Drawing, section: Section) -> str:
    figures = parts.overall(telling, section.metrics)
    found = score(figures)
    judged = found.met + found.missed
    badge = f'<p class="badge">{telling.say("legend_met")} {found.met} / {judged}</p>' if judged else ""
    charts = "".join(drawing.charts(section))
    tallies = "".join(parts.tallies(telling, section))
    body = "".join(
        (
            parts.table_of(telling, section.metrics),
            f'<div class="charts">{charts}</div>' if charts else "",
            f'<div class="tallies">{tallies}</div>' if tallies else "",
            parts.spans(telling, section.metrics),
            parts.plans(telling) if section.name == "plans" else "",
        )
    )
    return f"{badge}<p>{telling.of(section.text)}</p>{body}" if body else ""


def _others(telling: Telling, names: Sequence[str]) -> str:
    table = parts.table_of(telling, names)
    return f"<p>{telling.say('others_text')}</p>{table}{parts.spans(telling, names)}" if table else ""


def _appendix(telling: Telling) -> str:
    found = "".join(appendix.tables(telling))
    return f"<p>{telling.say('appendix_text')}</p>{found}" if found else ""


def _about(telling: Telling, facts: Facts) -> str:
    rows = "".join(f"<dt>{telling.say(word)}</dt><dd>{value}</dd>" for word, value in _facts(telling, facts))
    absent = telling.findings.absent
    left_out = f"<p>{telling.say('absent', names=', '.join(absent))}</p>" if absent else ""
    several = f"<p>{telling.say('several')}</p>" if len(telling.findings.versions) > 1 else ""
    return f"<dl>{rows}</dl>{several}{left_out}"


def _facts(telling: Telling, facts: Facts) -> Iterator[tuple[str, str]]:
    found = telling.findings
    yield "report_id", f"<code>{text(facts.report_id)}</code>"
    yield "period", f"{found.first} – {found.last} ({text(found.book.time_zone)})"
    yield "asked", f"{text(_asked(telling))} <small>{instant_text(instant(found.asked))}</small>"
    yield "position", f"{found.position:,}"
    books = [book for book in found.books if book.version in found.versions]
    yield "rule_book", "<br>".join(text(f"{book.rule_book} {book.version}") for book in books)
    yield "digest", "<br>".join(f"<code>{text(book.digest())}</code>" for book in books)
    yield "recipe", f"<code>{text(found.recipe)}</code>"
    yield "issued_by", told(facts.actor) if facts.actor else telling.say("not_said")
    yield "key", f"<code>{text(facts.key_id)}</code>"
    yield "figures", telling.say("figures_text", count=f"{len(found.figures):,}")


def _asked(telling: Telling) -> str:
    zone = telling.findings.book.time_zone
    asked = instant(telling.findings.asked).astimezone(ZoneInfo(zone))
    return f"{day_in_words(asked.date(), telling.language)} {asked:%H:%M} {zone}"
