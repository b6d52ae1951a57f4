"""Sending many events to a ledger, over HTTP or straight into it: in order, again after a failure, never twice.

Events are in the CloudEvents JSON form. A unit is a sequence of events that stand or fall together.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import Any, Protocol, TypeVar

import httpx
import orjson

from api.http.claiming import Unclaimable, to_claim
from api.http.wire import BATCH
from ledger.claims import Claim
from ledger.errors import LedgerError, Retryable
from ledger.log.application import Appended, Ledger

Event = dict[str, Any]
Unit = Sequence[Event]

PATIENCE = 120.0
"""Seconds in which a ledger that is busy or gone may come back before sending is given up."""
LONGEST_WAIT = 5.0

_BUSY = frozenset({429, 502, 503, 504})
_REFUSED = frozenset({409, 413, 422})
_NOT_WELL_FORMED = 422
_TOO_LARGE = 413


class SendingError(Exception):
    """The ledger cannot be reached or does not take what it is sent; what went in before stays in."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A unit the ledger holds now: the position of each event; `duplicates` of them it held before."""

    positions: list[int]
    duplicates: int


@dataclass(frozen=True, slots=True)
class NotSent:
    """A unit the ledger refused, with its reason; nothing of it went in."""

    reason: str


Outcome = Sent | NotSent


class Destination(Protocol):
    """Where events go."""

    def send(self, units: Sequence[Unit]) -> list[Outcome]:
        """Send units in their order; one outcome for each. Raises SendingError when the ledger is out of reach."""


class OverHttp:
    """A ledger behind its HTTP API. The client carries address and key.

    Many units go in one request, all or nothing. Where the ledger refuses one, what stands before it is sent again and
    it is left out, so that a refused unit never takes others with it.
    """

    def __init__(self, client: httpx.Client, *, patience: float = PATIENCE) -> None:
        self._client = client
        self._patience = patience

    def send(self, units: Sequence[Unit]) -> list[Outcome]:
        """See `Destination`."""
        outcomes: dict[int, Outcome] = {}
        waiting = list(range(len(units)))
        size = len(units)
        while waiting:
            asked = waiting[:size]
            response = self._post([units[number] for number in asked])
            if response.is_success:
                outcomes.update(zip(asked, _outcomes([units[number] for number in asked], response), strict=True))
                size = min(2 * size, len(units))
            elif response.status_code == _TOO_LARGE and len(asked) > 1:
                size = len(asked) // 2
            elif response.status_code in _REFUSED:
                refused = _refused([len(units[number]) for number in asked], response)
                first = min(refused, default=0)
                if refused and (response.status_code == _NOT_WELL_FORMED or first == 0):
                    # each of them is wrong whatever the others say, or the first, which nothing stands before
                    outcomes.update((asked[place], NotSent(reason)) for place, reason in refused.items())
                elif len(asked) == 1:
                    outcomes[asked[0]] = NotSent(_in_words(response))
                else:
                    # what stands before it goes in, then it is asked about alone
                    size = first or 1
            else:
                raise SendingError(f"The ledger does not take the events: {_in_words(response)}")
            waiting = [number for number in waiting if number not in outcomes]
        return [outcomes[number] for number in range(len(units))]

    def _post(self, units: Sequence[Unit]) -> httpx.Response:
        body = orjson.dumps(list(chain.from_iterable(units)))
        patience = _Patience(self._patience)
        while True:
            try:
                response = self._client.post("/v1/events", content=body, headers={"content-type": BATCH})
            except httpx.TransportError as error:
                patience.wait(f"The ledger does not answer: {error or type(error).__name__}")
                continue
            if response.status_code not in _BUSY:
                return response
            patience.wait(f"The ledger is busy: {_in_words(response)}", response.headers.get("retry-after"))


class Direct:
    """A ledger opened by this process; what is sent is recorded by the key of that id."""

    def __init__(self, ledger: Ledger, recorded_by: str, *, patience: float = PATIENCE) -> None:
        self._ledger = ledger
        self._recorded_by = recorded_by
        self._patience = patience

    def send(self, units: Sequence[Unit]) -> list[Outcome]:
        """See `Destination`."""
        read = [_claims(unit) for unit in units]
        claimed = [unit for unit in read if not isinstance(unit, NotSent)]
        appended = iter(self._append(claimed))
        return [unit if isinstance(unit, NotSent) else _outcome(next(appended)) for unit in read]

    def _append(self, units: Sequence[Sequence[Claim]]) -> list[list[Appended] | LedgerError]:
        patience = _Patience(self._patience)
        while True:
            outcomes = self._ledger.append(units, self._recorded_by)
            failed = next((outcome for outcome in outcomes if isinstance(outcome, Retryable)), None)
            if failed is None:
                return outcomes
            patience.wait(str(failed))


class _Patience:
    """Waits, longer each time, until too much time has passed."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        self._next = 0.1

    def wait(self, why: str, asked: str | None = None) -> None:
        pause = self._next
        if asked is not None and asked.isdigit():
            pause = max(pause, float(asked))
        if time.monotonic() + pause > self._until:
            raise SendingError(why)
        time.sleep(pause)
        self._next = min(2 * self._next, LONGEST_WAIT)


Batch = TypeVar("Batch")
Answer = TypeVar("Answer")


def in_background(
    send: Callable[[Batch], Answer], batches: Iterable[Batch], *, ahead: int = 2
) -> Iterator[tuple[Batch, Answer]]:
    """Send batches in their order, one at a time, while the next ones are being made; yields each with its answer.

    At most `ahead` batches wait. What `send` raises is raised here, and nothing after it is sent.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="sending") as sender:
        waiting: deque[tuple[Batch, Future[Answer]]] = deque()
        try:
            for batch in batches:
                waiting.append((batch, sender.submit(send, batch)))
                if len(waiting) > ahead:
                    first, answer = waiting.popleft()
                    yield first, answer.result()
            while waiting:
                first, answer = waiting.popleft()
                yield first, answer.result()
        finally:
            for _, answer in waiting:
                answer.cancel()


def _claims(unit: Unit) -> list[Claim] | NotSent:
    try:
        return [to_claim(event) for event in unit]
    except Unclaimable as error:
        return NotSent(str(error))


def _outcome(appended: list[Appended] | LedgerError) -> Outcome:
    if isinstance(appended, LedgerError):
        return NotSent(str(appended))
    return Sent([one.position for one in appended], sum(one.duplicate for one in appended))


def _outcomes(units: Sequence[Unit], response: httpx.Response) -> Iterator[Outcome]:
    answered = response.json()["events"]
    place = 0
    for unit in units:
        told = answered[place : place + len(unit)]
        place += len(unit)
        yield Sent([one["position"] for one in told], sum(one["duplicate"] for one in told))


def _refused(sizes: Sequence[int], response: httpx.Response) -> dict[int, str]:
    """The places of the units whose events the answer complains of, each with what it says; empty if it names none."""
    ends = list(accumulate(sizes))
    reasons: dict[int, list[str]] = {}
    problem = _problem(response)
    for error in problem.get("errors", ()):
        if "index" in error:
            said = error["message"]
            if "rule" in problem:
                said = f"{problem['rule']}: {said}"
            elif error["field"] not in ("event", "id"):
                said = f"{error['field']} {said}"
            reasons.setdefault(bisect_right(ends, error["index"]), []).append(said)
    return {place: "; ".join(said) for place, said in reasons.items()}


def _in_words(response: httpx.Response) -> str:
    problem = _problem(response)
    detail = str(problem.get("detail") or f"{response.status_code} {response.text[:200]}")
    named = [error for error in problem.get("errors", [])[:5] if error.get("message") not in detail]
    errors = "; ".join(f"{error.get('field')} {error.get('message')}" for error in named)
    rule = f"{problem['rule']}: " if "rule" in problem else ""
    return f"{rule}{detail}" + (f" ({errors})" if errors else "")


def _problem(response: httpx.Response) -> dict[str, Any]:
    """The problem document, or an empty one: what stands in between may answer in other forms."""
    try:
        found = response.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
