"""Errors of the ledger as problem documents: one mapping, in one place."""

from __future__ import annotations

import psycopg
from psycopg_pool import PoolTimeout

from api.http.claiming import field_errors
from api.http.problems import FieldError, Problem, invalid, overloaded, unauthenticated, unavailable
from ledger.errors import (
    AppendFailed,
    Closed,
    DuplicateMismatch,
    Invalid,
    KeyRefused,
    LedgerError,
    Overloaded,
    Refused,
    Retryable,
    VersionMismatch,
)
from ledger.privacy.encryption import Undecipherable
from ledger.privacy.revealing import KeyMissing


def problem_of(error: LedgerError) -> Problem:
    """The problem document for an error of the ledger.

    409 where the ledger's content stands against it (version, id already taken, a rule of the domain), 422 for what is
    not well formed, 503 with Retry-After for what may succeed when sent again, 500 for the program's own fault.
    """
    match error:
        case Invalid():
            errors = field_errors(error)
            return invalid(str(error), errors if error.index is None else [one.at(error.index) for one in errors])
        case VersionMismatch():
            more = {"rule": error.rule, "expected": error.expected, "actual": error.actual}
            return Problem(409, "version-conflict", error.message, _place("expectedversion", error), more=more)
        case DuplicateMismatch():
            more = {"rule": error.rule, "position": error.position}
            return Problem(409, "duplicate-conflict", error.message, _place("id", error), more=more)
        case Refused():
            return Problem(409, "refused", error.message, _place("event", error), more={"rule": error.rule})
        case Overloaded():
            return overloaded(str(error))
        case Closed():
            return unavailable(str(error), retry_after=2)
        case Retryable():
            return unavailable(str(error))
        case KeyRefused():
            return unauthenticated(str(error))
        case AppendFailed() | KeyMissing() | Undecipherable():
            return Problem(500, "internal", str(error))
    return Problem(503, "unavailable", str(error), headers={"retry-after": "30"})


def database_problem(error: psycopg.Error | PoolTimeout) -> Problem:
    """The problem document for a read that the database did not answer."""
    if isinstance(error, PoolTimeout):
        return overloaded("All database connections are in use")
    return unavailable("The database does not answer")


def rule_of(problem: Problem) -> str:
    """What refused, for counting: a rule of the domain, or the kind of problem."""
    return str(problem.more.get("rule", problem.kind))


def _place(field: str, error: Refused) -> list[FieldError]:
    return [] if error.index is None else [FieldError(field, error.message, None, error.index)]
