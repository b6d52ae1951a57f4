"""Calendars against a brute-force reading of the same words: minute by minute, with `zoneinfo` alone."""

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.rulebook.calendars import CalendarDay, days, local_day, offsets
from ledger.rulebook.model import Calendar, day_us, instant_us

MINUTE = 60_000_000
YEAR = 2025
ZONES = ["Asia/Shanghai", "America/New_York", "Australia/Lord_Howe", "Europe/Lisbon", "UTC", "Pacific/Apia"]


def calendar(zone: str = "America/New_York", **parts: object) -> Calendar:
    given = {"name": "office", "time_zone": zone, "hours": {"mon-fri": ["09:00-18:00"]}, **parts}
    return Calendar.model_validate(given)


def worked(of: Calendar) -> list[CalendarDay]:
    return list(days(of, YEAR, YEAR))


def measured(table: list[CalendarDay], at: int) -> int:
    """Working time up to an instant, as the engines read the table."""
    day = next(day for day in table if at < day.ends_at)
    return day.before_us + max(min(at, day.closes_at), day.opens_at) - day.opens_at


def reached(table: list[CalendarDay], work: int) -> int:
    """The earliest instant by which so much working time has passed, as the engines read the table."""
    day = next(d for d in table if d.working and d.before_us < work <= d.before_us + d.closes_at - d.opens_at)
    return day.opens_at + work - day.before_us


# ---- the oracle: every minute of real time is looked at for itself


def open_at(of: Calendar, at: int) -> bool:
    """Whether the minute beginning at an instant is working time: by the clock on the wall there and then."""
    wall = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)).astimezone(ZoneInfo(of.time_zone))
    interval = of.weekly().get(wall.weekday())
    if wall.date() in of.workdays:
        interval = interval or next(iter(of.weekly().values()))
    elif wall.date() in of.holidays:
        interval = None
    return interval is not None and interval[0] <= wall.time() < interval[1]


@cache
def open_minutes(text: str) -> tuple[int, tuple[bool, ...]]:
    """The first minute looked at, and for each minute from there on whether it is working time."""
    of = Calendar.model_validate_json(text)
    first = instant_us(datetime(YEAR, 2, 20, tzinfo=UTC))
    return first, tuple(open_at(of, first + nth * MINUTE) for nth in range(40 * 24 * 60))


CALENDARS = {
    "office": calendar(),
    "weekend": calendar(hours={"mon-fri": ["09:00-18:00"], "sat-sun": ["00:30-12:00"]}),
    "dated": calendar(holidays=[date(2025, 3, 10), date(2025, 3, 15)], workdays=[date(2025, 3, 15), date(2025, 3, 16)]),
    "early": calendar(hours={"mon": ["00:00-23:59"], "sun": ["01:00-04:00"]}),
    "shanghai": calendar("Asia/Shanghai", workdays=[date(2025, 3, 1)]),
    "half hour": calendar("Australia/Lord_Howe", hours={"sun": ["01:00-05:00"], "mon-sat": ["08:00-17:30"]}),
}
minutes = st.integers(60 * 24, 38 * 24 * 60)


@pytest.mark.parametrize("name", CALENDARS)
@settings(max_examples=60, deadline=None)
@given(one=minutes, other=minutes)
def test_elapsed_working_time_is_the_open_minutes_between(name: str, one: int, other: int) -> None:
    of = CALENDARS[name]
    table = worked(of)
    first, is_open = open_minutes(of.model_dump_json())
    start, end = sorted((one, other))
    elapsed = measured(table, first + end * MINUTE) - measured(table, first + start * MINUTE)
    assert elapsed == sum(is_open[start:end]) * MINUTE


@pytest.mark.parametrize("name", CALENDARS)
@settings(max_examples=60, deadline=None)
@given(start=st.integers(60 * 24, 20 * 24 * 60), limit=st.integers(1, 40 * 60))
def test_the_deadline_is_the_end_of_the_last_open_minute_needed(name: str, start: int, limit: int) -> None:
    of = CALENDARS[name]
    table = worked(of)
    first, is_open = open_minutes(of.model_dump_json())
    due = reached(table, measured(table, first + start * MINUTE) + limit * MINUTE)
    left, nth = limit, start
    while left and nth < len(is_open):
        left -= is_open[nth]
        nth += 1
    if left:  # beyond what the oracle has looked at
        return
    assert due == first + nth * MINUTE
    assert measured(table, due) - measured(table, first + start * MINUTE) == limit * MINUTE
    assert measured(table, due - 1) < measured(table, due)


@pytest.mark.parametrize("name", CALENDARS)
def test_days_follow_one_another_without_a_gap(name: str) -> None:
    table = worked(CALENDARS[name])
    zone = ZoneInfo(CALENDARS[name].time_zone)
    assert [day.day for day in table] == [day_us(date(YEAR, 1, 1) + timedelta(days=nth)) for nth in range(365)]
    for day, following in pairwise(table):
        assert day.opens_at <= day.closes_at <= day.ends_at <= following.opens_at
        assert following.before_us == day.before_us + day.closes_at - day.opens_at
        assert following.ordinal == day.ordinal + following.working
        assert (day.opens_at < day.closes_at) == day.working
        midnight = datetime.fromtimestamp(day.ends_at / 1e6, zone)
        assert (midnight.time(), day_us(midnight.date())) == (time(), following.day)


def test_clocks_going_forward_and_back_change_the_time_that_really_passes() -> None:
    table = {day.day: day for day in worked(calendar(hours={"sun": ["01:00-04:00"]}))}
    forward, back = table[day_us(date(2025, 3, 9))], table[day_us(date(2025, 11, 2))]
    usual = table[day_us(date(2025, 6, 1))]
    hours = [(day.closes_at - day.opens_at) // (60 * MINUTE) for day in (forward, usual, back)]
    assert hours == [2, 3, 4]


def test_a_make_up_workday_beats_the_weekend_and_a_holiday_the_week() -> None:
    table = {day.day: day for day in worked(CALENDARS["dated"])}
    assert not table[day_us(date(2025, 3, 10))].working  # a Monday, holiday
    assert table[day_us(date(2025, 3, 15))].working  # a Saturday, holiday and workday
    assert table[day_us(date(2025, 3, 16))].working  # a Sunday, workday
    assert not table[day_us(date(2025, 3, 22))].working


@pytest.mark.parametrize("zone", ZONES)
@settings(max_examples=200, deadline=None)
@given(at=st.datetimes(datetime(2000, 1, 2), datetime(2049, 12, 30)))
def test_offsets_are_those_of_zoneinfo(zone: str, at: datetime) -> None:
    instant = instant_us(at.replace(tzinfo=UTC))
    offset = [shift for begins, shift in offsets(zone) if begins <= instant][-1]
    moment = at.replace(tzinfo=UTC).astimezone(ZoneInfo(zone))
    assert timedelta(microseconds=offset) == moment.utcoffset()
    assert local_day(instant, zone) == day_us(moment.date())


@pytest.mark.parametrize("zone", ["America/New_York", "Australia/Lord_Howe", "Pacific/Apia"])
def test_offsets_change_at_the_very_second(zone: str) -> None:
    found = offsets(zone)
    assert len(found) > 10
    for begins, shift in found[1:]:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=begins)
        before = (moment - timedelta(microseconds=1)).astimezone(ZoneInfo(zone)).utcoffset()
        after = moment.astimezone(ZoneInfo(zone)).utcoffset()
        assert before != after
        assert after == timedelta(microseconds=shift)


def test_a_zone_without_changes_has_one_offset() -> None:
    assert offsets("Asia/Shanghai") == ((instant_us(datetime(2000, 1, 1, tzinfo=UTC)), 8 * 60 * MINUTE),)
    before_1970 = instant_us(datetime(1969, 12, 31, 15, 59, 59, 999_999, tzinfo=UTC))
    assert local_day(before_1970, "Asia/Shanghai") == day_us(date(1969, 12, 31))
    assert local_day(before_1970 + 1, "Asia/Shanghai") == 0
