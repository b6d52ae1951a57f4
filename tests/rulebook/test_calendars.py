"""Calendars against a brute-force reading of the same words: minute by minute, with `zoneinfo` alone."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ledger.rulebook.calendars import (
    DAY_US,
    CalendarDay,
    CalendarSegment,
    days,
    local_day,
    offsets,
    segments,
)
from ledger.rulebook.model import Calendar, day_us, instant_us
from tests.reference.open_minutes import Minutes
from tests.reference.random_calendars import Drawn, calendars

MINUTE = 60_000_000
LOOKED_AT = 20
ZONES = [
    *("Asia/Shanghai", "America/New_York", "Australia/Lord_Howe", "Europe/Lisbon", "UTC", "Pacific/Apia"),
    *("America/St_Johns", "America/Havana", "Africa/Casablanca"),
]


def calendar(zone: str = "America/New_York", **parts: object) -> Calendar:
    given = {"name": "office", "time_zone": zone, "hours": {"mon-fri": ["09:00-18:00"]}, **parts}
    return Calendar.model_validate(given)


def in_year(of: Calendar, year: int = 2025) -> list[CalendarSegment]:
    return list(segments(of, year, year))


def measured(table: list[CalendarSegment], at: int) -> int:
    """Working time up to an instant, as the engines read the table."""
    found = [each for each in table if each.utc_day == at - at % DAY_US and each.begins_at <= at < each.ends_at]
    assert len(found) == 1
    segment = found[0]
    return segment.before_us + max(min(at, segment.closes_at), segment.opens_at) - segment.opens_at


def reached(table: list[CalendarSegment], work: int) -> int:
    """The earliest instant by which so much working time has passed, as the engines read the table."""
    day = work - 1 - (work - 1) % DAY_US
    found = [each for each in table if each.work_day == day and 0 < work - each.before_us <= worked(each)]
    assert len(found) == 1
    return found[0].opens_at + work - found[0].before_us


def worked(segment: CalendarSegment) -> int:
    return segment.closes_at - segment.opens_at


def compiled(drawn: Drawn) -> tuple[Calendar, list[CalendarSegment], list[CalendarDay], Minutes]:
    """A drawn calendar, worked out and looked at; drawn again where a make-up day runs into the next."""
    try:
        of = calendar(drawn.zone, **drawn.words())
    except ValidationError as error:
        assume("runs into" not in str(error))
        raise
    year = drawn.begin.year
    return of, list(segments(of, year, year + 1)), list(days(of, year, year + 1)), drawn.minutes(LOOKED_AT)


instants = st.integers(0, LOOKED_AT * 24 * 60 - 1)


@settings(max_examples=25, deadline=None)
@given(drawn=calendars(), pairs=st.lists(st.tuples(instants, instants), min_size=10, max_size=10))
def test_elapsed_working_time_is_the_open_minutes_between(drawn: Drawn, pairs: list[tuple[int, int]]) -> None:
    _, table, _, looked = compiled(drawn)
    for one, other in pairs:
        start, end = sorted((one, other))
        begun, ended = (measured(table, looked.first + nth * MINUTE) for nth in (start, end))
        assert ended - begun == looked.elapsed(start, end, []) * MINUTE


@settings(max_examples=25, deadline=None)
@given(drawn=calendars(), clocks=st.lists(st.tuples(instants, st.integers(1, 5_000)), min_size=10, max_size=10))
def test_the_deadline_is_the_end_of_the_last_open_minute_needed(drawn: Drawn, clocks: list[tuple[int, int]]) -> None:
    _, table, _, looked = compiled(drawn)
    for start, limit in clocks:
        try:
            nth = looked.deadline(start, limit, [])
        except IndexError:
            continue
        assert nth is not None
        begun = measured(table, looked.first + start * MINUTE)
        due = reached(table, begun + limit * MINUTE)
        assert due == looked.first + nth * MINUTE
        assert measured(table, due) == begun + limit * MINUTE
        assert measured(table, due - 1) == begun + limit * MINUTE - 1


@settings(max_examples=25, deadline=None)
@given(drawn=calendars())
def test_a_working_day_is_one_whose_shifts_have_time(drawn: Drawn) -> None:
    _, _, told, looked = compiled(drawn)
    seen = {day for day in looked.open_on[24 * 60 : -24 * 60] if day is not None}
    inner = [drawn.begin + timedelta(days=nth) for nth in range(2, LOOKED_AT - 2)]
    working = {each.day for each in told if each.working}
    assert {day for day in inner if day_us(day) in working} == {day for day in inner if day in seen}


@settings(max_examples=20, deadline=None)
@given(drawn=calendars())
def test_segments_and_days_follow_one_another_without_a_gap(drawn: Drawn) -> None:
    of, table, told, _ = compiled(drawn)
    zone, year = ZoneInfo(of.time_zone), drawn.begin.year
    for segment, following in pairwise(table):
        assert segment.utc_day <= segment.begins_at <= segment.opens_at <= segment.closes_at <= segment.ends_at
        assert segment.begins_at < segment.ends_at == following.begins_at
        assert segment.ends_at <= segment.utc_day + DAY_US
        assert following.before_us == segment.before_us + worked(segment)
        assert segment.work_day <= segment.before_us
        assert segment.before_us + worked(segment) <= segment.work_day + DAY_US
    assert [each.day for each in told] == [day_us(date(year, 1, 1) + timedelta(days=nth)) for nth in range(len(told))]
    for day, next_day in pairwise(told):
        assert next_day.ordinal == day.ordinal + next_day.working
        assert day.ends_at <= next_day.ends_at
        assert local_day(day.ends_at, str(zone)) > day.day


def hours_of(of: Calendar, *of_days: date) -> list[float]:
    """Hours of the shifts that start on days, from the segments that open before the next of them."""
    told = []
    for day in of_days:
        zone = ZoneInfo(of.time_zone)
        noon, next_noon = (
            instant_us(datetime(each.year, each.month, each.day, 12, tzinfo=zone))
            for each in (day, day + timedelta(days=1))
        )
        table = in_year(of, day.year)
        told.append((measured(table, next_noon) - measured(table, noon)) / (60 * MINUTE))
    return told


def test_clocks_going_forward_and_back_change_the_time_that_really_passes() -> None:
    night = calendar(hours={"mon-sun": "22:00-06:00"})
    assert hours_of(night, date(2025, 3, 8), date(2025, 6, 1), date(2025, 11, 1)) == [7, 8, 9]


def test_a_boundary_in_the_gap_is_the_change_and_in_the_fold_the_first_of_two() -> None:
    # 2025-03-09, New York: 02:00 is 03:00. 2025-11-02: 01:00 to 02:00 comes twice.
    before, after = calendar(hours={"sat": "22:00-02:30"}), calendar(hours={"sun": "02:30-06:00"})
    assert hours_of(before, date(2025, 3, 8), date(2025, 11, 1)) == [4, 5.5]
    assert hours_of(after, date(2025, 3, 8), date(2025, 11, 1)) == [3, 3.5]
    early, late = calendar(hours={"sat": "22:00-01:30"}), calendar(hours={"sun": "01:30-06:00"})
    assert hours_of(early, date(2025, 3, 8), date(2025, 11, 1)) == [3.5, 3.5]
    assert hours_of(late, date(2025, 3, 8), date(2025, 11, 1)) == [3.5, 5.5]


def test_a_shift_in_the_gap_makes_no_working_day() -> None:
    told = {each.day: each.working for each in days(calendar(hours={"sun": "02:00-03:00"}), 2025, 2025)}
    assert not told[day_us(date(2025, 3, 9))]
    assert told[day_us(date(2025, 3, 16))]


def test_a_holiday_drops_the_shift_that_starts_on_it() -> None:
    night = calendar(hours={"mon-fri": ["22:00-06:00"]}, holidays=[date(2025, 6, 4)])
    table = in_year(night)

    def at(day: int, hour: int) -> int:
        return measured(table, instant_us(datetime(2025, 6, day, hour, tzinfo=ZoneInfo("America/New_York"))))

    assert (at(4, 12) - at(3, 12)) / (60 * MINUTE) == 8  # from Tuesday evening into the holiday
    assert at(5, 12) == at(4, 12)
    told = {each.day: each.working for each in days(night, 2025, 2025)}
    assert [told[day_us(date(2025, 6, day))] for day in (3, 4, 5, 6, 7)] == [True, False, True, True, False]


def test_a_shift_may_come_from_the_year_before() -> None:
    table = in_year(calendar("Asia/Shanghai", hours={"mon-sun": "22:00-06:00"}))
    assert (table[0].opens_at, table[0].begins_at) == (table[0].begins_at,) * 2
    assert sum(map(worked, table)) == 365 * 8 * 60 * MINUTE


def test_a_make_up_workday_beats_the_weekend_and_a_holiday_the_week() -> None:
    of = calendar(
        hours={"sun": ["10:00-11:00"], "mon-thu": ["09:00-12:00", "13:00-18:00"], "fri": "09:00-17:00"},
        holidays=[date(2025, 6, 9), date(2025, 6, 14)],
        workdays=[date(2025, 6, 14), {"day": "2025-06-21", "as": "fri"}, {"day": date(2025, 6, 23), "as": "sun"}],
    )
    on = of.schedule().on
    assert on(date(2025, 6, 9)) == ()  # a Monday, holiday
    assert on(date(2025, 6, 14)) == ((540, 720), (780, 1080))  # a Saturday, both: hours of the first weekday
    assert on(date(2025, 6, 21)) == ((540, 1020),)  # a Saturday, as a Friday
    assert on(date(2025, 6, 23)) == ((600, 660),)  # a Monday, as a Sunday
    assert on(date(2025, 6, 28)) == ()


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
