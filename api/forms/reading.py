"""A form filled in by people, read back: what is new in it becomes events.

A row that the ledger wrote has a status (a review has its number); one without was added by somebody. Of a task that
the ledger wrote as not begun or not done, a start or an end filled in is told too. All else that is changed in a row
the ledger wrote is not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import yaml
from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from api.forms.definitions import FORMS, PLAN_TRACKING, REQUIREMENT_SUMMARY, STATEMENT, Form, Sheet
from api.forms.writing import STATES, ZONE
from api.importer.errors import BadFile
from api.importer.loading import Loaded, parse
from api.naming import CHOICES

LANGUAGES = ("zh", "en")


def readable() -> tuple[str, ...]:
    """The forms that can be read back."""
    return tuple(sorted({form for form, _ in RULES}))


def loaded(file: Path, form: str, zone: str | None = None) -> list[Loaded]:
    """A mapping for each sheet of a filled form, in the language and time zone of the file.

    `zone` stands in where the file does not name its own. Raises BadFile.
    """
    if form not in readable():
        raise BadFile(f"{form!r} cannot be read back; {', '.join(readable())} can")
    try:
        book = load_workbook(file, read_only=True)
    except (OSError, InvalidFileException, BadZipFile, KeyError) as error:
        raise BadFile(f"{file} is not a workbook: {error}") from error
    try:
        properties = book.custom_doc_props.props  # type: ignore[attr-defined]
        told = next((one.value for one in properties if one.name == ZONE), None) or zone
        language = next((one for one in LANGUAGES if _titles(FORMS[form], one) & {*book.sheetnames}), None)
        names = {*book.sheetnames}
    finally:
        book.close()
    if language is None:
        raise BadFile(
            f"{file} has none of the sheets {', '.join(sorted(_titles(FORMS[form], 'zh')))}: is it that form?"
        )
    if told is None:
        raise BadFile(f"{file} does not say whose times it holds: name the time zone, such as Asia/Shanghai")
    sheets = [sheet for sheet in FORMS[form].sheets if sheet.title.of(language) in names]
    return [_mapping(FORMS[form], sheet, language, str(told)) for sheet in sheets]


def _titles(form: Form, language: str) -> set[str]:
    return {sheet.title.of(language) for sheet in form.sheets}


def _mapping(form: Form, sheet: Sheet, language: str, zone: str) -> Loaded:
    heads = {column.name: column.head.of(language) for column in sheet.columns}
    name = f"{form.name}_{sheet.table}"
    content = {
        "mapping": name,
        "source": f"/forms/{form.name}",
        "time_zone": zone,
        "sheet": sheet.title.of(language),
        "values": {column: _codes(column) for column in heads if column in CHOICES},
        "events": [_rule(rule, heads) for rule in RULES[form.name, sheet.table]],
    }
    return parse(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), name)


def _codes(column: str) -> dict[str, str]:
    """What a person may write for a value: its label in either language, or the value itself."""
    return {
        text: value
        for value, choice in CHOICES[column].items()
        for text in (choice.label.zh, choice.label.en, str(value))
    }


def _rule(rule: Mapping[str, Any], heads: Mapping[str, str]) -> dict[str, Any]:
    return {
        "type": rule["type"],
        "subject": rule["subject"].format(**{name: "{" + head + "}" for name, head in heads.items()}),
        "id": rule["id"].format(**{name: "{" + head + "}" for name, head in heads.items()}),
        "time": heads[rule["time"]],
        "when": {heads[name]: condition for name, condition in rule["when"].items()},
        "data": {
            name: {"column": heads[name]} | ({"values": name} if name in CHOICES else {}) for name in rule["data"]
        },
    }


def _labels(*states: str) -> list[str]:
    return [text for state in states for text in (STATES[state].zh, STATES[state].en)]


ADDED = {"present": False}
GIVEN = {"present": True}
TASK = "{plan_id}/{task_id}"
RULES: Mapping[tuple[str, str], tuple[Mapping[str, Any], ...]] = {
    (REQUIREMENT_SUMMARY.name, "requirements"): (
        {
            "type": "requirement.captured",
            "subject": "{requirement_id}",
            "id": "{requirement_id}/captured",
            "time": "captured_at",
            "when": {"status": ADDED},
            "data": (
                "customer_id", "contact_id", "channel", "source_kind", "expression", "key", "found_late", STATEMENT,
            ),
        },
    ),
    (PLAN_TRACKING.name, "tasks"): (
        {
            "type": "plan.task_added",
            "subject": "{plan_id}",
            "id": TASK + "/added",
            "time": "added_at",
            "when": {"status": ADDED},
            "data": ("task_id", "task", "assignee_id", "due_at"),
        },
        *(
            {
                "type": "plan.task_started",
                "subject": "{plan_id}",
                "id": TASK + "/started",
                "time": "started_at",
                "when": {"started_at": GIVEN, "status": status},
                "data": ("task_id",),
            }
            for status in (ADDED, {"equals": _labels("to_do")})
        ),
        *(
            {
                "type": "plan.task_completed",
                "subject": "{plan_id}",
                "id": TASK + "/completed",
                "time": "completed_at",
                "when": {"completed_at": GIVEN, "status": status},
                "data": ("task_id",),
            }
            for status in (ADDED, {"equals": _labels("to_do", "doing")})
        ),
    ),
    (PLAN_TRACKING.name, "plan_reviews"): (
        {
            "type": "plan.progress_reviewed",
            "subject": "{plan_id}",
            "id": "{plan_id}/reviewed/{reviewed_at}",
            "time": "reviewed_at",
            "when": {"review": ADDED},
            "data": ("cadence", "percent", "spent", "currency"),
        },
    ),
}  # fmt: skip
"""Which events the rows of a sheet stand for, by the names of the tables' columns."""
