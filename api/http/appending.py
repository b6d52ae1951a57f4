"""`POST /v1/events`: from the request's bytes to the answer after the commit.

The handler speaks ASGI directly. It is the ledger's busiest place: nothing is parsed twice, and nothing waits on the
event loop but the commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from concurrent.futures import Future
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope

from api.http.access import ADMIN_TYPES, OWN_TYPES, Role, admit
from api.http.answers import Answers
from api.http.bodies import Bodies
from api.http.claiming import Unclaimable, to_claim
from api.http.doorkeeper import Doorkeeper
from api.http.gate import Answer
from api.http.metrics import Metrics
from api.http.problems import FieldError, Problem, forbidden, invalid
from api.http.refusals import problem_of, rule_of
from api.http.wire import Received, receive
from ledger.claims import Claim
from ledger.errors import LedgerError
from ledger.log.application import Appended, Ledger
from ledger.log.keys import Key
from ledger.privacy.destroying import DESTROYED
from ledger.settings import Settings
from ledger.vocabulary import instant_text

LARGE_BODY_BYTES: Final = 32 * 1024
"""Bodies above this are read in a thread: a thousand events take tens of milliseconds to validate."""
MOST_ERRORS: Final = 100
_JSON: Final = [(b"content-type", b"application/json")]

Outcome = Appended | Problem


class Appending:
    """Handles `POST /v1/events` for one process."""

    def __init__(self, ledger: Ledger, doorkeeper: Doorkeeper, settings: Settings, metrics: Metrics) -> None:
        self._ledger = ledger
        self._doorkeeper = doorkeeper
        self._settings = settings
        self._bodies = Bodies(largest=settings.max_body_bytes, together=settings.queue_bytes)
        self._metrics = metrics
        self._answers: Answers | None = None

    async def __call__(self, scope: Scope, messages: Receive, request_id: str) -> Answer:
        """Append the request's events and answer. Raises a `Problem` where none of them was appended."""
        try:
            return await self._handle(scope, messages, request_id)
        except Problem as problem:
            self._metrics.refusals.labels(rule_of(problem)).inc()
            raise

    async def _handle(self, scope: Scope, messages: Receive, request_id: str) -> Answer:
        headers = dict(scope["headers"])
        key = await self._doorkeeper.key(headers.get(b"authorization"))
        admit("POST", "/v1/events", None if key is None else Role(key.role))
        assert key is not None
        atomic = _atomic(scope["query_string"])
        try:
            self._ledger.appender.refuse_overload()
        except LedgerError as error:
            raise problem_of(error) from None
        body = await self._bodies.read(headers, messages)
        try:
            return await self._append(headers, body, key, request_id, atomic=atomic)
        finally:
            self._bodies.done(body)

    async def _append(
        self, headers: dict[bytes, bytes], body: bytes, key: Key, request_id: str, *, atomic: bool
    ) -> Answer:
        text = {name.decode("latin-1"): headers[name].decode("latin-1") for name in headers if _tells(name)}
        if len(body) > LARGE_BODY_BYTES:
            received, read = await run_in_threadpool(self._read, text, body, key)
        else:
            received, read = self._read(text, body, key)
        self._metrics.batch_events.observe(len(read))
        if atomic:
            return await self._all_or_nothing(received, read, key)
        return await self._each(read, key, request_id)

    def _read(self, headers: dict[str, str], body: bytes, key: Key) -> tuple[Received, list[Claim | Problem]]:
        received = receive(headers, body, max_events=self._settings.max_batch_events)
        return received, [self._claim(item, key) for item in received.items]

    def _claim(self, item: Any, key: Key) -> Claim | Problem:
        try:
            claim = to_claim(item)
        except Unclaimable as error:
            return invalid("The event is not well formed", error.errors)
        if claim.type in OWN_TYPES:
            return forbidden(
                f"{claim.type} is appended by the ledger itself", [FieldError("type", "is not taken from a sender")]
            )
        if claim.type == DESTROYED and self._ledger.encrypted:
            return forbidden(
                f"{claim.type} is appended by the ledger itself, when it destroys the keys",
                [FieldError("type", "is not taken from a sender", "POST /v1/erasures, which another key approves")],
            )
        if claim.type in ADMIN_TYPES and key.role != "admin":
            return forbidden(f"{claim.type} needs an admin's key", [FieldError("type", "needs an admin's key")])
        if not key.allows(claim.source, claim.type):
            detail = f"This key may not append {claim.type} as told by {claim.source}"
            return forbidden(detail, [FieldError("type", "is outside the key's sources and types")])
        return claim

    async def _all_or_nothing(self, received: Received, read: list[Claim | Problem], key: Key) -> Answer:
        claims = [item for item in read if isinstance(item, Claim)]
        if len(claims) < len(read):
            raise _joined(read, single=received.single)
        if not claims:
            return 200, list(_JSON), orjson.dumps({"position": None, "events": []})
        try:
            appended = await self._answer(self._ledger.appender.submit(claims, key.id))
        except LedgerError as error:
            raise problem_of(error) from None
        self._count(appended)
        status = 200 if all(one.duplicate for one in appended) else 201
        events = [_told(claim, one) for claim, one in zip(claims, appended, strict=True)]
        return status, list(_JSON), orjson.dumps({"position": max(one.position for one in appended), "events": events})

    async def _each(self, read: list[Claim | Problem], key: Key, request_id: str) -> Answer:
        waiting = [self._submit(item, key) for item in read]
        results = []
        highest: int | None = None
        for item, submitted in zip(read, waiting, strict=True):
            outcome = await self._outcome(submitted)
            if isinstance(outcome, Problem) or isinstance(item, Problem):
                problem = outcome if isinstance(outcome, Problem) else item
                assert isinstance(problem, Problem)
                self._metrics.refusals.labels(rule_of(problem)).inc()
                results.append({"status": problem.status, "problem": problem.as_json(request_id)})
                continue
            self._count([outcome])
            highest = max(highest or 0, outcome.position)
            results.append({"status": 200 if outcome.duplicate else 201} | _told(item, outcome))
        return 207, list(_JSON), orjson.dumps({"position": highest, "events": results})

    def _submit(self, item: Claim | Problem, key: Key) -> Future[list[Appended]] | Problem:
        if isinstance(item, Problem):
            return item
        try:
            return self._ledger.appender.submit([item], key.id)
        except LedgerError as error:
            return problem_of(error)

    async def _outcome(self, submitted: Future[list[Appended]] | Problem) -> Outcome:
        if isinstance(submitted, Problem):
            return submitted
        try:
            return (await self._answer(submitted))[0]
        except LedgerError as error:
            return problem_of(error)

    def _answer(self, submitted: Future[list[Appended]]) -> Coroutine[Any, Any, list[Appended]]:
        loop = asyncio.get_running_loop()
        if self._answers is None or self._answers.loop is not loop:
            self._answers = Answers(loop)
        return self._answers.to(submitted)

    def _count(self, appended: Sequence[Appended]) -> None:
        repeated = sum(one.duplicate for one in appended)
        if repeated:
            self._metrics.duplicates.inc(repeated)
        if repeated < len(appended):
            self._metrics.appended.inc(len(appended) - repeated)


def _told(claim: Claim, appended: Appended) -> dict[str, Any]:
    return {
        "source": claim.source,
        "id": claim.id,
        "position": appended.position,
        "aggregate": appended.aggregate,
        "subject": appended.subject,
        "version": appended.version,
        "recorded_at": instant_text(appended.recorded_at),
        "duplicate": appended.duplicate,
    }


def _joined(read: Sequence[Claim | Problem], *, single: bool) -> Problem:
    """One problem for all the events of a request that are wrong; nothing was appended."""
    wrong = [(index, item) for index, item in enumerate(read) if isinstance(item, Problem)]
    first = wrong[0][1]
    if single:
        return first
    errors = [error.at(index) for index, problem in wrong for error in problem.errors]
    worst = next((problem for _, problem in wrong if problem.status == 403), first)
    detail = f"{len(wrong)} of {len(read)} events cannot be appended, so none was; atomic=false takes the others"
    return Problem(worst.status, worst.kind, detail, errors[:MOST_ERRORS])


def _atomic(query: bytes) -> bool:
    if not query:
        return True
    asked = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))
    chosen = asked.pop("atomic", "true")
    if asked:
        raise invalid("Unknown parameters", [FieldError(name[:100], "is not a parameter here") for name in asked])
    if chosen not in ("true", "false"):
        raise invalid("atomic is true or false", [FieldError("atomic", "must be true or false")])
    return chosen == "true"


def _tells(name: bytes) -> bool:
    """Whether a header says something about the events: its form, or an attribute in binary mode."""
    return name == b"content-type" or name.startswith(b"ce-")
