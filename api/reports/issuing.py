"""Issuing reports: every figure at one moment, the document kept by its digest, and the event that names both."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date
from typing import Any, Final

from psycopg import Connection

from api.reports.definitions import DEFINITIONS
from api.reports.gathering import Findings, gather
from api.reports.page import Facts, document
from api.reports.words import Language
from ledger.aggregates.report import ReportIssued
from ledger.claims import VOID, Claim, Recorded, claim
from ledger.errors import LedgerError
from ledger.log.application import Ledger
from ledger.log.documents import digest_of, keep
from ledger.rulebook.calendars import local_day
from ledger.rulebook.model import instant_us
from projections.freezing import whole_value
from projections.generations import live
from projections.kpis import Figure
from projections.settled import settled
from projections.values import as_day

SOURCE: Final = "/ledger/reports"
HTML: Final = "text/html; charset=utf-8"
LONGEST_DAYS: Final = 3_660
"""About ten years: as many quarters as a chart can show."""


class NothingToReport(LookupError):
    """There is nothing to write: no metric of the report has data in the period, or it has not begun."""


class PeriodTooLong(ValueError):
    """The period is longer than a report can tell."""


@dataclass(frozen=True)
class Issued:
    """A report as it was issued: its id, the position of its event, the digest of its document."""

    report_id: str
    position: int
    digest: str


def issue(
    ledger: Ledger, kind: str, first: date, last: date, *, language: Language, key_id: str, actor: str | None = None
) -> Issued:
    """Issue a report of `kind` on the days from `first` to `last`, under the key `key_id`; it opens in `language`.

    The document is kept first: what happens in between leaves a document that nothing names, never a report without
    its document. Raises NothingToReport, PeriodTooLong; NotNow; Refused and the other errors of an append.
    """
    if (last - first).days >= LONGEST_DAYS:
        raise PeriodTooLong(f"from {first} to {last} are more than {LONGEST_DAYS:,} days: issue a report for each part")
    with settled(ledger, "report"):
        now = ledger.now()
        asked = instant_us(now.astimezone(UTC))
        with ledger.database.reading() as connection:
            _begun(connection, first, asked)
        with ledger.database.reading() as connection:
            found = gather(connection, DEFINITIONS[kind], first, last, asked=asked)
        if not any(figure.value is not None for figure in found.figures.values()):
            raise NothingToReport(f"no metric of the report {kind} has data from {first} to {last}")
        report_id = f"{kind}.{first}.{last}.{found.position}"
        written = document(found, Facts(report_id, actor, key_id, ledger.simulated), language)
        event = _claim(report_id, found, digest_of(written), ledger, actor)
        with ledger.database.connect() as connection:
            digest = keep(connection, written, HTML)
        (outcome,) = ledger.append([[event]], key_id)
        if isinstance(outcome, LedgerError):
            raise outcome
        (appended,) = outcome
    return Issued(report_id, appended.position, digest)


def _begun(connection: Connection[Any], first: date, asked: int) -> None:
    today = as_day(local_day(asked, live(connection).rules.at(asked).time_zone))
    if first > today:
        raise NothingToReport(f"the period begins on {first}, and today is {today}: there is nothing to report yet")


def _claim(report_id: str, found: Findings, digest: str, ledger: Ledger, actor: str | None) -> Claim:
    now = ledger.now()
    return claim(
        "report.issued",
        report_id,
        {
            "report_kind": found.definition.kind,
            "period_start": found.first.isoformat(),
            "period_end": found.last.isoformat(),
            "figures": [_figure(figure, stamped) for stamped, figure in found.figures.items()],
            "digest": digest,
        },
        id=report_id,
        source=SOURCE,
        actor=actor,
        occurred_at=now,
        recorded_at=now if ledger.simulated else None,
    )


def _figure(figure: Figure, stamped: str) -> dict[str, Any]:
    parts = {"numerator": figure.numerator, "denominator": figure.denominator}
    return {
        "metric": figure.metric.name,
        "dimensions": dict(figure.dimensions),
        **{name: value for name, value in parts.items() if value is not None},
        **({} if figure.value is None else {"value": whole_value(figure)}),
        "stamp": stamped,
    }


@dataclass(frozen=True)
class Report:
    """A report as the log tells it; `voided_by` is the position of what strikes it."""

    entry: Recorded
    told: ReportIssued
    voided_by: int | None


def find(ledger: Ledger, report_id: str) -> Report | None:
    """The report of an id, if one was issued."""
    entries = ledger.stream("report", report_id)
    issued = next((entry for entry in entries if isinstance(entry.data, ReportIssued)), None)
    if issued is None or not isinstance(issued.data, ReportIssued):
        return None
    voids = (
        entry.position
        for entry in entries
        if entry.type == VOID and getattr(entry.data, "voided_position", None) == issued.position
    )
    return Report(issued, issued.data, next(voids, None))
