"""Official holidays and make-up workdays, printed for a rule book's calendar."""

from datetime import date

import pytest
import yaml
from typer.testing import CliRunner

from api.cli import app
from api.cli.client import ClientError
from ledger.rulebook.calendars import days
from ledger.rulebook.model import Calendar, day_us

# The notices of the State Council's General Office for 2024, 2025 and 2026: first and last days off, make-up days.
NOTICES = {
    2024: (
        ["01-01 01-01", "02-10 02-17", "04-04 04-06", "05-01 05-05", "06-10 06-10", "09-15 09-17", "10-01 10-07"],
        ["02-04", "02-18", "04-07", "04-28", "05-11", "09-14", "09-29", "10-12"],
    ),
    2025: (
        ["01-01 01-01", "01-28 02-04", "04-04 04-06", "05-01 05-05", "05-31 06-02", "10-01 10-08"],
        ["01-26", "02-08", "04-27", "09-28", "10-11"],
    ),
    2026: (
        ["01-01 01-03", "02-15 02-23", "04-04 04-06", "05-01 05-05", "06-19 06-21", "09-25 09-27", "10-01 10-07"],
        ["01-04", "02-14", "02-28", "05-09", "09-20", "10-10"],
    ),
}


def printed(*arguments: str) -> str:
    answer = CliRunner().invoke(app, ["rules", "holidays", *arguments], catch_exceptions=False)
    assert answer.exit_code == 0
    return answer.output


@pytest.mark.parametrize("year", NOTICES)
def test_holidays_and_make_up_workdays_are_those_of_the_notice(year: int) -> None:
    told = yaml.safe_load(printed("CN", str(year)))
    off, made_up = NOTICES[year]
    spans = [[date.fromisoformat(f"{year}-{day}") for day in span.split()] for span in off]
    wanted = [date.fromordinal(nth) for first, last in spans for nth in range(first.toordinal(), last.toordinal() + 1)]
    assert told == {"holidays": wanted, "workdays": [date.fromisoformat(f"{year}-{day}") for day in made_up]}


def test_what_is_printed_can_stand_in_a_calendar() -> None:
    told = yaml.safe_load(printed("cn", "2026", "--language", "zh"))
    hours = {"mon-fri": ["09:00-12:00", "13:00-18:00"]}
    calendar = Calendar.model_validate({"name": "office", "time_zone": "Asia/Shanghai", "hours": hours, **told})
    working = {each.day for each in days(calendar, 2026, 2026) if each.working}
    assert day_us(date(2026, 2, 14)) in working  # a Saturday
    assert day_us(date(2026, 2, 20)) not in working  # a Friday
    assert len(working) == 248


def test_days_are_named_and_what_is_not_known_is_said() -> None:
    assert "  - 2026-02-17  # Spring Festival\n" in printed("CN", "2026")
    assert "2027 is not in these data yet" in printed("CN", "2026")
    assert "2026 is in these data" in printed("CN", "2025")
    assert "  - 2026-02-17  # 春节\n" in printed("CN", "2026", "--language", "zh")


@pytest.mark.parametrize(
    ("country", "year", "said"),
    [
        ("CN", "2027", "no official notice for CN 2027 here, and nothing is guessed; there are those of 2004 to 2026"),
        ("CN", "1999", "no official notice for CN 1999"),
        ("US", "2026", "no official holidays of 'US' here; there are those of CN"),
    ],
)
def test_nothing_is_guessed(country: str, year: str, said: str) -> None:
    with pytest.raises(ClientError, match=said):
        printed(country, year)
