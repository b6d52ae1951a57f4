"""The shipped mappings on the files they were made for; skipped where these are not at hand."""

from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from api.importer import import_file, load
from api.importer.compiling import Compiled
from api.importer.rows import Row, open_rows

DATA = Path(__file__).parents[3] / "shared" / "data"
BOSTON, CFPB, UCI = "boston311_2015_h1.csv.gz", "cfpb_complaints_3186.csv.gz", "uci_incidents_part1.csv.gz"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the real data files are not here")


def events(name, file, rows=None, change=None):
    loaded = load(name)
    with open_rows(DATA / file, loaded.mapping) as table:
        compiled = Compiled(loaded, table.head)
        for row in islice(table.rows, rows):
            cells = row.cells if change is None else change(table.head, row.cells)
            yield from compiled.events(Row(row.line, cells))


def test_every_boston_case_is_told():
    counted, opened, due, delivered, resolved = Counter(), {}, {}, {}, {}
    for event in events("boston311", BOSTON):
        counted[event["type"]] += 1
        match event["type"]:
            case "contact.received":
                opened[event["subject"]] = event["time"]
            case "delivery.planned":
                due[event["subject"]] = event["data"]["due_at"]
            case "delivery.delivered":
                delivered[event["subject"]] = event["time"]
            case "contact.resolved":
                resolved[event["subject"]] = event["time"]
    assert counted == {
        "contact.received": 58_119,
        "requirement.captured": 58_119,
        "contact.resolved": 49_126,
        "delivery.planned": 43_592,
        "delivery.delivered": 37_320,
    }
    assert sum(at <= due[subject] for subject, at in delivered.items()) == 27_295
    assert sum(at < opened[subject] for subject, at in resolved.items()) == 84


def test_every_complaint_is_told():
    report = import_file(DATA / CFPB, "cfpb", None)
    assert report.refused == 0
    assert report.types == {
        "contact.received": 3186,
        "handoff.requested": 3186,
        "handoff.transferred": 3186,
        "contact.problem_flagged": 93,
    }


def test_every_incident_is_told():
    counted, handed, reopened = Counter(), set(), set()
    for event in events("uci_incidents", UCI):
        counted[event["type"]] += 1
        if event["type"] == "handoff.requested":
            handed.add(event["data"]["contact_id"])
        elif event["type"] == "contact.reopened":
            reopened.add(event["subject"])
    assert counted["contact.received"] == 14_950
    assert len(handed) == 7_564
    assert len(reopened) == 191
    assert counted["contact.paused"] == counted["contact.resumed"]


def test_no_incident_is_told_from_what_came_later():
    def without_the_future(head, cells):
        future = [head.index("resolved_at"), head.index("closed_at")]
        return ["1/1/1999 00:00" if place in future else cell for place, cell in enumerate(cells)]

    assert list(events("uci_incidents", UCI, 4000)) == list(events("uci_incidents", UCI, 4000, without_the_future))


@pytest.mark.parametrize(("name", "file", "rows"), [("boston311", BOSTON, 1500), ("uci_incidents", UCI, 3000)])
def test_a_ledger_takes_them_and_a_second_run_changes_nothing(name, file, rows, tmp_path, direct, ledger):
    sample = tmp_path / "sample.csv"
    loaded = load(name)
    with open_rows(DATA / file, loaded.mapping) as table, sample.open("w") as stream:
        for cells in [table.head, *(row.cells for row in islice(table.rows, rows))]:
            stream.write(",".join(f'"{cell}"' for cell in cells) + "\n")
    report = import_file(sample, loaded, direct)
    assert (report.rows, report.refused) == (rows, 0)
    again = import_file(sample, loaded, direct)
    assert (again.appended, again.refused) == (0, 0)
    assert ledger.head().position == report.appended


def test_a_ledger_takes_the_cases_that_close_before_they_open(tmp_path, direct):
    """They are all in May and June; nothing but the order of their times is unusual."""
    loaded = load("boston311")
    sample = tmp_path / "sample.csv"
    with open_rows(DATA / BOSTON, loaded.mapping) as table, sample.open("w") as stream:
        opened, closed = table.head.index("OPEN_DT"), table.head.index("CLOSED_DT")
        stream.write(",".join(table.head) + "\n")
        for row in table.rows:
            # the same day, written alike: the texts compare as the times do
            if row.cells[opened][:10] == row.cells[closed][:10] and row.cells[opened][-2:] == row.cells[closed][-2:]:
                hours = [cell[11:13].replace("12", "00") + cell[13:] for cell in (row.cells[opened], row.cells[closed])]
                if hours[1] < hours[0]:
                    stream.write(",".join(f'"{cell}"' for cell in row.cells) + "\n")
    report = import_file(sample, loaded, direct)
    assert (report.rows, report.refused) == (84, 0)
    assert report.types["delivery.delivered"] == 40


def test_a_ledger_takes_the_incidents_whose_pauses_meet(tmp_path, direct):
    """Times have whole minutes: a pause may last none, and the next may begin in the minute in which one ends."""
    begun, ended = {}, {}
    for event in events("uci_incidents", UCI):
        if event["type"] in ("contact.paused", "contact.resumed"):
            moments = begun if event["type"] == "contact.paused" else ended
            moments.setdefault(event["subject"], []).append(event["time"])
    meeting = {number for number in ended if {*begun[number]} & {*ended[number]}}
    loaded, sample = load("uci_incidents"), tmp_path / "sample.csv"
    with open_rows(DATA / UCI, loaded.mapping) as table, sample.open("w") as stream:
        number = table.head.index("number")
        for cells in [table.head, *(row.cells for row in table.rows if row.cells[number] in meeting)]:
            stream.write(",".join(f'"{cell}"' for cell in cells) + "\n")
    report = import_file(sample, loaded, direct)
    assert len(meeting) == 87
    assert report.types["contact.received"] == len(meeting)
    assert report.refused == 0
