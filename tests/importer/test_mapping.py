"""What a mapping can say, and how it is told what is wrong with it."""

import pytest

from api.importer import BadMapping, load, shipped
from api.importer.compiling import Compiled
from api.importer.errors import RowRefused
from api.importer.loading import parse
from api.importer.rows import Row
from tests.importer.conftest import MAPPING

HEAD = ["Nr", "Eingang", "Kanal", "Text", "Erledigt"]

GROUPED = """
mapping: updates
source: updates
time_zone: UTC
empty: ["", "?"]
defaults: {team: nobody}
group_by: case
identity: [case, step]
events:
  - type: contact.received
    row: first
    subject: "{case}"
    id: "{case}/{digest}"
    time: at
    data: {channel: other, department: "{team}", kind: problem}
  - type: handoff.requested
    when: {team: {changed: true}}
    subject: "{case}/{step}"
    id: "{case}/{step}/requested"
    time: at
    actor: "{by}"
    data: {contact_id: "{case}", from_department: "{previous.team}", to_department: "{team}"}
    remember: {handoff: "{step}"}
  - type: handoff.answered
    when: {state: {becomes: [solved, closed]}, handoff: {present: true}}
    subject: "{case}/{handoff}"
    id: "{case}/{handoff}/answered"
    time: at
    forget: [handoff]
  - type: contact.resolved
    once: true
    when: {state: solved}
    subject: "{case}"
    id: "{case}/resolved"
    time: at
    data: {solved: true}
  - type: contact.closed
    row: later
    when: {state: {differs: [new, solved], present: true}}
    subject: "{case}"
    id: "{case}/{line}/closed"
    time: {column: at, format: iso, zone: Asia/Shanghai}
    data: {valid: {column: ok, default: false}}
"""


def compiled(text=MAPPING, head=HEAD):
    return Compiled(parse(text, "m.yaml"), head, check=True)


def told(text, head, rows):
    mapping = compiled(text, head)
    return [
        [(event["type"], event["subject"]) for event in mapping.events(Row(line, list(cells)))]
        for line, cells in enumerate(rows, start=2)
    ]


def problems(text, head=HEAD):
    with pytest.raises(BadMapping) as caught:
        compiled(text, head)
    return str(caught.value).splitlines()


def test_the_rows_of_a_group_are_told_by_what_changes():
    head = ["case", "step", "at", "team", "state", "by", "ok"]
    rows = [
        ("C1", "0", "2026-04-01 08:00", "A", "new", "x", ""),
        ("C1", "1", "2026-04-01 08:00", "B", "new", "?", ""),
        ("C1", "2", "2026-04-01 09:00", "B", "solved", "x", ""),
        ("C1", "3", "2026-04-01 09:30", "B", "solved", "x", ""),
        ("C1", "4", "2026-04-01 09:40", "?", "closed", "x", "true"),
        ("C2", "4", "2026-04-01 08:00", "B", "solved", "x", ""),
    ]
    assert told(GROUPED, head, rows) == [
        [("contact.received", "C1")],
        [("handoff.requested", "C1/1")],
        [("handoff.answered", "C1/1"), ("contact.resolved", "C1")],
        [],
        [("handoff.requested", "C1/4"), ("contact.closed", "C1")],
        [("contact.received", "C2"), ("contact.resolved", "C2")],
    ]


def test_values_come_from_columns_defaults_and_earlier_rows():
    head = ["case", "step", "at", "team", "state", "by", "ok"]
    mapping = compiled(GROUPED, head)
    (first,) = mapping.events(Row(2, ["C1", "0", "2026-04-01 08:00", "?", "new", "x", ""]))
    assert first["data"]["department"] == "nobody"
    assert "actor" not in first
    second = mapping.events(Row(3, ["C1", "1", "2026-04-01 08:00", "B", "closed", "x", "true"]))
    assert second[0]["data"] == {"contact_id": "C1", "from_department": "nobody", "to_department": "B"}
    assert second[0]["actor"] == "x"
    assert second[2]["data"] == {"valid": True}
    assert second[2]["id"] == "C1/3/closed"
    assert second[2]["time"] == "2026-04-01T00:00:00.000000Z"


def test_a_refused_row_changes_nothing_for_the_rows_after_it():
    head = ["case", "step", "at", "team", "state", "by", "ok"]
    mapping = compiled(GROUPED, head)
    mapping.events(Row(2, ["C1", "0", "2026-04-01 08:00", "A", "new", "", ""]))
    with pytest.raises(RowRefused, match="is not an ISO 8601 time"):
        mapping.events(Row(3, ["C1", "1", "never", "B", "new", "", ""]))
    (again,) = mapping.events(Row(4, ["C1", "2", "2026-04-01 08:30", "B", "new", "", ""]))
    assert (again["type"], again["subject"]) == ("handoff.requested", "C1/2")


def test_rows_of_a_group_must_stand_together():
    head = ["case", "step", "at", "team", "state", "by", "ok"]
    mapping = compiled(GROUPED, head)
    for case in ("C1", "C2"):
        mapping.events(Row(2, [case, "0", "2026-04-01 08:00", "A", "new", "", ""]))
    with pytest.raises(RowRefused, match="the rows of C1 do not stand together: sort the file by case"):
        mapping.events(Row(4, ["C1", "1", "2026-04-01 08:00", "A", "new", "", ""]))
    with pytest.raises(RowRefused, match="column case is empty"):
        mapping.events(Row(5, ["", "1", "2026-04-01 08:00", "A", "new", "", ""]))


def test_days_are_checked_and_a_mapping_or_list_is_told_by_no_row():
    told = "data: {dimensions: {column: Nr}, kpi: k, period_start: 2026-02-30}"
    text = MAPPING.replace("type: contact.received", "type: baseline.frozen").replace("data: {solved: true}", told)
    found = problems(text.replace("contact.resolved", "baseline.frozen"))
    assert any("dimensions is a mapping, which a row of a file cannot tell" in each for each in found), found
    assert any("'2026-02-30' does not fit period_start" in each for each in found), found


def test_equal_rows_are_told_apart_by_copy():
    text = MAPPING.replace('id: "{Nr}/received"', 'id: "{digest}-{copy}"')
    mapping = compiled(text)
    cells = ["T1", "01.04.2026 09:00", "Mail", "x", ""]
    ids = [mapping.events(Row(line, list(cells)))[0]["id"] for line in (2, 3)]
    assert ids[0].endswith("-1")
    assert ids[1].endswith("-2")
    assert ids[0][:-2] == ids[1][:-2]
    other = compiled(text).events(Row(2, ["T1", "01.04.2026 09:00", "Mail", "xy", ""]))
    assert other[0]["id"][:-2] != ids[0][:-2]


@pytest.mark.parametrize(
    ("before", "after", "line", "key", "reason"),
    [
        ("time: Eingang", "time: Ausgang", 12, "events[0].time", "the file has no column Ausgang, only Nr, Eingang"),
        ("type: contact.received", "type: contact.recieved", 9, "events[0].type", "contact.recieved is not an event"),
        ("kind: problem", "kind: probelm", 16, "events[0].data.kind", "'probelm' does not fit kind"),
        ("Mail: email", "Mail: e-mail", 14, "events[0].data.channel", "values channels, 'Mail': 'e-mail' does not fit"),
        ("values: channels", "values: channel", 14, "events[0].data.channel", "there are no values channel, only"),
        ("department: support", "team: support", 15, "events[0].data.team", "contact.received has no field team"),
        ("      department: support\n", "", 9, "events[0].type", "needs the field department"),
        ("when: {Erledigt: {present", "when: {Fertig: {present", 19, "events[1].when.Fertig", "no column Fertig"),
        ('message: "{Text}"', 'message: "{Text"', 17, "events[0].data.message", "without its counterpart"),
        ('message: "{Text}"', 'message: "{Textt}"', 17, "events[0].data.message", "the file has no column Textt"),
        ("Europe/Berlin", "Europe/Bärlin", 4, "time_zone", "is not an IANA time zone"),
        ("solved: true", "solved: 1.5", 23, "events[1].data.solved", "write text"),
        ("{solved: true}", "{solved: maybe}", 23, "events[1].data.solved", "'maybe' does not fit solved"),
        ("source: tickets", "sauce: tickets", 3, "sauce", "is not a key that stands here"),
        ("source: tickets", "time_zone: UTC", 4, "time_zone", "stands twice"),
        ("present: true", "present: 3", 19, "events[1].when.Erledigt.present", "valid boolean"),
        ("{present: true}", "{}", 19, "events[1].when.Erledigt", "say what must hold"),
        ("data: {solved: true}", "forget: [x]", 23, "events[1].forget", "nothing is remembered as x"),
        ("{column: Kanal,", "{column: Kanal, constant: a,", 14, "events[0].data.channel", "exactly one of"),
        ("mapping: tickets", "mapping: tickets\ngroup_by: Fall", 3, "group_by", "the file has no column Fall"),
        ("events:", "events: [", 9, "", "not YAML"),
        ("mapping: tickets", "mapping: &all [*all]", 1, "", "not YAML"),
        ("mapping: tickets", "mapping: " + "[" * 100_000, 1, "", "not YAML"),
    ],
)  # fmt: skip
def test_errors_name_line_and_key(before, after, line, key, reason):
    assert before in MAPPING
    found = problems(MAPPING.replace(before, after, 1))
    assert any(text.startswith(f"m.yaml:{line}: {key}") and reason in text for text in found), found


def test_all_errors_are_told_at_once():
    text = MAPPING.replace("time: Eingang", "time: Ausgang").replace("kind: problem", "kind: probelm")
    assert len(problems(text)) == 2


def test_a_mapping_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BadMapping, match=r"nowhere\.yaml: no such file, nor a shipped mapping \(boston311, cfpb"):
        load(tmp_path / "nowhere.yaml")


def test_shipped_mappings_are_well_formed():
    assert shipped() == ["boston311", "cfpb", "uci_incidents"]
    for name in shipped():
        assert load(name).mapping.mapping == name
