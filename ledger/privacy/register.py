"""The register of erasures: a file outside the database that says which data keys were destroyed, and why.

A database that is restored from a backup has keys again that were destroyed since. What stands in the register is
destroyed again when the ledger is opened. A line is on disk before the key is gone.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from ledger.errors import LedgerError
from ledger.settings import Settings

FILE: Final = "erasures-{ledger_id}.jsonl"
"""Name of the register in LEDGER_HOME: several ledgers may share one home."""


class RegisterFailed(LedgerError):
    """The register of erasures cannot be written or read: nothing is erased, nothing is lost."""


class Line(BaseModel):
    """One customer's erasure: what `customer.key_destroyed` says, and who asked and approved (key ids)."""

    model_config = ConfigDict(frozen=True)

    customer: str
    basis: str
    request_id: str
    destroyed_keys: tuple[str, ...]
    approved_by: str
    id: str
    """The event's id, under which it is told again."""


class Register:
    """One ledger's register."""

    def __init__(self, ledger_id: object, settings: Settings) -> None:
        self.path: Path = settings.erasure_register or settings.home / FILE.format(ledger_id=ledger_id)

    def add(self, lines: Iterable[Line]) -> None:
        """Put lines on disk. Raises RegisterFailed."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600), "rb+") as file:
                # a line that was cut off by a crash must not swallow the next one
                size = file.seek(0, os.SEEK_END)
                begin = b""
                if size:
                    file.seek(size - 1)
                    begin = b"" if file.read(1) == b"\n" else b"\n"
                file.write(begin + b"".join(line.model_dump_json().encode() + b"\n" for line in lines))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise RegisterFailed(
                f"The register of erasures cannot be written to {self.path} ({error.strerror or error}): nothing was "
                "erased. Make room, or name another place with LEDGER_ERASURE_REGISTER."
            ) from error

    def lines(self) -> list[Line]:
        """All lines, the first one first; none where there is no register yet. Raises RegisterFailed."""
        try:
            told = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise RegisterFailed(
                f"The register of erasures cannot be read from {self.path}: {error.strerror or error}"
            ) from error
        found = []
        for number, line in enumerate(told, 1):
            try:
                found.append(Line.model_validate_json(line))
            except ValidationError as error:
                # the last one may have been cut off before anything was destroyed
                if line.endswith(b"}"):
                    raise RegisterFailed(f"{self.path}, line {number}: is not a line of the register") from error
        return found
