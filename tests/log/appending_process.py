"""A process that appends until it is killed, saying on standard output what was acknowledged.

Started by the kill tests: `appending_process.py CONNINFO WRITER FIRST_NUMBER`.
"""

import os
import sys
from collections import deque
from concurrent.futures import Future

from ledger.claims import Claim, claim
from ledger.errors import Retryable
from ledger.log.application import Appended, Ledger
from ledger.settings import Settings

IN_FLIGHT = 16


def main(conninfo: str, writer: str, first: int) -> None:
    with Ledger.open(Settings(database_url=conninfo)) as ledger:
        flying: deque[tuple[int, Claim, Future[list[Appended]]]] = deque()
        number = first
        while True:
            while len(flying) < IN_FLIGHT:
                opening = claim(
                    "requirement.captured",
                    f"R-{writer}-{number}",
                    {"source_kind": "form"},
                    id=str(number),
                    source=writer,
                    occurred_at="2026-04-01T01:00:00Z",
                )
                flying.append((number, opening, ledger.appender.submit([opening], writer)))
                number += 1
            told, opening, answer = flying.popleft()
            try:
                position = answer.result()[0].position
            except Retryable:
                flying.append((told, opening, ledger.appender.submit([opening], writer)))
                continue
            os.write(1, f"{told} {position}\n".encode())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
