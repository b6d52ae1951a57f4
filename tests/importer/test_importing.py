"""An import: good rows go in, bad ones are set aside with line and reason, a second run changes nothing."""

import csv
from datetime import date, datetime

import pytest
from openpyxl import Workbook

from api.bootstrap import running
from api.cli.client import in_process
from api.importer import BadFile, import_file, load
from api.importer.loading import parse
from api.sending import OverHttp
from tests.importer.conftest import MAPPING, ROWS


def rejected_rows(report):
    with report.rejected.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.reader(stream))


def test_good_rows_go_in_and_bad_ones_are_set_aside(tickets, mapping, direct, ledger):
    report = import_file(tickets, mapping, direct)
    assert (report.rows, report.refused, report.events, report.appended, report.duplicates) == (5, 2, 5, 5, 0)
    assert report.types == {"contact.received": 3, "contact.resolved": 2}
    assert report.rejected == tickets.with_name("tickets.csv.rejected.csv")
    assert rejected_rows(report) == [
        ["rejected_line", "rejected_reason", "Nr", "Eingang", "Kanal", "Text", "Erledigt"],
        ["5", "Kanal: 'Brieftaube' is not among the values channels", "T3", "01.04.2026 10:00", "Brieftaube",
         "Unbekannter Kanal", ""],
        ["6", "'gestern' is not a time like 01.04.2026 13:30", "T4", "gestern", "Mail", "Keine Zeit", ""],
    ]  # fmt: skip
    told = list(ledger.entries(limit=10))
    assert [(entry.type, entry.subject) for entry in told] == [
        ("contact.received", "T1"),
        ("contact.resolved", "T1"),
        ("contact.received", "T2"),
        ("contact.received", "T5"),
        ("contact.resolved", "T5"),
    ]
    assert told[0].occurred_at.isoformat() == "2026-04-01T07:00:00+00:00"
    assert ledger.reveal(told)[2].data.message == "Zwei\nZeilen"


def test_a_second_run_changes_nothing(tickets, mapping, direct, ledger):
    import_file(tickets, mapping, direct)
    again = import_file(tickets, mapping, direct)
    assert (again.events, again.appended, again.duplicates, again.refused) == (5, 0, 5, 2)
    assert ledger.head().position == 5


def test_mended_rows_can_be_imported_from_the_file_of_rejected_ones(tickets, mapping, direct, ledger):
    report = import_file(tickets, mapping, direct)
    mended = report.rejected.read_text(encoding="utf-8-sig").replace("Brieftaube", "Mail")
    report.rejected.write_text(mended, encoding="utf-8-sig")
    again = import_file(report.rejected, mapping, direct)
    assert (again.appended, again.refused) == (1, 1)
    assert rejected_rows(again)[0][:3] == ["rejected_line", "rejected_reason", "Nr"]
    assert [row[2] for row in rejected_rows(again)[1:]] == ["T4"]


def test_a_row_stands_or_falls_as_a_whole_and_takes_no_other_with_it(tmp_path, mapping, direct, ledger):
    file = tmp_path / "tickets.csv"
    repeated = ROWS.splitlines()[0] + "\nA,01.04.2026 09:00,Mail,a,\nA,01.04.2026 09:01,Mail,b,01.04.2026 09:02\n"
    file.write_text(repeated + "B,01.04.2026 09:03,Mail,c,\n", encoding="utf-8")
    report = import_file(file, mapping, direct)
    assert (report.appended, report.refused) == (2, 1)
    assert [(entry.type, entry.subject) for entry in ledger.entries(limit=10)] == [
        ("contact.received", "A"),
        ("contact.received", "B"),
    ]
    assert report.refusals[0].line == 3
    assert "A/received" in report.refusals[0].reason or "id" in report.refusals[0].reason


def test_an_import_without_bad_rows_leaves_no_file_behind(tickets, mapping, direct):
    report = import_file(tickets, mapping, direct)
    good = [line for line in ROWS.splitlines() if not line.startswith(("T3", "T4"))]
    tickets.write_text("\n".join(good), encoding="utf-8")
    again = import_file(tickets, mapping, direct)
    assert again.rejected is None
    assert not report.rejected.exists()


def test_refused_rows_go_where_one_says(tickets, mapping, direct, tmp_path):
    report = import_file(tickets, mapping, direct, rejected=tmp_path / "elsewhere.csv")
    assert report.rejected == tmp_path / "elsewhere.csv"
    assert len(rejected_rows(report)) == 3


def test_a_dry_run_checks_everything_and_touches_nothing(tickets, mapping):
    report = import_file(tickets, mapping, None)
    assert report.dry_run
    assert (report.rows, report.refused, report.events, report.appended) == (5, 2, 5, 0)
    assert [event["id"] for event in report.first] == ["T1/received", "T1/resolved", "T2/received", "T5/received", "T5/resolved"]  # fmt: skip # noqa: E501
    assert [refusal.line for refusal in report.refusals] == [5, 6]
    assert sorted(path.name for path in tickets.parent.iterdir()) == ["tickets.csv", "tickets.yaml"]


def test_a_dry_run_finds_what_the_ledger_would_call_malformed(tmp_path, mapping):
    file = tmp_path / "tickets.csv"
    file.write_text(ROWS.splitlines()[0] + "\n" + "T" * 250 + ",01.04.2026 09:00,Mail,a,\n", encoding="utf-8")
    report = import_file(file, mapping, None)
    assert report.refused == 1
    assert "subject" in report.refusals[0].reason


@pytest.mark.parametrize("count", [1, 40, 900])
def test_over_http_the_same_goes_in(count, tmp_path, mapping, settings):
    """Rows that are malformed, that a rule refuses, and good ones, in turns; over HTTP a request holds many."""
    lines = ["Nr,Eingang,Kanal,Text,Erledigt"]
    for number in range(count):
        lines.append(f"N{number},01.04.2026 09:00,Mail,good,01.04.2026 10:00")
        if number % 9 == 0:
            lines.append(f"N{number},01.04.2026 09:30,Mail,taken,")
        if number % 13 == 0:
            lines.append("L" * 300 + f"{number},01.04.2026 09:30,Mail,too long,")
    file = tmp_path / "tickets.csv"
    file.write_text("\n".join(lines), encoding="utf-8")
    bad = len(lines) - 1 - count
    with running(settings, project=False) as program, in_process(program.asgi, program.local_token) as client:
        before = program.ledger.head().position
        report = import_file(file, mapping, OverHttp(client))
        assert (report.appended, report.refused) == (2 * count, bad)
        assert program.ledger.head().position == before + 2 * count
        reasons = [row[1] for row in rejected_rows(report)[1:]]
        assert len(reasons) == bad
        assert sum("subject" in reason for reason in reasons) == len(range(0, count, 13))
        again = import_file(file, mapping, OverHttp(client))
        assert (again.appended, again.duplicates, again.refused) == (0, 2 * count, bad)


def test_workbooks_bring_their_own_types(tmp_path, direct, ledger):
    book = Workbook()
    book.active.title = "Other"
    sheet = book.create_sheet("Tickets")
    sheet.append(["Nr", "Eingang", "Kanal", "Text", "Erledigt"])
    sheet.append([17, datetime(2026, 4, 1, 9, 0), "Mail", "Zahl als Nummer", date(2026, 4, 2)])
    sheet.append([None, None, None, None, None])
    sheet.append([18.0, "03.04.2026 08:00", "Mail", True, None])
    sheet.append(["X", "unklar", "Mail", None, None])
    file = tmp_path / "tickets.xlsx"
    book.save(file)
    loaded = parse(MAPPING.replace("mapping: tickets", "mapping: tickets\nsheet: Tickets"))
    report = import_file(file, loaded, direct)
    told = {(entry.type, entry.subject): entry for entry in ledger.reveal(ledger.entries(limit=10))}
    assert told["contact.received", "17"].occurred_at.isoformat() == "2026-04-01T07:00:00+00:00"
    assert told["contact.resolved", "17"].occurred_at.isoformat() == "2026-04-01T22:00:00+00:00"
    assert told["contact.received", "18"].data.message == "true"
    assert [refusal.line for refusal in report.refusals] == [5]
    with pytest.raises(BadFile, match="no sheet Nowhere, only Other, Tickets"):
        import_file(file, parse(MAPPING.replace("mapping: tickets", "mapping: tickets\nsheet: Nowhere")), None)


def test_progress_tells_rows_and_share(tickets, mapping):
    told = []
    import_file(tickets, mapping, None, progress=lambda *now: told.append(now))
    assert told == [(5, 2, 1.0)]


def test_files_that_cannot_be_read_are_named(tmp_path, mapping):
    with pytest.raises(BadFile, match=r"missing\.csv cannot be read: No such file"):
        import_file(tmp_path / "missing.csv", mapping, None)
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(BadFile, match=r"empty\.csv is empty"):
        import_file(tmp_path / "empty.csv", mapping, None)
    (tmp_path / "latin.csv").write_bytes(ROWS.encode() + "T6,01.04.2026 09:00,Mail,Größe,".encode("latin-1"))
    with pytest.raises(BadFile, match="is not utf-8-sig: say its encoding"):
        import_file(tmp_path / "latin.csv", mapping, None)
    (tmp_path / "broken.csv.gz").write_bytes(b"not gzip")
    with pytest.raises(BadFile, match=r"broken\.csv\.gz cannot be read"):
        import_file(tmp_path / "broken.csv.gz", mapping, None)
    (tmp_path / "broken.xlsx").write_bytes(b"not a workbook")
    with pytest.raises(BadFile, match=r"broken\.xlsx is not a workbook"):
        import_file(tmp_path / "broken.xlsx", mapping, None)
    (tmp_path / "twice.csv").write_text("Nr,Nr\n1,2\n")
    with pytest.raises(BadFile, match="two columns are called Nr"):
        import_file(tmp_path / "twice.csv", mapping, None)
    (tmp_path / "quote.csv").write_text(ROWS + 'T7,"open')
    with pytest.raises(BadFile, match=r"quote\.csv:8: not CSV"):
        import_file(tmp_path / "quote.csv", mapping, None)


def test_rows_with_too_few_or_too_many_cells_are_refused(tmp_path, mapping):
    file = tmp_path / "tickets.csv"
    file.write_text(ROWS.splitlines()[0] + "\nT1,01.04.2026 09:00\n\nT2,01.04.2026 09:00,Mail,a,,more\n")
    report = import_file(file, load(mapping), None)
    assert [(refusal.line, refusal.reason) for refusal in report.refusals] == [
        (2, "the row has 2 cells, the head 5"),
        (4, "the row has 6 cells, the head 5"),
    ]
