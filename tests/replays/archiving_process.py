"""A process that writes an archive in small segments, with a sign on standard output at each step, until it is killed.

Started by the kill tests: `archiving_process.py CONNINFO FOLDER SEGMENT`.
"""

import os
import sys

from ledger.log.application import Ledger
from ledger.settings import Settings
from replays.archive.writing import write


def main(conninfo: str, folder: str, segment: int) -> None:
    with Ledger.open(Settings(database_url=conninfo)) as ledger:
        write(ledger, folder, segment=segment, progress=lambda *_: os.write(1, b".") and None)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
