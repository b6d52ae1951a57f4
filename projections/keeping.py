"""Compiled SQL kept in the database: it takes seconds to compile, and every process of one version makes the same.

It is kept under a fingerprint of whatever it depends on: the text of this program below its tables, the libraries that
compile, and the rule book. So what another version kept is never taken.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson
from psycopg import Connection

import ledger
import projections
from ledger.log import documents
from projections.procedure import UNPLACED, Procedure, unplaced
from projections.recipes import RECIPES, Recipe, calendars_in, read_recipe, recipe

KEPT = "SELECT made, recipe FROM projections.compiled WHERE fingerprint = %s"
IS_KEPT = "SELECT 1 FROM projections.compiled WHERE fingerprint = %s"
KEEP = "INSERT INTO projections.compiled (fingerprint, made, recipe) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"
FORGET = (
    "DELETE FROM projections.compiled WHERE fingerprint NOT IN "
    "(SELECT fingerprint FROM projections.compiled ORDER BY kept_at DESC LIMIT 10)"
)
RECIPE, CALENDAR = "application/json", "application/vnd.apache.arrow.stream"
PACKAGES = (ledger, projections)
COMPILERS = ("ibis-framework", "sqlglot")


def recall(connection: Connection[Any], book_text: str) -> None:
    """Have this process know the SQL of a rule book where it was kept, unless it does already."""
    if book_text in RECIPES and book_text in UNPLACED:
        return
    row = connection.execute(KEPT, [fingerprint(book_text)]).fetchone()
    if row is not None:
        made, digest = row
        UNPLACED[book_text], RECIPES[book_text] = _read(made), recall_recipe(connection, digest)


def keep(connection: Connection[Any], book_text: str) -> None:
    """Keep what this process knows, or compiles now, for the next ones, unless it is kept already."""
    name = fingerprint(book_text)
    if connection.execute(IS_KEPT, [name]).fetchone() is None:
        digest = keep_recipe(connection, recipe(book_text))
        connection.execute(KEEP, [name, _written(unplaced(book_text)), digest])
        connection.execute(FORGET)


def keep_recipe(connection: Connection[Any], made: Recipe) -> str:
    """Keep a recipe for good, with its calendars; its digest."""
    for content in made.calendars.values():
        documents.keep(connection, content, CALENDAR)
    return documents.keep(connection, made.document, RECIPE)


def recall_recipe(connection: Connection[Any], digest: str) -> Recipe:
    """The recipe of a digest. Raises NoDocument, DocumentAltered."""
    document = documents.fetch(connection, digest).content
    calendars = {name: documents.fetch(connection, kept).content for name, kept in calendars_in(document).items()}
    return read_recipe(document, calendars)


def fingerprint(book_text: str) -> str:
    """SHA-256 of all that the SQL of a rule book depends on."""
    return hashlib.sha256(f"{_program()}\n{book_text}".encode()).hexdigest()


@cache
def _program() -> str:
    digest = hashlib.sha256()
    for package in PACKAGES:
        root = Path(package.__path__[0])
        for file in sorted(root.rglob("*.py")):
            digest.update(f"{package.__name__}/{file.relative_to(root).as_posix()}\n".encode())
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    for name in COMPILERS:
        digest.update(f"{name} {version(name)}\n".encode())
    return digest.hexdigest()


def _written(made: Procedure) -> str:
    return orjson.dumps(made).decode()


def _read(text: str) -> Procedure:
    return Procedure(**{name: tuple(made) for name, made in orjson.loads(text).items()})
