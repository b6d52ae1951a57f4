"""Whom a survey is due to: active customers that were sent none in the calendar month that runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg import Connection, sql

from ledger.choices import SurveyKind
from ledger.rulebook.calendars import first_moment, local_day
from ledger.rulebook.expressions import Kind
from projections.generations import live, position
from projections.reading import Page, paged
from projections.values import as_day, shown

COLUMNS: Mapping[str, Kind] = {
    "customer_id": "text",
    "tier": "text",
    "manager_id": "text",
    "preferred_channel": "text",
    "last_sent_at": "time",
}
# What was sent under a number that is merged away was sent to the customer that survives. Whose personal data is erased
# is asked no more.
DUE = sql.SQL(
    "(SELECT customer_id, tier, manager_id, preferred_channel, last_sent_at FROM {schema}.customers "
    "LEFT JOIN (SELECT coalesce(survivor_id, customer_id) AS customer_id, max(sent_at) AS last_sent_at "
    " FROM {schema}.surveys LEFT JOIN {schema}.customer_groups USING (customer_id) WHERE {of_kind} GROUP BY 1) AS sent "
    " USING (customer_id) "
    "WHERE merged_into IS NULL AND erased_at IS NULL AND (last_sent_at IS NULL OR last_sent_at < {since}) "
    "AND EXISTS (SELECT FROM {schema}.active_spells AS spell WHERE spell.customer_id = customers.customer_id "
    " AND from_at <= {asked} AND (until_at IS NULL OR until_at > {asked})))"
)
ORDER = [("customer_id", False)]


def due_surveys(
    connection: Connection[Any],
    *,
    asked: int,
    survey_kind: SurveyKind | None = None,
    cursor: str | None = None,
    limit: int = 100,
) -> Page:
    """Active customers without a survey of that kind (default: of any) in the month of `asked` (microseconds), by id.

    The month is the calendar's, in the rule book's time zone. Each row says when they were last sent one, and on which
    channel they prefer to be reached. Raises BadCursor.
    """
    connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    generation = live(connection)
    zone = generation.rules.at(asked).time_zone
    of_kind = sql.SQL("true" if survey_kind is None else "survey_kind = {}")
    rows = DUE.format(
        schema=sql.Identifier(generation.schema),
        of_kind=of_kind.format(sql.Literal(None if survey_kind is None else survey_kind.value)),
        since=sql.Literal(first_moment(as_day(local_day(asked, zone)).replace(day=1), zone)),
        asked=sql.Literal(asked),
    )
    mark = f"due surveys {survey_kind or ''}"
    found, more = paged(connection, rows, COLUMNS, ORDER, mark=mark, cursor=cursor, limit=limit)
    told = [{name: shown(kind, row[name]) for name, kind in COLUMNS.items()} for row in found]
    return Page(COLUMNS, told, more, position(connection, generation))
