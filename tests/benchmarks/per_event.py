"""What a team would write first to project events: two tables and a counter, adjusted event by event.

By hand with psycopg, and as a projection of the eventsourcing library under its own runner. Both take the same entries
in order. Neither undoes what is voided, nor minds what is told late: the ledger's projector does, for all its tables.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice
from typing import Any, cast

import orjson
import psycopg
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresDatastore, PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from psycopg import sql

from tests.benchmarks.running import library_settings

MINUTES = 3 * 60 * 1_000_000
ENTRIES = "SELECT position, occurred_at, type, subject, entry FROM log.entries WHERE position > %s ORDER BY 1 LIMIT 500"
TABLES = (
    "CREATE TABLE IF NOT EXISTS plain_contacts (contact_id text PRIMARY KEY, customer_id text, channel text, "
    "department text, received_at timestamptz, answered_at timestamptz, resolved_at timestamptz, status text)",
    "CREATE TABLE IF NOT EXISTS plain_requirements (requirement_id text PRIMARY KEY, customer_id text, kano text, "
    "priority text, captured_at timestamptz, archived_at timestamptz, status text)",
    "CREATE TABLE IF NOT EXISTS plain_counters (day date, channel text, answered bigint, in_time bigint, "
    "PRIMARY KEY (day, channel))",
    "CREATE TABLE IF NOT EXISTS plain_checkpoint (position bigint)",
)
RECEIVED = "INSERT INTO plain_contacts VALUES (%s, %s, %s, %s, %s, NULL, NULL, 'open') ON CONFLICT DO NOTHING"
ANSWERED = (
    "UPDATE plain_contacts SET answered_at = coalesce(answered_at, %s), status = 'answered' WHERE contact_id = %s "
    "RETURNING channel, received_at, answered_at"
)
COUNT = (
    "INSERT INTO plain_counters AS kept VALUES (%s, %s, 1, %s) ON CONFLICT (day, channel) DO UPDATE SET "
    "answered = kept.answered + 1, in_time = kept.in_time + EXCLUDED.in_time"
)
RESOLVED = "UPDATE plain_contacts SET resolved_at = %s, status = 'resolved' WHERE contact_id = %s"
CAPTURED = "INSERT INTO plain_requirements VALUES (%s, %s, NULL, NULL, %s, NULL, 'captured') ON CONFLICT DO NOTHING"
CLASSIFIED = "UPDATE plain_requirements SET kano = %s, status = 'classified' WHERE requirement_id = %s"
PRIORITISED = "UPDATE plain_requirements SET priority = %s, status = 'prioritised' WHERE requirement_id = %s"
ARCHIVED = "UPDATE plain_requirements SET archived_at = %s, status = 'archived' WHERE requirement_id = %s"
MOVED = "UPDATE plain_checkpoint SET position = %s"

Told = tuple[int, Any, str, str, dict[str, Any]]
"""Position, when it occurred, type, subject, data."""


def take(cursor: psycopg.Cursor[Any], kind: str, subject: str, at: Any, data: dict[str, Any]) -> None:
    """Adjust the tables by one event."""
    match kind:
        case "contact.received":
            row = [subject, data.get("customer_id"), data["channel"], data["department"], at]
            cursor.execute(RECEIVED, row, prepare=True)
        case "contact.answered":
            found = cast(Any, cursor.execute(ANSWERED, [at, subject], prepare=True).fetchone())
            if found is not None:
                channel, received, answered = found.values() if isinstance(found, dict) else found
                in_time = (answered - received).total_seconds() * 1_000_000 <= MINUTES
                cursor.execute(COUNT, [answered.date(), channel, int(in_time)], prepare=True)
        case "contact.resolved":
            cursor.execute(RESOLVED, [at, subject], prepare=True)
        case "requirement.captured":
            cursor.execute(CAPTURED, [subject, data.get("customer_id"), at], prepare=True)
        case "requirement.classified":
            cursor.execute(CLASSIFIED, [data.get("kano"), subject], prepare=True)
        case "requirement.prioritised":
            cursor.execute(PRIORITISED, [data.get("priority"), subject], prepare=True)
        case "requirement.archived":
            cursor.execute(ARCHIVED, [at, subject], prepare=True)


def entries(conninfo: str) -> Iterator[Told]:
    """The log from its beginning, 500 entries a query."""
    position = 0
    with psycopg.connect(conninfo, autocommit=True) as connection:
        while rows := connection.execute(ENTRIES, [position]).fetchall():
            for position, at, kind, subject, entry in rows:
                yield position, at, kind, subject, orjson.loads(entry)["data"]


def by_hand(conninfo: str, most: int, each: int) -> float:
    """Seconds that a projector written by hand takes for so many entries, `each` of them a transaction."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        for table in TABLES:
            connection.execute(table)
        connection.execute("INSERT INTO plain_checkpoint VALUES (0)")
        told = islice(entries(conninfo), most)
        started = time.perf_counter()
        while batch := list(islice(told, each)):
            with connection.transaction(), connection.cursor() as cursor:
                for _, at, kind, subject, data in batch:
                    take(cursor, kind, subject, at, data)
                cursor.execute(MOVED, [batch[-1][0]], prepare=True)
        took = time.perf_counter() - started
        for name in ("contacts", "requirements", "counters", "checkpoint"):
            connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(f"plain_{name}")))
    return took


class Subject(Aggregate):
    """Anything that is told of, as the library keeps it."""

    @event("Begun")
    def __init__(self, *, subject: str, kind: str, occurred_at: Any, data: dict[str, Any]) -> None:
        self.subject = subject

    @event("Told")
    def tell(self, *, subject: str, kind: str, occurred_at: Any, data: dict[str, Any]) -> None:
        pass


class Subjects(Application[Any]):
    pass


class View(PostgresTrackingRecorder):
    """The tables, and how far they are, by the library's own recorder."""

    def __init__(self, datastore: PostgresDatastore, **options: Any) -> None:
        super().__init__(datastore, **options)
        self.sql_create_statements += [sql.SQL(table) for table in TABLES]  # type: ignore[arg-type]

    def take(self, told: Any, tracking: Tracking) -> None:
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            take(cursor, told.kind, told.subject, told.occurred_at, told.data)


class PlainTables(Projection[View]):
    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        self.view.take(domain_event, tracking)


def by_library(log: str, conninfo: str, most: int) -> float:
    """Seconds that the library's runner takes for so many entries of the log, saved in its own store before."""
    settings = library_settings(conninfo)
    application = Subjects(settings)
    known: dict[str, Subject] = {}
    told = islice(entries(log), most)
    while batch := list(islice(told, 500)):
        touched: dict[str, Subject] = {}
        for _, at, kind, subject, data in batch:
            if subject in known:
                known[subject].tell(subject=subject, kind=kind, occurred_at=at, data=data)
            else:
                known[subject] = Subject(subject=subject, kind=kind, occurred_at=at, data=data)
            touched[subject] = known[subject]
        application.save(*touched.values())
    last = application.recorder.max_notification_id()
    application.close()
    started = time.perf_counter()
    with ProjectionRunner(
        application_class=Subjects, projection_class=PlainTables, view_class=View, env=settings
    ) as runner:
        runner.wait(last, timeout=600)
    return time.perf_counter() - started
