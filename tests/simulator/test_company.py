"""The simulated company: the same by its seed, everything a ledger knows, and as untidy as real services are."""

import hashlib
import os
import subprocess
import sys
from collections import Counter
from datetime import date, datetime, timedelta
from itertools import pairwise

import orjson
import pytest

from api.http.claiming import to_claim
from api.simulator import company
from ledger.events import CATALOGUE

COMPUTED = ("rulebook", "baseline", "report", "access")
"""The aggregates whose events the ledger makes itself."""
PLAYED = tuple(dict.fromkeys(known.aggregate for known in CATALOGUE.values() if known.aggregate not in COMPUTED))
"""The aggregates the company tells of; None for voids."""
DIGEST = """
import hashlib, orjson
from api.simulator import company
digest = hashlib.sha256()
for event in company(7, 150, days=90):
    digest.update(orjson.dumps(event))
print(digest.hexdigest())
"""


@pytest.fixture(scope="module")
def year():
    return list(company(1, 1500))


def first_told(events):
    """The events without what is sent again."""
    told = {}
    for event in events:
        told.setdefault((event["source"], event["id"]), event)
    return list(told.values())


def delay(event):
    return datetime.fromisoformat(event["recordedat"]) - datetime.fromisoformat(event["time"])


def test_the_same_seed_gives_the_same_events_in_every_process():
    here = hashlib.sha256()
    for event in company(7, 150, days=90):
        here.update(orjson.dumps(event))
    for seed in ("0", "4711"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": "America/New_York"}
        told = subprocess.run(
            [sys.executable, "-c", DIGEST], env=environment, capture_output=True, text=True, check=True
        )
        assert told.stdout.strip() == here.hexdigest()


def test_another_seed_gives_another_company():
    assert list(company(1, 60, days=30)) != list(company(2, 60, days=30))


@pytest.mark.parametrize("contacts", [120, 1500])
def test_every_event_type_happens(contacts):
    told = {event["type"] for event in company(3, contacts)}
    played = {name for name, known in CATALOGUE.items() if known.aggregate in PLAYED}
    # asked for on ledgers that encrypt, which simulated ones do not
    assert told == played - {"customer.erasure_requested"}


def test_every_event_is_well_formed_and_every_field_is_used(year):
    used = Counter()
    for event in year:
        claim = to_claim(event)
        used.update((claim.type, name) for name in event["data"])
    played = [kind for kind in CATALOGUE.values() if kind.aggregate in PLAYED]
    known = {(kind.name, field.name) for kind in played for field in kind.fields}
    # of a ledger that encrypts, which simulated ones do not
    assert known - used.keys() == {
        ("customer.erasure_requested", "basis"),
        ("customer.erasure_requested", "request_id"),
        ("customer.key_destroyed", "destroyed_keys"),
    }


def test_contacts_are_as_many_as_asked_for(year):
    received = {event["subject"] for event in year if event["type"] == "contact.received"}
    assert len(received) == 1500


def test_the_recording_clock_never_goes_back_and_stays_within_the_year(year):
    recorded = [event["recordedat"] for event in year]
    assert all(before <= after for before, after in pairwise(recorded))
    assert recorded[0] >= "2025-12-31T16:00:00"  # midnight in Shanghai
    assert recorded[-1] < "2026-12-31T16:00:00"


def test_services_tell_late_ahead_of_the_clock_and_twice(year):
    delays = [delay(event) for event in first_told(year)]
    assert sum(late > timedelta(hours=1) for late in delays) > len(year) * 0.03
    assert sum(late > timedelta(days=1) for late in delays) > len(year) * 0.01
    ahead = [late for late in delays if late < timedelta(0)]
    assert ahead
    assert min(ahead) > timedelta(minutes=-5)
    again = [key for key, count in Counter((event["source"], event["id"]) for event in year).items() if count > 1]
    assert len(year) * 0.002 < len(again) < len(year) * 0.02


def test_what_is_sent_again_says_the_same(year):
    told = {}
    for event in year:
        content = {name: value for name, value in event.items() if name != "recordedat"}
        assert told.setdefault((event["source"], event["id"]), content) == content


def test_some_contacts_close_before_they_open(year):
    received = {event["subject"]: event["time"] for event in year if event["type"] == "contact.received"}
    closed = [event for event in year if event["type"] == "contact.closed"]
    assert any(event["time"] < received[event["subject"]] for event in closed)


def test_voids_name_an_earlier_event_of_the_same_subject_which_is_told_again(year):
    told = first_told(year)
    voids = [(place, event) for place, event in enumerate(told) if event["type"] == "record.voided"]
    assert voids
    for place, void in voids:
        voided = told[void["data"]["voided_position"] - 2]  # the first event is recorded at position 2
        assert told.index(voided) < place
        assert voided["subject"] == void["subject"]
        if void["recordedat"] < "2026-12-31":
            assert any(
                event["type"] == voided["type"] and event["time"] == voided["time"] and event["data"] != voided["data"]
                for event in told[place:]
                if event["subject"] == void["subject"]
            )


def test_weekends_are_quieter_and_the_day_has_a_rhythm(year):
    days, hours = Counter(), Counter()
    for event in first_told(year):
        if event["type"] == "contact.received" and event["data"]["channel"] == "phone":
            local = datetime.fromisoformat(event["time"]) + timedelta(hours=8)
            days[local.weekday() >= 5] += 1
            hours[9 <= local.hour < 18] += 1
    assert days[True] / 2 < 0.6 * days[False] / 5
    assert hours[True] > 3 * hours[False]


def answered_in_time(year, first, last):
    """The share of chats of some months that a human answers within three minutes."""
    received, answered = {}, {}
    for event in first_told(year):
        data = event["data"]
        if event["type"] == "contact.received" and data["channel"] == "web_chat" and data["direction"] == "inbound":
            received[event["subject"]] = datetime.fromisoformat(event["time"])
        elif event["type"] == "contact.answered" and not data["automated"]:
            answered.setdefault(event["subject"], datetime.fromisoformat(event["time"]))
    asked = [subject for subject, at in received.items() if first <= at.month <= last]
    met = [s for s in asked if s in answered and answered[s] - received[s] <= timedelta(minutes=3)]
    return len(met) / len(asked)


def test_the_programme_works():
    year = list(company(5, 3000))
    assert answered_in_time(year, 1, 4) + 0.05 < answered_in_time(year, 9, 12)


@pytest.mark.parametrize(("contacts", "days"), [(0, 1), (1, 1), (5, 40), (40, 3)])
def test_small_companies_work_too(contacts, days):
    events = list(company(1, contacts, date(2024, 2, 28), days))
    assert len({event["subject"] for event in events if event["type"] == "contact.received"}) == contacts
    assert all(event["recordedat"] >= "2024-02-27T16:00" for event in events)


@pytest.mark.parametrize(("contacts", "days"), [(-1, 5), (5, 0)])
def test_a_company_needs_days(contacts, days):
    with pytest.raises(ValueError, match="at least one day"):
        next(company(1, contacts, days=days))
