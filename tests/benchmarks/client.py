"""HTTP requests over connections that are kept, with as little work as a client can do.

Also the client of the appends where wrk is not installed, as a process of its own:
`python -m tests.benchmarks.client HOST PORT PATH AUTHORIZATION PREFIX FORM SIZE CONNECTIONS SECONDS` writes the line of
JSON that `requests.lua` writes.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from itertools import count, islice
from typing import Self

import orjson

from tests.benchmarks.events import received
from tests.benchmarks.running import Address

MEDIA = {
    "single": "application/cloudevents+json",
    "batch": "application/cloudevents-batch+json",
    "ndjson": "application/x-ndjson",
}


class Connection:
    """One connection, one request at a time."""

    def __init__(self, address: Address, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._head = (
            f"POST {address.path} HTTP/1.1\r\nhost: {address.host}:{address.port}\r\n"
            f"authorization: {address.authorization or 'none'}\r\n"
        )
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, address: Address) -> Self:
        return cls(address, *await asyncio.open_connection(address.host, address.port))

    async def post(self, form: str, body: bytes) -> tuple[int, bytes]:
        """Status and body of the answer."""
        head = f"{self._head}content-type: {MEDIA[form]}\r\ncontent-length: {len(body)}\r\n\r\n"
        self._writer.write(head.encode("ascii") + body)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        status, *headers = answer.split(b"\r\n")
        length = next(int(line[15:]) for line in headers if line.lower().startswith(b"content-length:"))
        return int(status.split(b" ")[1]), await self._reader.readexactly(length)

    def close(self) -> None:
        self._writer.close()


def bodies(prefix: str, form: str, size: int) -> Iterator[bytes]:
    """Bodies of requests, without end."""
    numbers = count(1)
    while True:
        events = [orjson.dumps(received(f"{prefix}-{number}", number % 500)) for number in islice(numbers, size)]
        if form == "batch":
            yield b"[" + b",".join(events) + b"]"
        else:
            yield b"\n".join(events)


async def press(address: Address, prefix: str, form: str, size: int, connections: int, seconds: float) -> bytes:
    """Send on every connection as fast as answers come, for so many seconds."""
    took: list[float] = []
    refused = 0
    started = time.perf_counter()

    async def one(number: int) -> None:
        nonlocal refused
        connection = await Connection.open(address)
        for body in bodies(f"{prefix}-{number}", form, size):
            sent = time.perf_counter()
            if sent - started > seconds:
                break
            status, _ = await connection.post(form, body)
            took.append(time.perf_counter() - sent)
            refused += status >= 300
        connection.close()

    await asyncio.gather(*(one(number) for number in range(connections)))
    took.sort()
    return orjson.dumps(
        {
            "requests": len(took),
            "seconds": time.perf_counter() - started,
            "refused": refused,
            "broken": 0,
            "p50_ms": took[len(took) // 2] * 1000,
            "p99_ms": took[len(took) * 99 // 100] * 1000,
        }
    )


if __name__ == "__main__":
    host, port, path, authorization, prefix, form, size, connections, seconds = sys.argv[1:]
    where = Address(host, int(port), path, authorization)
    sys.stdout.buffer.write(asyncio.run(press(where, prefix, form, int(size), int(connections), float(seconds))))
