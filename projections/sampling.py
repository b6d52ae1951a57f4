"""The weekly sample for quality reviews: drawn by channel, the same for everybody who knows week, seed and position."""

from __future__ import annotations

import hashlib
import secrets
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from typing import Any

from psycopg import Connection, sql

from ledger.claims import Claim, claim
from ledger.errors import LedgerError
from ledger.log.application import Ledger
from ledger.rulebook.calendars import first_moment
from ledger.rulebook.model import day_us, instant_us
from projections.generations import Generation, live, position
from projections.settled import settled

SOURCE = "/ledger/sampling"
CONTACTS = sql.SQL(
    "SELECT contact_id, channel FROM {schema}.contacts WHERE received_at >= {begins} AND received_at < {ends} "
    "AND merged_into IS NULL"
)
SAMPLED = sql.SQL("SELECT DISTINCT seed FROM {schema}.reviews WHERE week = {week} AND seed IS NOT NULL ORDER BY seed")
LARGEST_SEED = 2**31


class BadWeek(ValueError):
    """The text names no week that can be sampled."""


class AlreadySampled(LedgerError):
    """The week was sampled under another seed: a sample is drawn once."""


@dataclass(frozen=True)
class Sample:
    """What was drawn: contacts by channel, out of how many, from tables that held the log up to `position`."""

    week: str
    seed: int
    position: int
    contacts: dict[str, list[str]]
    of: dict[str, int]


def sample(
    ledger: Ledger,
    week: str,
    *,
    key_id: str,
    seed: int | None = None,
    per_channel: int | None = None,
    dry_run: bool = False,
) -> Sample:
    """Draw a week's sample and record it as reviews to be scored; drawing again under the same seed adds nothing.

    `week` is an ISO week such as 2026-W14, its days those of the rule book's zone. `per_channel` is the rule book's
    unless given, `seed` is chosen where it is not given. With `dry_run` nothing is recorded. Raises BadWeek,
    AlreadySampled, NotNow.
    """
    monday = first_day(week)
    with settled(ledger, "sample"):
        now = instant_us(ledger.now().astimezone(UTC))
        with ledger.database.reading() as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            generation = live(connection)
            book = generation.rules.at(now)
            taken = _seed_of(connection, generation, week, monday, seed)
            found = connection.execute(_query(generation, monday, book.time_zone)).fetchall()
            at = position(connection, generation)
        seed = next(each for each in (taken, seed, secrets.randbelow(LARGEST_SEED)) if each is not None)
        drawn = draw(found, seed, book.sampling.per_channel if per_channel is None else per_channel)
        made = Sample(week, seed, at, drawn, {channel: sum(one[1] == channel for one in found) for channel in drawn})
        if not dry_run and taken is None:
            _record(ledger, made, key_id)
    return made


def draw(contacts: Iterable[tuple[str, str]], seed: int, per_channel: int) -> dict[str, list[str]]:
    """Of (contact, channel), `per_channel` of each channel: those whose digest with the seed comes first."""
    by_channel: dict[str, list[str]] = defaultdict(list)
    for contact, channel in contacts:
        by_channel[channel].append(contact)
    return {
        channel: sorted(found, key=lambda contact: hashlib.sha256(f"{seed}\n{contact}".encode()).digest())[:per_channel]
        for channel, found in sorted(by_channel.items())
    }


def first_day(week: str) -> date:
    """The Monday of an ISO week such as 2026-W14. Raises BadWeek."""
    try:
        year, _, number = week.partition("-W")
        return date.fromisocalendar(int(year), int(number), 1)
    except ValueError:
        raise BadWeek(f"{week!r} is not a week; write it like 2026-W14") from None


def _seed_of(
    connection: Connection[Any], generation: Generation, week: str, monday: date, wanted: int | None
) -> int | None:
    """The seed a week was sampled under already. Raises AlreadySampled where that is not the one wanted."""
    query = SAMPLED.format(schema=sql.Identifier(generation.schema), week=sql.Literal(day_us(monday)))
    taken = [int(row[0]) for row in connection.execute(query)]
    if taken and wanted is not None and wanted not in taken:
        raise AlreadySampled(f"week {week} was sampled under seed {taken[0]}; the same seed draws the same again")
    return taken[0] if taken else None


def _query(generation: Generation, monday: date, zone: str) -> sql.Composed:
    return CONTACTS.format(
        schema=sql.Identifier(generation.schema),
        begins=sql.Literal(first_moment(monday, zone)),
        ends=sql.Literal(first_moment(monday + timedelta(7), zone)),
    )


def _record(ledger: Ledger, made: Sample, key_id: str) -> None:
    claims = [_claim(ledger, made, contact, channel) for channel, found in made.contacts.items() for contact in found]
    if claims:
        (outcome,) = ledger.append([claims], key_id)
        if isinstance(outcome, LedgerError):
            raise outcome


def _claim(ledger: Ledger, made: Sample, contact: str, channel: str) -> Claim:
    now = ledger.now()
    name = f"{made.week}.{contact}"
    return claim(
        "review.sampled",
        name,
        {"contact_id": contact, "channel": channel, "week": made.week, "seed": made.seed},
        id=f"{name}.{made.seed}",
        source=SOURCE,
        occurred_at=now,
        recorded_at=now if ledger.simulated else None,
    )
