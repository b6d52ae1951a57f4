"""The documents' forms over HTTP, as XLSX."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request
from psycopg import Connection
from starlette.responses import Response

from api.forms.definitions import FORMS, STATEMENT, Form
from api.forms.writing import workbook
from api.http.context import CaughtUp, Personal, program_of
from api.http.disclosure import note_export, note_personal_read
from api.http.problems import FieldError, invalid, not_found
from ledger.rulebook.expressions import Kind
from ledger.rulebook.model import instant_us
from projections.duplicates import statements_of
from projections.generations import live
from projections.reading import rows_of

router = APIRouter()

XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MOST_ROWS: Final = 200_000
"""Of one sheet: a workbook is made in memory."""


@router.get("/v1/forms", summary="The forms there are")
def forms() -> dict[str, Any]:
    """Names, and what they are called in Chinese and English."""
    return {"forms": [{"name": form.name, "label": form.label._asdict()} for form in FORMS.values()]}


@router.get(
    "/v1/forms/{form}",
    summary="A form, filled, as XLSX",
    dependencies=[CaughtUp],
    response_class=Response,
    responses={200: {"content": {XLSX: {"schema": {"type": "string", "format": "binary"}}}}},
)
def filled(
    request: Request,
    form: str,
    personal: Personal,
    language: Annotated[Literal["zh", "en"], Query(description="Of heads and values.")] = "zh",
) -> Response:
    """Cells are typed; times are those of the rule book's zone. What may not be seen is said to be withheld."""
    wanted = FORMS.get(form)
    if wanted is None:
        raise not_found(f"There is no form {form[:60]!r}; there are {', '.join(FORMS)}")
    program = program_of(request)
    asked = instant_us(program.ledger.now().astimezone(UTC))
    with program.database.reading() as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        zone = live(connection).rules.at(asked).time_zone
        read = _Reader(connection, asked)
        said = statements_of(connection, program.ledger.reveal) if personal and _says(wanted) else None
        made = workbook(wanted, read.rows, language=language, zone=zone, statements=None if said is None else said.get)
    if said:
        note_personal_read(request, f"form {form}", len(said))
    note_export(request, form, read.count)
    headers = {"content-disposition": f'attachment; filename="{form}.xlsx"', "ledger-position": str(read.position)}
    return Response(made, media_type=XLSX, headers=headers)


def _says(form: Form) -> bool:
    return any(column.name == STATEMENT for sheet in form.sheets for column in sheet.columns)


class _Reader:
    """Reads the tables of a form within one snapshot, and counts."""

    def __init__(self, connection: Connection[Any], asked: int) -> None:
        self._connection = connection
        self._asked = asked
        self.count = 0
        self.position = 0

    def rows(self, table: str) -> tuple[Mapping[str, Kind], Iterator[Mapping[str, Any]]]:
        kinds, found, self.position = rows_of(self._connection, table, asked=self._asked, most=MOST_ROWS + 1)
        if len(found) > MOST_ROWS:
            raise invalid(
                f"{table} has more than {MOST_ROWS:,} rows, more than a form can hold",
                [FieldError("form", "is too large", f"read /v1/tables/{table} in pages instead")],
            )
        self.count += len(found)
        return kinds, iter(found)
