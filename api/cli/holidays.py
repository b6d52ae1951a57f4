"""Official holidays and make-up workdays, as a rule book's calendar lists them.

From `chinesecalendar`, which holds the yearly notices of the State Council's General Office and works nothing out by
itself: a year without a notice is not told.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from chinese_calendar.constants import Holiday, holidays, workdays

from api.cli.client import ClientError

COUNTRIES = ("CN",)
Language = Literal["en", "zh"]
HEADS = {
    "en": (
        "Holidays and make-up workdays of {country} {year}, as announced by the State Council's General Office.",
        "A workday here may be one that the notice for {next} adds in December: {next} {known}.",
        ("is in these data", "is not in these data yet"),
    ),
    "zh": (
        "{country} {year} 年节假日与调休上班日，依国务院办公厅通知。",
        "{next} 年的通知可能在 12 月再加调休上班日：{next} 年的数据{known}。",
        ("已有", "尚无"),
    ),
}


def listing(country: str, year: int, language: Language = "en") -> str:
    """The lines `holidays:` and `workdays:` of a calendar, with a comment on each day.

    Raises ClientError for a country or a year that has no official data.
    """
    if country.upper() not in COUNTRIES:
        raise ClientError(
            f"There are no official holidays of {country!r} here; there are those of {', '.join(COUNTRIES)}."
        )
    years = {day.year for day in holidays}
    if year not in years:
        raise ClientError(
            f"There is no official notice for {country.upper()} {year} here, and nothing is guessed; there are those "
            f"of {min(years)} to {max(years)}. A later release of the package `chinesecalendar` may have it."
        )
    return "\n".join(_lines(country.upper(), year, language, year + 1 in years)) + "\n"


def _lines(country: str, year: int, language: Language, next_known: bool) -> Iterator[str]:
    head, caveat, known = HEADS[language]
    yield "# " + head.format(country=country, year=year)
    yield "# " + caveat.format(next=year + 1, known=known[0] if next_known else known[1])
    for key, days in (("holidays", holidays), ("workdays", workdays)):
        yield f"{key}:"
        yield from (f"  - {day}  # {_name(days[day], language)}" for day in sorted(days) if day.year == year)


def _name(name: str, language: Language) -> str:
    return str(Holiday(name).chinese) if language == "zh" else name
