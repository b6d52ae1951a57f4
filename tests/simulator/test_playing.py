"""Playing the company to a real ledger: all of it is taken, in order, and again changes nothing."""

from itertools import islice

import pytest

from api.bootstrap import running
from api.cli.client import in_process
from api.sending import Direct, OverHttp, SendingError
from api.simulator import company, play
from ledger.events import CATALOGUE

CONTACTS = 600
COMPUTED = ("rulebook", "baseline", "report", "access")
"""The aggregates whose events the ledger makes itself."""
START = "2025-12-31T16:00:00Z"


def without_sent_again(events):
    told = {}
    for event in events:
        told.setdefault((event["source"], event["id"]), event)
    return list(told.values())


@pytest.fixture(scope="module")
def year():
    return list(company(1, CONTACTS))


def test_a_ledger_takes_the_whole_year_as_it_was_told(simulated_ledger, year):
    played = play(Direct(simulated_ledger, "simulator"), iter(year), first_position=2)
    told = without_sent_again(year)
    assert played.events == len(year)
    assert (played.appended, played.duplicates) == (len(told), len(year) - len(told))
    assert played.duplicates > 0
    entries = list(simulated_ledger.entries(limit=len(year) + 1))
    assert [entry.position for entry in entries] == list(range(1, len(told) + 1))
    assert [(entry.source, entry.id) for entry in entries] == [(event["source"], event["id"]) for event in told]
    assert [entry.recorded_at.isoformat(timespec="microseconds")[:26] for entry in entries] == [
        event["recordedat"][:26] for event in told
    ]
    played = {name for name in CATALOGUE if name.split(".")[0] not in COMPUTED}
    assert {entry.type for entry in entries} == played - {"customer.erasure_requested"}


def test_voids_hit_what_they_mean_in_a_ledger_that_holds_other_things(simulated_ledger, year):
    arrivals = [event for event in year if event["type"] == "contact.received"][:5]
    others = [{**event, "source": "/other", "subject": f"other-{event['subject']}"} for event in arrivals]
    destination = Direct(simulated_ledger, "simulator")
    play(destination, ({**event, "time": START, "recordedat": START} for event in others))
    play(destination, year)
    entries = {entry.position: entry for entry in simulated_ledger.entries(limit=len(year) + 5)}
    voids = [entry for entry in entries.values() if entry.type == "record.voided"]
    assert voids
    said = [event["data"]["voided_position"] for event in without_sent_again(year) if event["type"] == "record.voided"]
    assert [void.data.voided_position for void in voids] == [position - 1 + 5 for position in said]
    assert all(entries[void.data.voided_position].subject == void.subject for void in voids)


def test_played_again_it_changes_nothing_even_after_a_stop_in_the_middle(simulated_ledger, year):
    destination = Direct(simulated_ledger, "simulator")
    half = len(year) // 2
    play(destination, islice(year, half))
    reached = simulated_ledger.head().position
    rest = play(destination, year)
    told = len(without_sent_again(year))
    assert rest.appended == told - reached
    assert simulated_ledger.head().position == told
    assert play(destination, year).appended == 0
    assert simulated_ledger.head().position == told


def test_it_plays_over_http_and_reports_how_far_it_is(settings, year):
    moments = []
    with (
        running(settings, simulated=True, project=False) as program,
        in_process(program.asgi, program.local_token) as client,
    ):
        before = program.ledger.head().position
        played = play(OverHttp(client), year, progress=lambda events, moment: moments.append((events, moment)))
        assert program.ledger.head().position == before + played.appended
    assert moments == sorted(moments)
    assert moments[-1] == (len(year), year[-1]["recordedat"])


def test_a_ledger_that_refuses_is_named(ledger, year):
    with pytest.raises(SendingError, match="only a ledger created for simulation"):
        play(Direct(ledger, "simulator"), year)
    assert ledger.head().position == 0
