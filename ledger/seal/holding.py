"""How a checkpoint is given to a place outside, and asked for again: files, webhooks, C2SP witnesses.

What others answer is not believed: answers are bounded in size and time, redirects are not followed, and what a witness
signed is verified before anybody is told of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Final

import httpx

from ledger.errors import LedgerError
from ledger.files import put, to_disk
from ledger.seal.addresses import Address, AtWebhook, AtWitness, InFile
from ledger.seal.cosigning import Cosignature
from ledger.seal.notes import NUMBER, BadNote, Note, in_base64
from ledger.seal.tiles import Signed
from ledger.seal.tree import Hash

LARGEST: Final = 64 * 1024
"""Bytes of an answer, or of a file, beyond which it is no checkpoint."""
TIMEOUT: Final = httpx.Timeout(10, connect=4)
SECONDS: Final = 20.0
"""How long an answer may take as a whole."""
SIZE: Final = "text/x.tlog.size"
ATTEMPTS: Final = 3

Proof = Callable[[int], list[Hash]]
"""The proof that the checkpoint's tree begins with the one of an older size (0 and its own among them: no hashes)."""


class NotHeld(LedgerError):
    """A place outside did not take a checkpoint, or does not say which one it holds. Later it may."""


class Disputed(LedgerError):
    """A witness says that it cosigned what a checkpoint does not go on from. It shows no evidence."""

    def __init__(self, what: str, size: int) -> None:
        super().__init__(what)
        self.size = size


class FileHolder:
    """Holds the newest checkpoint in a file: replaced as a whole, and on disk before it counts as given."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def held(self, origin: str) -> str | None:
        """The note in the file; None where there is no file. Raises NotHeld where it cannot be read."""
        del origin
        try:
            with self._path.open("rb") as file:
                found = file.read(LARGEST + 1)
            if len(found) > LARGEST:
                raise NotHeld(f"{self._path} is too large for a checkpoint")
            return found.decode()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise NotHeld(f"{self._path} cannot be read: {_reason(error)}") from error

    def give(self, signed: Signed, proof: Proof, old: int) -> Cosignature | None:
        del proof, old
        try:
            put(self._path, signed.note)
        except OSError as error:
            raise NotHeld(f"{self._path} cannot be written: {_reason(error)}") from error
        return None

    def put_aside(self, note: str) -> None:
        """Keep what the file holds beside it: it was signed under a name that the log no longer has."""
        aside = self._path.with_name(f"{self._path.name}.{sha256(note.encode()).hexdigest()[:8]}")
        try:
            self._path.replace(aside)
            to_disk(self._path.parent)
        except OSError as error:
            raise NotHeld(f"{self._path} cannot be put aside: {_reason(error)}") from error


class WebhookHolder:
    """Posts checkpoints, and cannot ask what became of them."""

    def __init__(self, url: str) -> None:
        self._url = url

    def held(self, origin: str) -> str | None:
        """Nothing: what was posted cannot be read back."""
        del origin
        return None

    def give(self, signed: Signed, proof: Proof, old: int) -> Cosignature | None:
        del proof, old
        status, _, _ = _ask("POST", self._url, signed.note)
        if not 200 <= status < 300:
            raise NotHeld(f"the webhook answered {status}")
        return None


class WitnessHolder:
    """A witness by C2SP's tlog-witness. It cosigns what goes on from what it cosigned before."""

    def __init__(self, address: AtWitness) -> None:
        self._address = address

    def held(self, origin: str) -> str | None:
        """The checkpoint it cosigned last, where it shows it under the same prefix; None where it does not."""
        path = f"/{sha256(origin.encode()).hexdigest()}/checkpoint"
        status, _, body = _ask("GET", self._address.prefix + path)
        if status >= 500 or status == 429:
            raise NotHeld(f"the witness answered {status}")
        # a witness of the protocol's first version shows nothing; what it answers then is no checkpoint
        return body if status == 200 else None

    def give(self, signed: Signed, proof: Proof, old: int) -> Cosignature | None:
        """Its cosignature over a checkpoint. `old` is the size it is thought to have cosigned last.

        Raises Disputed where it says that it cosigned another log, NotHeld where it does not cosign for another reason.
        """
        for _ in range(ATTEMPTS):
            lines = [f"old {old}", *map(in_base64, proof(old)), "", signed.note]
            status, kind, body = _ask("POST", f"{self._address.prefix}/add-checkpoint", "\n".join(lines))
            if status == 200:
                return self._cosignature(signed, body)
            if status == 422 and old:
                raise Disputed(f"it cosigned {old} entries that are not the first of the log's {signed.size}", old)
            told = body.removesuffix("\n")
            if status != 409 or kind != SIZE or not NUMBER.fullmatch(told):
                break
            if int(told) > signed.size:
                said = f"it cosigned a log of {told} entries, and the newest checkpoint here is of {signed.size}"
                raise Disputed(said, int(told))
            if int(told) == old:
                raise Disputed(f"it cosigned {old} entries, and not those of the checkpoint of {signed.size}", old)
            old = int(told)
        raise NotHeld(_refusal(status))

    def _cosignature(self, signed: Signed, lines: str) -> Cosignature:
        try:
            found = self._address.cosigner.cosignature(Note.read(signed.note + lines))
        except BadNote as error:
            raise NotHeld(f"the witness answered with no good cosignature: {error}") from error
        if found is None:
            raise NotHeld("the witness answered without a cosignature of the key that is known of it")
        return found


Holder = FileHolder | WebhookHolder | WitnessHolder


def holder(address: Address) -> Holder:
    """What gives checkpoints to an address."""
    if isinstance(address, InFile):
        return FileHolder(address.path)
    return WebhookHolder(address.url) if isinstance(address, AtWebhook) else WitnessHolder(address)


def fetched(url: str) -> str:
    """What stands at a URL, such as a checkpoint that somebody holds. Raises NotHeld."""
    status, _, body = _ask("GET", url)
    if status != 200:
        raise NotHeld(f"it answered {status}")
    return body


def _ask(method: str, url: str, content: str | None = None) -> tuple[int, str, str]:
    """Status, media type and text of an answer. Raises NotHeld, without the URL in it."""
    until = time.monotonic() + SECONDS
    headers = {} if content is None else {"content-type": "text/plain; charset=utf-8"}
    body = b""
    try:
        with (
            httpx.Client(timeout=TIMEOUT, follow_redirects=False) as client,
            client.stream(method, url, content=content, headers=headers) as answer,
        ):
            for part in answer.iter_bytes():
                body += part
                if len(body) > LARGEST:
                    raise NotHeld(f"it answered {answer.status_code}, with more than {LARGEST:,} bytes")
                if time.monotonic() > until:
                    raise NotHeld(f"it did not answer within {SECONDS:.0f} s")
            kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
            return answer.status_code, kind, body.decode()
    except UnicodeDecodeError as error:
        raise NotHeld("it answered with what is not text") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NotHeld(f"it does not answer: {type(error).__name__}") from error


def _refusal(status: int) -> str:
    said = f"the witness answered {status}"
    if status == 404:
        return f"{said}: it does not know this log; give its operator the name and key of `reqledger seal show`"
    if status == 403:
        return f"{said}: it does not know the log's key; give its operator that of `reqledger seal show`"
    return said


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
