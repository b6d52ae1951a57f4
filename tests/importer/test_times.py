"""Local times, also in the hours that the clocks show twice or never."""

from datetime import datetime

import pytest

from api.importer.errors import RowRefused
from api.importer.times import reader

BOSTON = "America/New_York"
AMERICAN = "%m/%d/%Y %I:%M:%S %p"


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("01/01/2015 12:20:09 AM", "2015-01-01T05:20:09.000000Z"),
        ("07/01/2015 12:20:09 PM", "2015-07-01T16:20:09.000000Z"),
        ("11/01/2015 01:30:00 AM", "2015-11-01T05:30:00.000000Z"),  # shown twice: the earlier
        ("03/08/2015 02:30:00 AM", "2015-03-08T07:30:00.000000Z"),  # never shown: half past three
    ],
)
def test_local_times_become_utc(text, utc):
    assert reader(AMERICAN, BOSTON)(text) == utc


def test_the_later_of_two_can_be_meant():
    assert reader(AMERICAN, BOSTON, "later")("11/01/2015 01:30:00 AM") == "2015-11-01T06:30:00.000000Z"


def test_both_can_be_refused():
    read = reader(AMERICAN, BOSTON, "refuse", "refuse")
    with pytest.raises(RowRefused, match="happened twice in America/New_York"):
        read("11/01/2015 01:30:00 AM")
    with pytest.raises(RowRefused, match="does not exist in America/New_York"):
        read("03/08/2015 02:30:00 AM")
    assert read("11/01/2015 02:00:00 AM") == "2015-11-01T07:00:00.000000Z"


def test_a_time_that_states_its_offset_keeps_it():
    assert reader("iso", BOSTON)("2026-04-01T09:00:00+08:00") == "2026-04-01T01:00:00.000000Z"
    assert reader("iso", BOSTON)("2026-04-01 09:00:00.123456") == "2026-04-01T13:00:00.123456Z"


def test_a_workbooks_datetime_is_local():
    assert reader(AMERICAN, BOSTON)(datetime(2015, 7, 1, 12)) == "2015-07-01T16:00:00.000000Z"


def test_what_is_no_time_is_refused_with_an_example():
    with pytest.raises(RowRefused, match=r"'soon' is not a time like 04/01/2026 01:30:00 PM"):
        reader(AMERICAN, BOSTON)("soon")
    with pytest.raises(RowRefused, match="outside the years 1 to 9999"):
        reader("iso", BOSTON)("9999-12-31T23:59:59")
