"""A process that appends and seals until it is killed.

Started by the kill tests: `sealing_process.py CONNINFO HOME WRITER [WITNESSES]`.
"""

import itertools
import os
import sys

from ledger.claims import claim
from ledger.log.application import Ledger
from ledger.seal.sealing import Sealer
from ledger.settings import Settings


def main(conninfo: str, home: str, writer: str, witnesses: str = "") -> None:
    settings = Settings(
        database_url=conninfo,
        home=home,
        seal_seconds=0,
        poll_seconds=0.2,
        witnesses=witnesses,
        witness_seconds=0.1,
    )
    with Ledger.open(settings) as ledger, ledger.waker() as waker:
        Sealer(ledger.database, waker).start()
        for number in itertools.count():
            units = [
                [
                    claim(
                        "requirement.captured",
                        f"R-{writer}-{number}-{each}",
                        {"source_kind": "form"},
                        id=f"{number}-{each}",
                        source=writer,
                        occurred_at="2026-04-01T01:00:00Z",
                    )
                ]
                for each in range(37)
            ]
            ledger.append(units, writer)
            os.write(1, b"%d\n" % number)


if __name__ == "__main__":
    main(*sys.argv[1:])
