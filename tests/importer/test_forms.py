"""Forms that people fill in and give back: what is new in them is told, what was there before is not told again."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from api.bootstrap import Program, running
from api.cli.client import in_process
from api.forms.reading import loaded, readable
from api.importer.errors import BadFile
from api.importer.importing import Report, import_file
from api.sending import Direct
from ledger.claims import claim
from ledger.settings import Settings


@pytest.fixture
def program(settings: Settings) -> Iterator[Program]:
    with running(settings) as program:
        yield program


def tell(program: Program, kind: str, subject: str, when: datetime, /, **data: Any) -> None:
    (outcome,) = program.ledger.append(
        [[claim(kind, subject, data, source="test", id=f"{kind}/{subject}/{data}", occurred_at=when)]], "key-1"
    )
    assert not isinstance(outcome, Exception), outcome


def filled(program: Program, form: str, language: str) -> openpyxl.Workbook:
    until = time.monotonic() + 60
    while program.projected_position() < program.ledger.head().position:
        assert time.monotonic() < until
        time.sleep(0.05)
    with in_process(program.asgi, program.local_token) as client:
        answer = client.get(f"/v1/forms/{form}", params={"language": language})
    assert answer.status_code == 200, answer.text
    return openpyxl.load_workbook(BytesIO(answer.content))


def given_back(
    program: Program, book: openpyxl.Workbook, form: str, folder: Path, *, dry: bool = False
) -> list[Report]:
    file = folder / f"{form}.xlsx"
    book.save(file)
    destination = None if dry else Direct(program.ledger, "key-1")
    return [import_file(file, sheet, destination) for sheet in loaded(file, form)]


MORNING = datetime(2026, 4, 1, 1, 2, 3, 456789, tzinfo=UTC)


@pytest.mark.parametrize(("language", "channel", "source"), [("zh", "电话", "访谈"), ("en", "phone", "interview")])
def test_new_requirements_are_captured_and_old_ones_left_alone(
    program: Program, tmp_path: Path, language: str, channel: str, source: str
) -> None:
    tell(program, "requirement.captured", "R1", MORNING, source_kind="form", statement="Old")
    book = filled(program, "requirement_summary", language)
    page = book.worksheets[0]
    added = ["R2", datetime(2026, 4, 2, 9, 0), source, channel, "CU-1", None, None, True, None, "New", None, None, None]
    page.append(added)
    page.append(["R3", "yesterday", source])
    head = program.ledger.head().position
    (dry,) = given_back(program, book, "requirement_summary", tmp_path, dry=True)
    assert (dry.events, dry.refused, program.ledger.head().position) == (1, 1, head)
    (report,) = given_back(program, book, "requirement_summary", tmp_path)
    assert (report.rows, report.appended, report.refused) == (3, 1, 1)
    assert [refusal.line for refusal in report.refusals] == [4]
    (entry,) = program.ledger.reveal(program.ledger.stream("requirement", "R2"))
    told = entry.data
    assert (told.source_kind, told.channel, told.key, told.statement) == ("interview", "phone", True, "New")
    assert entry.occurred_at == datetime(2026, 4, 2, 1, 0, tzinfo=UTC)
    (again,) = given_back(program, book, "requirement_summary", tmp_path)
    assert (again.appended, again.duplicates) == (0, 1)


def test_tasks_are_added_begun_and_done_and_reviews_told(program: Program, tmp_path: Path) -> None:
    tell(
        program, "plan.drafted", "P1", MORNING, objective="Faster", unit="min", goal_value=3, budget=100, currency="CNY"
    )
    tell(program, "plan.task_added", "P1", MORNING, task_id="T1", task="Buy")
    tell(program, "plan.task_added", "P1", MORNING, task_id="T2", task="Train")
    tell(program, "plan.task_started", "P1", MORNING, task_id="T2")
    book = filled(program, "plan_tracking", "zh")
    tasks, reviews = book["任务"], book["进度评审"]
    rows = {row[1].value: row for row in tasks.iter_rows(min_row=2)}
    assert [rows[name][8].value for name in ("T1", "T2")] == ["待办", "进行中"]
    rows["T1"][6].value = datetime(2026, 4, 2, 10, 0)
    rows["T2"][7].value = datetime(2026, 4, 2, 11, 0)
    begun = datetime(2026, 4, 3, 9, 0)
    tasks.append(["P1", "T3", "Write", "ann", datetime(2026, 5, 1), begun, begun])
    reviews.append(["P1", None, datetime(2026, 4, 10, 9, 0), "双周", 40, 60, None, "CNY"])
    of_tasks, of_reviews = given_back(program, book, "plan_tracking", tmp_path)
    assert (of_tasks.appended, of_tasks.refused, of_reviews.appended, of_reviews.refused) == (4, 0, 1, 0)
    told = [
        (entry.type.partition(".")[2], getattr(entry.data, "task_id", None))
        for entry in program.ledger.stream("plan", "P1")
    ]
    assert told[4:] == [
        ("task_started", "T1"), ("task_completed", "T2"), ("task_added", "T3"), ("task_started", "T3"),
        ("progress_reviewed", None),
    ]  # fmt: skip
    of_tasks, of_reviews = given_back(program, book, "plan_tracking", tmp_path)
    assert (of_tasks.appended, of_reviews.appended) == (0, 0)


def test_what_is_no_such_form_is_told(tmp_path: Path) -> None:
    assert readable() == ("plan_tracking", "requirement_summary")
    with pytest.raises(BadFile, match="cannot be read back"):
        loaded(tmp_path / "x.xlsx", "quality_reviews")
    (tmp_path / "x.xlsx").write_text("no workbook")
    with pytest.raises(BadFile, match="is not a workbook"):
        loaded(tmp_path / "x.xlsx", "plan_tracking")
    book = openpyxl.Workbook()
    book.save(tmp_path / "x.xlsx")
    with pytest.raises(BadFile, match="none of the sheets"):
        loaded(tmp_path / "x.xlsx", "plan_tracking")
    book.create_sheet("任务")
    book.save(tmp_path / "x.xlsx")
    with pytest.raises(BadFile, match="name the time zone"):
        loaded(tmp_path / "x.xlsx", "plan_tracking")
    assert len(loaded(tmp_path / "x.xlsx", "plan_tracking", "Asia/Shanghai")) == 1
