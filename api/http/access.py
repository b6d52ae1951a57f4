"""Who may call what: one table of routes and roles, and the one check every route goes through."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from api.http.problems import Problem, forbidden, not_found, unauthenticated


class Role(StrEnum):
    """What a key is for. Roles do not include one another: the table below names every role that may."""

    SERVICE = "service"
    ANALYST = "analyst"
    AUDITOR = "auditor"
    ADMIN = "admin"


Roles = frozenset[Role]

EVERYBODY: Final[Roles] = frozenset()
"""No key is asked for."""
ANY_KEY: Final[Roles] = frozenset(Role)
WRITERS: Final[Roles] = frozenset({Role.SERVICE, Role.ADMIN})
READERS: Final[Roles] = frozenset({Role.ANALYST, Role.AUDITOR, Role.ADMIN})
PLANNERS: Final[Roles] = frozenset({Role.ANALYST, Role.ADMIN})
ADMINS: Final[Roles] = frozenset({Role.ADMIN})
SEES_PERSONAL: Final[Roles] = frozenset({Role.AUDITOR, Role.ADMIN})
"""Who is shown the fields marked personal, `reason` among them; the others are told that something is withheld."""

ACCESS: Final[Mapping[tuple[str, str], Roles]] = {
    ("GET", "/"): EVERYBODY,
    ("GET", "/healthz"): EVERYBODY,
    ("GET", "/readyz"): EVERYBODY,
    ("GET", "/openapi.json"): EVERYBODY,
    ("GET", "/metrics"): ANY_KEY,
    ("GET", "/checkpoint"): EVERYBODY,
    ("GET", "/v1/seal"): EVERYBODY,
    ("GET", "/tile/entries/{number}"): SEES_PERSONAL,
    ("GET", "/tile/{level}/{number}"): ANY_KEY,
    ("GET", "/v1/entries/{position}"): SEES_PERSONAL,
    ("GET", "/v1/proofs/inclusion"): ANY_KEY,
    ("GET", "/v1/proofs/consistency"): ANY_KEY,
    ("POST", "/v1/events"): WRITERS,
    ("GET", "/v1/events"): ANY_KEY,
    ("GET", "/v1/events/stream"): READERS,
    ("GET", "/v1/catalogue"): ANY_KEY,
    ("GET", "/v1/catalogue/{event_type}"): ANY_KEY,
    ("GET", "/v1/tables"): READERS,
    ("GET", "/v1/tables/{table}"): READERS,
    ("GET", "/v1/clocks"): READERS,
    ("GET", "/v1/kpis"): READERS,
    ("GET", "/v1/kpis/{metric}/rows"): READERS,
    ("POST", "/v1/recompute"): READERS,
    ("POST", "/v1/restatements"): READERS,
    ("GET", "/v1/baselines"): READERS,
    ("GET", "/v1/duplicates"): READERS,
    ("GET", "/v1/surveys/due"): READERS,
    ("GET", "/v1/voids"): READERS,
    ("GET", "/v1/forms"): READERS,
    ("GET", "/v1/forms/{form}"): READERS,
    ("GET", "/v1/reports"): READERS,
    ("GET", "/v1/reports/{report_id}"): READERS,
    ("GET", "/v1/reports/{report_id}/document"): READERS,
    ("POST", "/v1/baselines"): PLANNERS,
    ("POST", "/v1/reports"): PLANNERS,
    ("POST", "/v1/watch"): PLANNERS,
    ("POST", "/v1/samples"): PLANNERS,
    ("GET", "/v1/history/{aggregate}/{subject}"): READERS,
    ("GET", "/v1/explain/{table}/{key}/{column}"): READERS,
    ("GET", "/v1/rulebooks"): READERS,
    ("GET", "/v1/rulebooks/{version}"): READERS,
    ("GET", "/v1/rulebooks/differences"): READERS,
    ("POST", "/v1/rulebooks/check"): PLANNERS,
    ("POST", "/v1/rulebooks/plans"): PLANNERS,
    ("GET", "/v1/rulebooks/plans/{plan}"): READERS,
    ("POST", "/v1/rulebooks/plans/{plan}/apply"): ADMINS,
    ("POST", "/v1/what-if"): READERS,
    ("GET", "/v1/jobs"): READERS,
    ("GET", "/v1/jobs/{job}"): READERS,
    ("GET", "/v1/jobs/{job}/events"): READERS,
    ("DELETE", "/v1/jobs/{job}"): PLANNERS,
    ("GET", "/v1/replays"): READERS,
    ("GET", "/v1/replays/{replay}"): READERS,
    ("POST", "/v1/replays"): ADMINS,
    ("GET", "/v1/evidence/{aggregate}/{subject}"): SEES_PERSONAL,
    ("GET", "/v1/erasures"): ADMINS,
    ("POST", "/v1/erasures"): ADMINS,
    ("POST", "/v1/erasures/{customer_id}/approve"): ADMINS,
    ("GET", "/v1/keys"): ADMINS,
    ("POST", "/v1/keys"): ADMINS,
    ("DELETE", "/v1/keys/{key}"): ADMINS,
    ("GET", "/v1/{aggregate}/{subject}"): READERS,
}
"""(method, path) → the roles that may. A route that is missing here keeps the program from starting."""

ADMIN_TYPES: Final[frozenset[str]] = frozenset(
    {"record.voided", "void.declined", "customer.erasure_requested", "customer.key_destroyed"}
)
"""Event types only an admin's key may append: they strike, erase or change what counts."""


OWN_TYPES: Final[frozenset[str]] = frozenset({"rulebook.published", "access.personal_read", "access.exported"})
"""Event types that only the ledger itself appends: a rule book is checked and tried before it is published."""


def admit(method: str, path: str, role: Role | None) -> None:
    """Raise the problem (401, 403) that keeps a key's role (None: no key) from the route; return where it may."""
    allowed = ACCESS.get((method, path))
    if allowed is None:
        raise not_found("There is nothing at this path")
    if allowed == EVERYBODY or role in allowed:
        return
    if role is None:
        raise no_key()
    names = ", ".join(sorted(allowed))
    raise forbidden(f"{method} {path} needs a key with one of the roles {names}; this one's role is {role}")


def no_key() -> Problem:
    return unauthenticated("Send a key as Authorization: Bearer <key>; `reqledger keys create` makes one")
