"""The life cycle of rule books: a draft is tried, planned, and applied exactly as planned; and taken back.

A plan is a document of its own, kept by its digest: what would change, for which rows and why, computed from the very
recipe that applying it builds the tables by. It belongs to the rules it was made against, and to no others.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date
from typing import Any

import orjson

from ledger.claims import claim
from ledger.errors import LedgerError
from ledger.log import documents
from ledger.log.application import Ledger
from ledger.rulebook.calendars import local_day
from ledger.rulebook.loading import load
from ledger.rulebook.model import RuleBook, instant_us
from ledger.rulebook.rules import in_force, read_rules
from projections import generations
from projections.keeping import keep_recipe
from projections.recipes import recipe
from projections.tables.standing import STANDING
from projections.values import as_day, instant
from replays.comparing import Question, compare
from replays.engine import Progress
from replays.founding import PUBLISHED, SOURCE, published_texts
from replays.rebuild import Report, alone, rebuild
from replays.telling import told
from replays.trying import check

PLAN = "application/json"
RELABEL = "UPDATE projections.generations SET book = %s, definition = %s WHERE state = 'live'"
TOP_LEVEL = r"^{}:.*$"


class NotPlannable(LedgerError):
    """The draft is valid, but cannot follow the rules in force: the message says why and what to do."""


class PlanOutdated(LedgerError):
    """The rules in force are others than those the plan was made against: plan again."""


@dataclass(frozen=True)
class Plan:
    """A plan as it is kept: its digest, and what `document` says (as plain JSON values)."""

    digest: str
    document: dict[str, Any]

    @property
    def book(self) -> RuleBook:
        return load(self.document["book"])


@dataclass(frozen=True)
class Applied:
    """What applying a plan came to: the version now published, and the rebuild's report; None where nothing had to be
    computed again."""

    version: str
    report: Report | None


def plan(
    ledger: Ledger,
    draft: str,
    source: str = "draft",
    *,
    retroactive: bool = False,
    first: date | None = None,
    by: tuple[str, ...] = (),
    progress: Progress = lambda *_: None,
) -> Plan:
    """Work out what publishing a draft would change, and keep that as a plan.

    Figures are compared by month from `first` (default: the book's first day, or January of this year) to today.
    Raises BadRuleBook; NotPlannable where the version is taken, the name another, a metric changes its nature, or the
    book reaches back in time without `retroactive`.
    """
    book = check(draft, source)
    published = published_texts(ledger)
    now = instant_us(ledger.now().astimezone(UTC))
    reaches_back = _fits(book, [load(text) for text in published], now, retroactive)
    base_text, rules_text = in_force(published), in_force([*published, draft])
    today = as_day(local_day(now, book.time_zone))
    position = ledger.head().position
    begins = first or max(book.effective_from, date(today.year, 1, 1))
    question = Question(position=position, asked=now, first=min(begins, today), last=today, by=by)
    same = recipe(base_text).alike(recipe(rules_text))
    found = compare(ledger, base_text, rules_text, question, progress)
    document = {
        "base": documents.digest_of(base_text.encode()),
        "version": book.version,
        "effective_from": book.effective_from.isoformat(),
        "retroactive": reaches_back,
        "recomputes": not same,
        "book": draft,
        **told(found, recipe(rules_text)),
    }
    with ledger.pool.connection() as connection:
        digest = documents.keep(connection, orjson.dumps(document), PLAN)
    return Plan(digest, document)


def find_plan(ledger: Ledger, digest: str) -> Plan:
    """A plan kept before. Raises NoDocument, DocumentAltered."""
    with ledger.pool.connection() as connection:
        kept = documents.fetch(connection, digest)
    return Plan(digest, orjson.loads(kept.content))


def apply(
    ledger: Ledger,
    wanted: Plan,
    *,
    key_id: str,
    actor: str | None = None,
    strict: bool = False,
    progress: Progress = lambda *_: None,
) -> Applied:
    """Publish a plan's book and have the tables follow it, switched in the moment it is published.

    What was recorded since the plan was made is judged by it as well; with `strict` the plan is refused then. Raises
    PlanOutdated, ReplayRunning, Refused.
    """
    published = published_texts(ledger)
    if documents.digest_of(in_force(published).encode()) != wanted.document["base"]:
        raise PlanOutdated("another rule book was published since the plan was made: plan again")
    head = ledger.head().position
    if strict and head != wanted.document["position"]:
        raise PlanOutdated(f"events were recorded since: the plan is of position {wanted.document['position']}")
    draft = wanted.document["book"]
    rules_text = in_force([*published, draft])
    publish = _publisher(ledger, draft, key_id, actor)
    if not wanted.document["recomputes"]:
        with alone(ledger) as connection:
            publish()
            keep_recipe(connection, recipe(rules_text))
            connection.execute(RELABEL, [rules_text, generations.definition_digest(rules_text)])
        return Applied(wanted.book.version, None)
    report = rebuild(ledger, book_text=rules_text, before_switch=publish, progress=progress)
    return Applied(wanted.book.version, report)


def taken_back(ledger: Ledger, version: str) -> str:
    """The draft that undoes the book published last: what held before it, as a new version, from the same day on.

    Raises NotPlannable where there is none before it.
    """
    texts = published_texts(ledger)
    last = load(texts[-1])
    before = in_force(texts[:-1])
    if not before:
        raise NotPlannable(f"version {last.version} is the only rule book: there is none before it")
    text = next(each for each in reversed(texts) if load(each) == read_rules(before).at(last.effective_from_us))
    for key, value in (("version", version), ("effective_from", last.effective_from.isoformat())):
        text, found = re.subn(TOP_LEVEL.format(key), f'{key}: "{value}"', text, flags=re.MULTILINE)
        if found != 1:
            raise NotPlannable(f"{key} of version {load(text).version} does not stand on a line of its own")
    return text


def _fits(book: RuleBook, published: list[RuleBook], now: int, retroactive: bool) -> bool:
    """Whether the book reaches back in time. Raises NotPlannable."""
    if not published:
        raise NotPlannable("the ledger has no rule book yet: start it once with `reqledger serve`")
    if book.rule_book != published[-1].rule_book:
        raise NotPlannable(f"rule_book: this ledger's is {published[-1].rule_book}, not {book.rule_book}")
    if book.version in {each.version for each in published}:
        raise NotPlannable(f"version: {book.version} was already published; choose another")
    for before in published:
        for metric in before.metrics:
            now_told = next((each for each in book.metrics if each.name == metric.name), metric)
            if (metric.type, metric.table in STANDING) != (now_told.type, now_told.table in STANDING):
                raise NotPlannable(f"metrics.{metric.name}: was a {metric.type} on {metric.table}; use a new name")
    today = as_day(local_day(now, book.time_zone))
    reaches_back = book.effective_from < today
    if reaches_back and not retroactive:
        raise NotPlannable(
            f"effective_from: {book.effective_from} lies before today ({today}), so figures already told would change; "
            "say that it is meant (--retroactive), or choose a later day"
        )
    return reaches_back


def _publisher(ledger: Ledger, draft: str, key_id: str, actor: str | None) -> Callable[[], None]:
    book = load(draft)

    def publish() -> None:
        now = ledger.now()
        event = claim(
            PUBLISHED,
            book.rule_book,
            {
                "book_version": book.version,
                "digest": book.digest(),
                "effective_from": instant(book.effective_from_us),
                "book": draft,
                "second_person_voids": book.voids.by_two,
            },
            id=f"{book.rule_book}/{book.version}",
            source=SOURCE,
            actor=actor,
            occurred_at=now,
            recorded_at=now if ledger.simulated else None,
        )
        (outcome,) = ledger.append([[event]], key_id)
        if isinstance(outcome, LedgerError):
            raise outcome

    return publish
