"""More senders than can be served, in a process of their own: who is taken, who is turned away, how long each waits.

`python -m tests.benchmarks.crowd HOST PORT PATH AUTHORIZATION PREFIX SIZE CONNECTIONS SECONDS` writes a line of JSON.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from dataclasses import dataclass

import orjson

from tests.benchmarks.client import Connection, bodies
from tests.benchmarks.running import Address

GRACE_SECONDS = 120


@dataclass(frozen=True)
class Crowd:
    """What became of the requests: answered 2xx, turned away with 503 and Retry-After, or anything else."""

    seconds: float
    answered: int
    turned_away: int
    broken: int
    p50_ms: float
    p99_ms: float
    turned_away_p99_ms: float


def crowded(address: Address, prefix: str, seconds: int, *, connections: int, size: int) -> Crowd:
    """Send batches of `size` new events on all connections at once, each as soon as the one before is answered."""
    place = [address.host, str(address.port), address.path, address.authorization]
    command = [sys.executable, "-m", "tests.benchmarks.crowd", *place, prefix]
    command += [str(size), str(connections), str(seconds)]
    done = subprocess.run(command, capture_output=True, check=True, timeout=seconds + GRACE_SECONDS)
    return Crowd(**orjson.loads(done.stdout))


async def press(address: Address, prefix: str, size: int, connections: int, seconds: float) -> Crowd:
    took: list[float] = []
    turned_away: list[float] = []
    broken = 0
    started = time.perf_counter()

    async def one(number: int) -> None:
        nonlocal broken
        connection = await Connection.open(address)
        for body in bodies(f"{prefix}-{number}", "batch", size):
            # a body that was turned away is sent again until it is taken, as a sender should
            while (sent := time.perf_counter()) - started < seconds:
                status, _ = await connection.post("batch", body)
                waited = time.perf_counter() - sent
                if status == 503:
                    turned_away.append(waited)
                    continue
                took.append(waited)
                broken += status >= 300
                break
            else:
                break
        connection.close()

    await asyncio.gather(*(one(number) for number in range(connections)))
    return Crowd(
        seconds=time.perf_counter() - started,
        answered=len(took),
        turned_away=len(turned_away),
        broken=broken,
        p50_ms=_at(took, 50),
        p99_ms=_at(took, 99),
        turned_away_p99_ms=_at(turned_away, 99),
    )


def _at(waits: list[float], percent: int) -> float:
    """The wait, in milliseconds, that so many percent do not exceed; 0 where there is none."""
    return sorted(waits)[len(waits) * percent // 100 - (percent == 100)] * 1000 if waits else 0.0


if __name__ == "__main__":
    host, port, path, authorization, prefix, size, connections, seconds = sys.argv[1:]
    where = Address(host, int(port), path, authorization)
    sys.stdout.buffer.write(
        orjson.dumps(asyncio.run(press(where, prefix, int(size), int(connections), float(seconds))))
    )
