"""The history of a subject as one HTML document, in both languages, that needs nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from api.reports.markup import text, told
from api.reports.page import TAGS, html
from api.reports.words import LANGUAGES, Language
from ledger.choices import Label
from ledger.events import AGGREGATES
from ledger.seal.tiles import Signed
from ledger.vocabulary import Erased, instant_text
from projections.history import Item
from projections.words import erased_in_words

WORDS: Final = {
    "title": Label("Evidence", "证据"),
    "as_of": Label(
        "As the ledger knew it when it had {size:,} entries, sealed at {at}.",
        "账本共有 {size:,} 条记录、于 {at} 封存时的内容。",
    ),
    "check": Label(
        "This page is for reading. What proves it are the files beside it: see README.txt.",
        "本页供阅读，证明在同一文件包的其他文件中，见 README.txt。",
    ),
    "withheld": Label("Personal texts were left out of this bundle.", "本文件包不含个人信息。"),
    "history": Label("What happened", "经过"),
    "figures": Label("The ledger's figures then", "当时的指标"),
    "position": Label("No.", "序号"),
    "occurred": Label("Occurred", "发生时间"),
    "recorded": Label("Recorded", "记录时间"),
    "what": Label("What", "内容"),
    "who": Label("Who, as told", "经手人（所述）"),
    "key": Label("Under key", "记录密钥"),
    "reason": Label("Reason", "原因"),
    "voided": Label("voided by no. {by}", "已被第 {by} 条撤销"),
    "metric": Label("Metric", "指标"),
    "value": Label("Figure", "数值"),
    "of": Label("Of", "总数"),
    "stamp": Label("Stamp", "凭证"),
}
HEADS: Final = ("position", "occurred", "recorded", "what", "who", "key")


def page(
    aggregate: str, subject: str, items: Sequence[Item], figures: dict[str, Any], signed: Signed, *, personal: bool
) -> bytes:
    """The document; `figures` as `/v1/kpis` answers them. Without `personal`, texts are said to be left out."""
    mains = "".join(_main(each, aggregate, subject, items, figures, signed, personal) for each in LANGUAGES)
    return html(f"{WORDS['title'].en} {aggregate} {subject}", "en", mains)


def _main(
    language: Language,
    aggregate: str,
    subject: str,
    items: Sequence[Item],
    figures: dict[str, Any],
    signed: Signed,
    personal: bool,
) -> str:
    def say(word: str, **values: Any) -> str:
        return text(WORDS[word].of(language).format(**values))

    heads = "".join(f'<th scope="col">{say(each)}</th>' for each in HEADS)
    rows = "".join(_row(language, each, personal) for each in items)
    left_out = "" if personal else f'<p class="banner">{say("withheld")}</p>'
    listed = "".join(
        f"<tr><td>{text((each['label'] or {}).get(language) or each['metric'])}</td><td>{_number(each)}</td>"
        f"<td>{text(each['denominator'] if each['denominator'] is not None else '')}</td>"
        f"<td><code>{text(each['stamp'])}</code></td></tr>"
        for each in figures["figures"]
    )
    table = "".join(f'<th scope="col">{say(each)}</th>' for each in ("metric", "value", "of", "stamp"))
    shown = (
        f"<section><h2>{say('figures')}</h2><table><thead><tr>{table}</tr></thead><tbody>{listed}</tbody></table></section>"
        if listed
        else ""
    )
    return (
        f'<main lang="{TAGS[language]}"><header><h1>{say("title")}: {text(AGGREGATES[aggregate].label.of(language))} '
        f"{told(subject)}</h1><p>{say('as_of', size=signed.size, at=instant_text(signed.signed_at)[:19] + 'Z')}</p>"
        f"{left_out}<p>{say('check')}</p></header><section><h2>{say('history')}</h2><table><thead><tr>{heads}</tr></thead>"
        f"<tbody>{rows}</tbody></table></section>{shown}</main>\n"
    )


def _row(language: Language, item: Item, personal: bool) -> str:
    event = item.event
    whose = (
        ""
        if item.own
        else f"<small>{text(AGGREGATES[event.aggregate].label.of(language))} {told(event.subject)}</small> "
    )
    what = f"{whose}{told(item.words[language])}"
    if item.voided_by is not None:
        what = f"<s>{what}</s> <small>{text(WORDS['voided'].of(language).format(by=item.voided_by))}</small>"
    reason = event.reason
    if isinstance(reason, Erased):
        reason = erased_in_words(reason, language)
    if personal and isinstance(reason, str):
        what += f"<br><small>{text(WORDS['reason'].of(language))}: {told(reason)}</small>"
    cells = (
        text(event.position),
        _moment(event.occurred_at),
        _moment(event.recorded_at),
        what,
        told(event.actor or ""),
        text(event.recorded_by),
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _moment(at: datetime) -> str:
    day, time = instant_text(at)[:19].split("T")
    return f'{day} <span class="figure">{time} Z</span>'


def _number(figure: dict[str, Any]) -> str:
    value = figure["value"]
    if value is None:
        return "–"
    return text(f"{100 * value:.1f} %" if figure["unit"] == "ratio" else value)
