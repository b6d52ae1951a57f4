"""Sending to a ledger that is busy, gone for a while, or will not: in order, again, or with the reason."""

import threading

import httpx
import orjson
import pytest

from api.sending import NotSent, OverHttp, SendingError, Sent, in_background

EVENT = {"id": "1", "source": "s", "type": "contact.rang", "subject": "x"}


def client(answer):
    return httpx.Client(transport=httpx.MockTransport(answer), base_url="http://ledger")


def taken(request):
    events = [{"position": int(event["id"]), "duplicate": False} for event in orjson.loads(request.content)]
    return httpx.Response(201, json={"position": None, "events": events})


def numbered(*sizes):
    numbers = iter(range(1, 1000))
    return [[{**EVENT, "id": str(next(numbers))} for _ in range(size)] for size in sizes]


def test_what_is_busy_or_gone_is_asked_again():
    answers = iter(
        [
            httpx.Response(503, json={"detail": "busy"}, headers={"retry-after": "0"}),
            httpx.ConnectError("gone"),
            httpx.ReadError("cut off"),
            None,
        ]
    )
    bodies = []

    def answer(request):
        bodies.append(request.content)
        now = next(answers)
        if isinstance(now, Exception):
            raise now
        return now or taken(request)

    assert OverHttp(client(answer)).send(numbered(2, 1)) == [Sent([1, 2], 0), Sent([3], 0)]
    assert len(bodies) == 4
    assert len(set(bodies)) == 1


@pytest.mark.parametrize("status", [503, None])
def test_patience_ends(status):
    def answer(request):
        if status is None:
            raise httpx.ConnectError("no route")
        return httpx.Response(status, json={"detail": "too much waits"})

    with pytest.raises(SendingError, match=r"no route|too much waits"):
        OverHttp(client(answer), patience=0.3).send(numbered(1))


def test_a_key_that_may_not_is_an_end_at_once():
    def answer(request):
        return httpx.Response(403, json={"detail": "This key may not do that"})

    with pytest.raises(SendingError, match="This key may not do that"):
        OverHttp(client(answer)).send(numbered(1))


def test_a_refused_unit_takes_no_other_with_it():
    """Whatever is refused, by its place or without naming one, all others go in once and in order."""
    bad = {4, 9, 10, 17}
    appended = []

    def answer(request):
        events = orjson.loads(request.content)
        for index, event in enumerate(events):
            if int(event["id"]) in bad:
                where = [] if int(event["id"]) == 17 else [{"index": index, "field": "event", "message": "no"}]
                return httpx.Response(409, json={"detail": "no", "rule": "r", "errors": where})
        appended.extend(int(event["id"]) for event in events)
        return taken(request)

    units = numbered(*[2] * 10)
    outcomes = OverHttp(client(answer)).send(units)
    refused = {number for number, unit in enumerate(units) if any(int(event["id"]) in bad for event in unit)}
    assert {number for number, outcome in enumerate(outcomes) if isinstance(outcome, NotSent)} == refused
    assert appended == [
        int(event["id"]) for number, unit in enumerate(units) if number not in refused for event in unit
    ]
    assert outcomes[1] == NotSent("r: no")


def test_what_is_too_large_goes_in_parts():
    sizes = []

    def answer(request):
        events = orjson.loads(request.content)
        sizes.append(len(events))
        return httpx.Response(413, json={"detail": "too large"}) if len(events) > 3 else taken(request)

    outcomes = OverHttp(client(answer)).send(numbered(1, 1, 1, 1, 5, 1))
    assert [isinstance(outcome, Sent) for outcome in outcomes] == [True] * 4 + [False, True]
    assert max(sizes) == 10


def test_in_the_background_the_order_is_kept_and_not_much_is_made_ahead():
    made, sent, ahead = [], [], []
    free = threading.Semaphore(0)

    def batches():
        for number in range(8):
            made.append(number)
            ahead.append(len(made) - len(sent))
            free.release()
            yield number

    def send(batch):
        free.acquire()
        sent.append(batch)
        return -batch

    assert list(in_background(send, batches())) == [(number, -number) for number in range(8)]
    assert sent == list(range(8))
    assert max(ahead) <= 4


def test_in_the_background_a_failure_stops_what_follows():
    sent = []

    def send(batch):
        if batch == 2:
            raise SendingError("gone")
        sent.append(batch)

    with pytest.raises(SendingError, match="gone"):
        list(in_background(send, range(100)))
    assert sent[:2] == [0, 1]
    assert len(sent) < 8
