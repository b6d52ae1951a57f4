"""Requirements that may say the same: candidates for people to look at, found by how alike their statements are.

Statements are personal text and stand in no table: they are read from the log, compared in memory, and forgotten.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from psycopg import Connection, sql
from rapidfuzz import fuzz, process

from ledger.aggregates.requirement import RequirementCaptured, RequirementClarified
from ledger.claims import VOID, Recorded, decode
from projections.generations import live

MOST_COMPARED = 5_000
"""The newest open requirements are compared, each with all others: some seconds."""
SHORTEST = 4
"""Characters of a statement below which its likeness means nothing."""

OPEN = sql.SQL(
    "SELECT requirement_id, customer_id FROM {schema}.requirements WHERE merged_into IS NULL AND rejected_at IS NULL "
    "AND closed_at IS NULL ORDER BY captured_at DESC, requirement_id LIMIT {most}"
)
SAID = (
    "SELECT entry FROM log.entries WHERE aggregate = 'requirement' AND (%(all)s OR subject = ANY(%(subjects)s)) "
    "AND type = ANY(%(types)s)"
)
TYPES = ["requirement.captured", "requirement.clarified", VOID]
WORD = re.compile(r"[^\W_]+")

Progress = Callable[[int, int], None]
Reveal = Callable[[Iterable[Recorded]], list[Recorded]]
"""Makes personal texts readable: `Ledger.reveal`."""


@dataclass(frozen=True)
class Statement:
    """What a requirement says now, and whose it is."""

    requirement_id: str
    customer_id: str | None
    text: str


@dataclass(frozen=True)
class Candidate:
    """Two requirements that may say the same; likeness from 0 to 100."""

    first: Statement
    second: Statement
    likeness: int


def candidates(
    connection: Connection[Any],
    reveal: Reveal,
    *,
    asked: int,
    threshold: int | None = None,
    progress: Progress = lambda *_: None,
) -> tuple[list[Candidate], int]:
    """The pairs of open requirements at least as alike as the threshold, the most alike first; how many were compared.

    `threshold` (1 to 100) is that of the rule book in force at the moment of asking (microseconds) unless given.
    """
    connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    generation = live(connection)
    least = generation.rules.at(asked).duplicates.threshold if threshold is None else threshold
    query = OPEN.format(schema=sql.Identifier(generation.schema), most=sql.Literal(MOST_COMPARED))
    owners: dict[str, str | None] = dict(connection.execute(query).fetchall())
    statements = list(_statements(connection, reveal, owners))
    found = list(_pairs(statements, least, progress))
    return sorted(found, key=_order), len(statements)


def _order(candidate: Candidate) -> tuple[int, str, str]:
    return -candidate.likeness, candidate.first.requirement_id, candidate.second.requirement_id


def _statements(connection: Connection[Any], reveal: Reveal, owners: dict[str, str | None]) -> Iterator[Statement]:
    """What each requirement says; those that say next to nothing cannot be compared."""
    for requirement_id, text in sorted(statements_of(connection, reveal, owners).items()):
        if len(plain(text)) >= SHORTEST:
            yield Statement(requirement_id, owners[requirement_id], text)


def statements_of(
    connection: Connection[Any], reveal: Reveal, requirements: Iterable[str] | None = None
) -> dict[str, str]:
    """The latest statement of each requirement (default: of all) that has one, voided ones left out. Personal text.

    A requirement whose latest statement was erased has none.
    """
    asked = {"all": requirements is None, "subjects": list(requirements or ()), "types": TYPES}
    entries = reveal([decode(bytes(row[0])) for row in connection.execute(SAID, asked)])
    voided = {getattr(entry.data, "voided_position", None) for entry in entries if entry.type == VOID}
    latest: dict[str, str] = {}
    for entry in sorted(entries, key=lambda entry: (not entry.data.about.opens, entry.occurred_at, entry.position)):
        told = entry.data
        if entry.position in voided or not isinstance(told, RequirementCaptured | RequirementClarified):
            continue
        if told.statement is not None:
            latest[entry.subject] = told.statement
    return {requirement: text for requirement, text in latest.items() if isinstance(text, str)}


def plain(text: str) -> str:
    """Words only, in small letters: what two statements are compared by. Chinese stays as it is, sign by sign."""
    return " ".join(WORD.findall(text.lower()))


def _pairs(statements: list[Statement], least: int, progress: Progress) -> Iterator[Candidate]:
    """Alike by their letters, or by their words in whatever order."""
    texts = [plain(statement.text) for statement in statements]
    for nth, text in enumerate(texts):
        if nth % 100 == 0:
            progress(nth, len(texts))
        later = texts[nth + 1 :]
        alike: dict[int, float] = {}
        for scorer in (fuzz.ratio, fuzz.token_sort_ratio):
            for _, score, at in process.extract(text, later, scorer=scorer, score_cutoff=least, limit=None):
                alike[at] = max(score, alike.get(at, 0))
        for at, score in sorted(alike.items()):
            yield Candidate(statements[nth], statements[nth + 1 + at], round(score))
    progress(len(texts), len(texts))
