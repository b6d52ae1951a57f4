"""Where checkpoints are held outside: the addresses in LEDGER_WITNESSES, read and told apart.

`file:///path` is a file, `https://host/path` a webhook, and a URL with a verifier key behind its `#` a C2SP witness
(tlog-witness) under that prefix.
"""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ledger.seal.cosigning import Cosigner
from ledger.seal.notes import BadNote


class BadAddress(ValueError):
    """What stands in LEDGER_WITNESSES names nothing that a checkpoint could be held in."""


@dataclass(frozen=True)
class InFile:
    """A file outside the database that holds the newest checkpoint."""

    path: Path

    @property
    def name(self) -> str:
        return f"file://{self.path}"


@dataclass(frozen=True)
class AtWebhook:
    """A URL that checkpoints are posted to. What became of them cannot be asked."""

    url: str

    @property
    def name(self) -> str:
        # a path may be a secret between the two, and is not shown
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.hostname}/…{sha256(self.url.encode()).hexdigest()[:6]}"


@dataclass(frozen=True)
class AtWitness:
    """A C2SP witness: the prefix of its URLs, and the key it cosigns with."""

    prefix: str
    cosigner: Cosigner

    @property
    def name(self) -> str:
        return self.cosigner.name


Address = InFile | AtWebhook | AtWitness


def addresses(text: str) -> list[Address]:
    """The addresses of a text, with white space between them. Raises BadAddress, which shows no path of a URL."""
    found = [_address(each) for each in text.split()]
    names = [each.name for each in found]
    for name in names:
        if names.count(name) > 1:
            raise BadAddress(f"{name} stands there twice")
    return found


def _address(text: str) -> Address:
    try:
        parts = urlsplit(text)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise BadAddress(f"an address is not a URL: {error}") from None
    if parts.scheme == "file" and not parts.netloc and not parts.query and parts.path.startswith("/"):
        return InFile(Path(unquote(parts.path)))
    if parts.scheme not in ("https", "http") or not named:
        raise BadAddress("an address begins with file:///, https:// or http://, and a host where it is a URL")
    url, _, key = text.partition("#")
    if not key:
        return AtWebhook(url)
    if parts.query:
        raise BadAddress(f"the prefix of the witness at {parts.hostname} has a query, and paths are put behind it")
    try:
        return AtWitness(url.rstrip("/"), Cosigner.read(key))
    except BadNote as error:
        raise BadAddress(f"behind the # of the witness at {parts.hostname}: {error}") from None
