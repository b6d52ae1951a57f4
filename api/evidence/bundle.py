"""The evidence bundle of a subject: its entries as stored, their proofs, what they say in words, and what checks it
all.

Whoever has it needs no ledger any more: `verify.py`, which is in it, checks it offline. All of it is as of one
checkpoint.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from importlib.resources import files as resources
from typing import Any, Final

from psycopg import Connection

from api.evidence.container import packed
from api.evidence.page import page
from api.evidence.readme import readme
from api.figures import figures_told
from api.http.rendering import item_told
from ledger.claims import Recorded
from ledger.errors import Retryable
from ledger.log.application import Ledger
from ledger.privacy.encryption import personal
from ledger.privacy.revealing import Opened
from ledger.rulebook.model import instant_us
from ledger.seal.keys import signer, verifiers
from ledger.seal.outside import cosigned
from ledger.seal.tiles import Signed, Tree, last_signed
from ledger.seal.tree import leaf_hash
from ledger.vocabulary import Encrypted, instant_text
from projections.generations import NoGeneration, live
from projections.history import history
from projections.kpis import figures

WAIT_SECONDS: Final = 5.0
POLL_SECONDS: Final = 0.05
FIRST_LINE: Final = "requirements-ledger evidence bundle"
"""Has spaces: no checkpoint begins so, whose first line is the name of a key."""
BOOKS: Final = (
    "SELECT position FROM log.entries WHERE aggregate = 'rulebook' AND type = 'rulebook.published' AND position <= %s"
)
ENTRIES: Final = "SELECT position, entry FROM log.entries WHERE position = ANY(%s) ORDER BY position"


class NothingKnown(LookupError):
    """Nothing concerns the subject, so far as it is sealed."""


class NotSealed(Retryable):
    """What was just recorded is not sealed yet, and nobody seals it."""

    def __init__(self) -> None:
        super().__init__(
            "What was recorded last is not sealed yet: a running server does so within a second. Ask again."
        )


@dataclass(frozen=True)
class Bundle:
    """A bundle: the zip, the checkpoint's size it is as of, how many entries it holds, how many of the history show a
    personal text, and how many entries it withholds."""

    content: bytes
    size: int
    entries: int
    texts: int
    withheld: int


def bundle(ledger: Ledger, aggregate: str, subject: str, *, texts: bool = True) -> Bundle:
    """Everything about a subject up to the newest checkpoint, which has all that is recorded now.

    Without `texts`, personal texts are shown nowhere, and entries that hold them in the clear are given by their hashes
    alone. Raises NothingKnown, NotSealed, NoSealKey, TreeDamaged.
    """
    told = _figures(ledger)
    with ledger.database.connect() as connection:
        signed = _sealed(connection, ledger.head().position)
        key = signer(connection, ledger.settings)
        items = history(ledger, aggregate, subject, as_of=signed.size, personal=texts)
        if not items:
            raise NothingKnown(f"nothing concerns {aggregate} {subject}")
        books = [position for (position,) in connection.execute(BOOKS, [signed.size])]
        positions = sorted({*books, *(item.event.position for item in items)})
        stored = {position: bytes(entry) for position, entry in connection.execute(ENTRIES, [positions])}
        opened = {entry.position: entry for entry in _decoded(ledger, stored)}
        hidden = set() if texts else {one for one, entry in opened.items() if _in_the_clear(entry)}
        tree = Tree(connection, signed.size)
        proofs = [
            {
                "position": position,
                "leaf": _base64(leaf_hash(stored[position])),
                "hashes": [_base64(each) for each in tree.inclusion(position - 1)],
            }
            for position in positions
        ]
        own_keys = _own_keys(ledger, connection, list(opened.values())) if texts else {}
        note = cosigned(connection, signed)
        keys = "".join(f"{each.text}\n" for each in verifiers(connection))
    content: dict[str, bytes] = {
        "README.txt": readme(aggregate, subject, signed.size, key.name, texts=texts).encode(),
        "verify.py": resources("api.evidence").joinpath("verify.py").read_bytes(),
        "history.html": page(aggregate, subject, items, told, signed, personal=texts),
        "history.json": _json([item_told(item, personal=texts) for item in items]),
        "figures.json": _json(told),
        "texts.json": _json(own_keys),
        "proofs.json": _json(proofs),
        "checkpoint": note.encode(),
        "keys.txt": keys.encode(),
        **{f"entries/{one:012}.json": stored[one] for one in positions if one not in hidden},
    }
    manifest = _json(
        {
            "format": 1,
            "ledger": key.name,
            "aggregate": aggregate,
            "subject": subject,
            "size": signed.size,
            "sealed_at": instant_text(signed.signed_at.astimezone(UTC)),
            "files": {name: hashlib.sha256(each).hexdigest() for name, each in content.items()},
        }
    )
    seal = key.sign(f"{FIRST_LINE}\n{key.name}\nsha256:{hashlib.sha256(manifest).hexdigest()}\n")
    made = packed({"manifest.json": manifest, "manifest.note": seal.encode(), **content})
    shown = sum(any(isinstance(text, str) for _, text in personal(item.event)) for item in items) if texts else 0
    return Bundle(made, signed.size, len(positions) - len(hidden), shown, len(hidden))


def _sealed(connection: Connection[Any], head: int) -> Signed:
    """The newest checkpoint, once it has all that is recorded."""
    until = time.monotonic() + WAIT_SECONDS
    while (signed := last_signed(connection)) is None or signed.size < head:
        if time.monotonic() > until:
            raise NotSealed
        time.sleep(POLL_SECONDS)
    return signed


def _figures(ledger: Ledger) -> dict[str, Any]:
    """All figures of the whole time, each with the stamp that computes it again; none where there are no tables."""
    asked = instant_us(ledger.now().astimezone(UTC))
    try:
        with ledger.database.reading() as connection:
            metrics = [metric.name for metric in live(connection).rules.at(asked).metrics]
    except NoGeneration:
        return {"figures": []}
    with ledger.database.reading() as connection:
        return figures_told(figures(connection, metrics, asked=asked))


def _decoded(ledger: Ledger, stored: Mapping[int, bytes]) -> list[Recorded]:
    from ledger.claims import decode

    return [decode(entry) for entry in stored.values()]


def _in_the_clear(entry: Recorded) -> bool:
    """Whether an entry holds personal texts that are not encrypted."""
    return any(not isinstance(text, Encrypted) for _, text in personal(entry))


def _own_keys(ledger: Ledger, connection: Connection[Any], entries: Sequence[Recorded]) -> dict[str, dict[str, str]]:
    """The keys that open these entries' texts, each that one text: by position and place."""
    if ledger.wrapping is None:
        return {}
    opened = Opened.read(connection, ledger.wrapping, entries)
    return {
        str(entry.position): {place: _base64(key) for place, key in keys.items()}
        for entry in entries
        if (keys := opened.own_keys(entry))
    }


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n"


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
