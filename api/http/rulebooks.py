"""Rule books over HTTP: which were published, what they say and how they differ; drafts tried, planned and applied."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api.http.context import key_of, program_of
from api.http.jobs import LATER, Later, worked
from api.http.past import asking_the_past
from api.http.problems import FieldError, Problem, invalid, not_found
from api.jobs import Progress
from ledger.aggregates.rulebook import RulebookPublished
from ledger.claims import Recorded
from ledger.log.documents import NoDocument
from ledger.rulebook.changes import changes
from ledger.rulebook.loading import BadRuleBook, load
from ledger.rulebook.model import RuleBook
from ledger.vocabulary import instant_text
from projections.generations import live
from projections.kpis import UnknownDimension
from replays.founding import published_books
from replays.publishing import NotPlannable, Plan, PlanOutdated, apply, find_plan, plan, taken_back
from replays.rebuild import ReplayRunning
from replays.trying import check

router = APIRouter()

BookText = Annotated[str, Field(min_length=1, max_length=500_000, description="The book as YAML.")]
Actor = Annotated[str | None, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")]
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


class Draft(BaseModel):
    """A rule book that is not published."""

    model_config = ConfigDict(extra="forbid")

    book: BookText


class WantedPlan(BaseModel):
    """What is planned: a draft (`book`), or with `back` what held before the book published last, as this version.

    A book that reaches back in time must say so (`retroactive`). Figures are compared by month from `from` (the
    book's first day, or this January) to today, and broken down by `by`.
    """

    model_config = ConfigDict(extra="forbid")

    book: BookText | None = None
    back: Annotated[str | None, Field(min_length=1, max_length=60)] = None
    retroactive: bool = False
    first: Annotated[date | None, Field(alias="from")] = None
    by: Annotated[list[str], Field(max_length=5)] = []


class Apply(BaseModel):
    """With `strict`, a plan is refused once anything was recorded since."""

    model_config = ConfigDict(extra="forbid")

    actor: Actor = None
    strict: bool = False


@router.get("/v1/rulebooks", summary="The rule books published, and those that judge")
def rulebooks(request: Request) -> dict[str, Any]:
    """In the order in which they were published; `in_force` says whether a book judges any time at all."""
    return {"rulebooks": [_told(published, in_force) for published, in_force in _published(request)]}


@router.get("/v1/rulebooks/differences", summary="What two versions of the rule book say differently")
def differences(
    request: Request,
    before: Annotated[str, Query(max_length=60, description="A version.")],
    after: Annotated[str, Query(max_length=60, description="Another.")],
) -> dict[str, Any]:
    """Part by part; `figures` says whether the part can move a figure, or only a text or a task."""
    one, two = (load(_text(request, version)) for version in (before, after))
    return {"changes": [asdict(change) for change in changes(one, two)]}


@router.post("/v1/rulebooks/check", summary="Try a rule book")
def tried(wanted: Draft) -> dict[str, Any]:
    """Its schema, its expressions against the tables, and its own tests."""
    book = checked(wanted.book)
    return {
        "rule_book": book.rule_book,
        "version": book.version,
        "effective_from": book.effective_from.isoformat(),
        "targets": len(book.targets),
        "metrics": len(book.metrics),
        "tests": len(book.tests),
    }


@router.post("/v1/rulebooks/plans", summary="Plan to publish a rule book", status_code=201, responses=LATER)
def new_plan(request: Request, response: Response, wanted: WantedPlan, later: Later = False) -> Any:
    """What would change: parts of the rules, figures before and after, rows that count otherwise, tables to be built.
    Nothing changes; the plan is kept under its digest."""
    if (wanted.book is None) == (wanted.back is None):
        raise invalid("Say either `book` or `back`", [FieldError("book", "either this or `back`")])
    ledger = program_of(request).ledger

    def work(progress: Progress) -> dict[str, Any]:
        with planning(), asking_the_past():
            draft = wanted.book if wanted.back is None else taken_back(ledger, wanted.back)
            assert draft is not None
            made = plan(
                ledger,
                draft,
                retroactive=wanted.retroactive or wanted.back is not None,
                first=wanted.first,
                by=tuple(wanted.by),
                progress=progress,
            )
        return plan_told(made)

    found = worked(request, response, "plan", work, wanted, later=later)
    if not later:
        response.headers["location"] = f"/v1/rulebooks/plans/{found['plan']}"
    return found


@router.get("/v1/rulebooks/plans/{plan}", summary="A plan as it was made")
def one_plan(request: Request, plan: str) -> dict[str, Any]:
    """`base` is the digest of the rules it was made against: it can be applied to no others."""
    return plan_told(_plan(request, plan))


@router.post("/v1/rulebooks/plans/{plan}/apply", summary="Publish a rule book as planned", responses=LATER)
def applied(request: Request, response: Response, plan: str, wanted: Apply, later: Later = False) -> Any:
    """The book is published and the tables follow it in one moment; until then readers see the tables as they were."""
    found, ledger, key = _plan(request, plan), program_of(request).ledger, key_of(request).id

    def work(progress: Progress) -> dict[str, Any]:
        try:
            done = apply(ledger, found, key_id=key, actor=wanted.actor, strict=wanted.strict, progress=progress)
        except (PlanOutdated, ReplayRunning) as error:
            raise Problem(409, "conflict", str(error)) from None
        return {
            "version": done.version,
            "generation": None if done.report is None else done.report.generation,
            "position": None if done.report is None else done.report.position,
        }

    return worked(request, response, "apply", work, wanted, later=later)


@router.get("/v1/rulebooks/{version}", summary="One version of the rule book, with its text")
def rulebook(request: Request, version: str) -> dict[str, Any]:
    """`book` is the YAML as it was published."""
    for published, in_force in _published(request):
        assert isinstance(published.data, RulebookPublished)
        if published.data.book_version == version:
            return _told(published, in_force) | {"book": published.data.book}
    raise _no_version()


def checked(text: str) -> RuleBook:
    """A book that can be published. Raises a `Problem` (422) with a field error per line of what is wrong."""
    try:
        return check(text, "line")
    except BadRuleBook as error:
        lines = str(error).splitlines()
        raise invalid(
            f"The rule book has {len(lines)} mistake{'s' if len(lines) > 1 else ''}: {lines[0]}",
            [FieldError("book", line) for line in lines[:200]],
        ) from None


@contextmanager
def planning() -> Iterator[None]:
    """What stands against a plan, as a `Problem`."""
    try:
        yield
    except BadRuleBook as error:
        lines = str(error).splitlines()
        raise invalid(
            f"The rule book cannot be used: {lines[0]}", [FieldError("book", line) for line in lines]
        ) from None
    except NotPlannable as error:
        raise Problem(409, "conflict", str(error)) from None
    except UnknownDimension as error:
        raise invalid(str(error), [FieldError("by", str(error))]) from None


def plan_told(made: Plan) -> dict[str, Any]:
    """A plan as it is shown: its digest, and all it says."""
    return {"plan": made.digest, **made.document}


def _plan(request: Request, digest: str) -> Plan:
    try:
        return find_plan(program_of(request).ledger, digest)
    except NoDocument:
        raise not_found("There is no such plan; POST /v1/rulebooks/plans makes one") from None


def _published(request: Request) -> list[tuple[Recorded, bool]]:
    program = program_of(request)
    with program.database.reading() as connection:
        judging = {book.version for book in live(connection).rules.books}
    books = published_books(program.ledger)
    return [(one, isinstance(one.data, RulebookPublished) and one.data.book_version in judging) for one in books]


def _text(request: Request, version: str) -> str:
    for published in published_books(program_of(request).ledger):
        if isinstance(published.data, RulebookPublished) and published.data.book_version == version:
            return published.data.book
    raise _no_version()


def _no_version() -> Problem:
    return not_found("No rule book of that version was published; GET /v1/rulebooks lists all")


def _told(published: Recorded, in_force: bool) -> dict[str, Any]:
    data = published.data
    assert isinstance(data, RulebookPublished)
    return {
        "rule_book": published.subject,
        "version": data.book_version,
        "digest": data.digest,
        "effective_from": instant_text(data.effective_from),
        "published_at": instant_text(published.recorded_at),
        "position": published.position,
        "actor": published.actor,
        "retroactive": data.effective_from < published.recorded_at and published.position > 1,
        "in_force": in_force,
    }
