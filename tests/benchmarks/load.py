"""A bounded load on one server, by wrk where it is installed and else by the client beside this module."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import orjson

from tests.benchmarks.running import Address

SCRIPT = Path(__file__).with_name("requests.lua")
WRK = shutil.which("wrk")
GRACE_SECONDS = 60


@dataclass(frozen=True)
class Load:
    """What a load came to. `refused` counts answers that were not 2xx, `broken` requests without an answer."""

    requests: int
    seconds: float
    refused: int
    broken: int
    p50_ms: float
    p99_ms: float

    @property
    def failed(self) -> int:
        return self.refused + self.broken

    def rate(self, size: int = 1) -> float:
        """Events a second, of requests with `size` events."""
        return self.requests * size / self.seconds


def press(
    address: Address, prefix: str, seconds: int, *, connections: int = 64, form: str = "single", size: int = 1
) -> Load:
    """Send requests of `size` new events on all connections at once, each as soon as the one before is answered."""
    if WRK is not None:
        url = f"http://{address.host}:{address.port}"
        told = [address.path, address.authorization, prefix, form, str(size)]
        pressure = [f"-c{connections}", "-t1", f"-d{seconds}s", "--timeout", "10s"]
        command = [WRK, *pressure, "-s", str(SCRIPT), url, "--", *told]
    else:
        place = [address.host, str(address.port), address.path, address.authorization]
        asked = [prefix, form, str(size), str(connections), str(seconds)]
        command = [sys.executable, "-m", "tests.benchmarks.client", *place, *asked]
    done = subprocess.run(command, capture_output=True, check=True, timeout=seconds + GRACE_SECONDS)
    return Load(**orjson.loads(done.stdout.rstrip().splitlines()[-1]))
