"""`reqledger doctor`: what is wrong with this ledger, and how to mend it."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import httpx
import typer
from psycopg import Connection
from psycopg.errors import InsufficientPrivilege

from api.cli.client import ClientError
from api.cli.connection import AsJson
from api.cli.output import say, show_json, show_rows
from ledger.errors import LedgerError
from ledger.log.database import LEAST_SERVER_VERSION, Database
from ledger.log.guarding import current_role, replicating, unguarded, weaknesses
from ledger.log.migration import applied, migrations
from ledger.privacy import rotating, wrapping
from ledger.seal import keys
from ledger.seal.outside import renamings, witnessed
from ledger.seal.sealing import status as seal_status
from ledger.settings import Settings
from projections.generations import NoGeneration, live
from projections.projector import status

FREE_BYTES: Final = 1024**3
SLOW_LAG_POSITIONS: Final = 10_000
DURABILITY: Final = ("fsync", "full_page_writes", "synchronous_commit")
SLOW_SEAL_SECONDS: Final = 10.0

VERSION: Final = "SELECT current_setting('server_version_num')::int, current_setting('server_version')"
SETTING: Final = "SELECT current_setting(%s)"
EXISTS: Final = "SELECT to_regclass('log.entries') IS NOT NULL"
ENCRYPTED: Final = "SELECT encrypted FROM log.ledger"
COUNTED: Final = "SELECT count(*), coalesce(min(position), 1), coalesce(max(position), 0) FROM log.entries"
ADMINS: Final = (
    "SELECT count(*) FROM log.keys WHERE role = 'admin' AND revoked_at IS NULL AND expires_at > clock_timestamp()"
)

Verdict = Literal["ok", "note", "wrong"]


@dataclass(frozen=True)
class Finding:
    """What was looked at, what was found, and where it is not well, how to mend it."""

    check: str
    verdict: Verdict
    found: str
    mend: str = ""


def doctor(as_json: AsJson = False) -> None:
    """Check settings, disk, database, log, tables and port; exit 1 where something is wrong."""
    found = list(examine(Settings()))
    if as_json:
        show_json([asdict(one) for one in found])
    else:
        styles = {"ok": "green", "note": "yellow", "wrong": "red"}
        show_rows(("check", "verdict", "found"), [asdict(one) | {"_style": styles[one.verdict]} for one in found])
        for one in found:
            if one.mend:
                say(f"\n{one.check}: {one.mend}")
        if all(one.verdict == "ok" for one in found):
            say("\nAll is well.")
    if any(one.verdict == "wrong" for one in found):
        raise typer.Exit(1)


def examine(settings: Settings) -> Iterator[Finding]:
    """Every finding, in the order in which one thing rests on another; what cannot be looked at is left out."""
    yield _disk(settings)
    yield _port(settings)
    if settings.database_url is None and not (settings.home / "postgres").exists():
        mend = "`reqledger serve` makes one; LEDGER_HOME or LEDGER_DATABASE_URL name another place."
        yield Finding("database", "wrong", f"no ledger in {settings.home}", mend)
        return
    try:
        with Database.open(settings) as database, database.connect() as connection:
            yield from _database(connection, settings)
    except InsufficientPrivilege as error:
        mend = "`reqledger migrate --grant-to ROLE`, as the owner of the log, gives the running role its rights."
        yield Finding("role", "wrong", f"may not look at the ledger: {error.diag.message_primary}", mend)
    except LedgerError as error:
        where = "LEDGER_DATABASE_URL" if settings.database_url else f"the embedded server in {settings.home}"
        yield Finding("database", "wrong", str(error), f"Mend what {where} complains of, then ask again.")


def _disk(settings: Settings) -> Finding:
    place = settings.home
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    told = f"{free / 1024**3:.1f} GiB free at {place}"
    if free >= FREE_BYTES:
        return Finding("disk", "ok", told)
    return Finding("disk", "wrong", told, "Free some space, or move LEDGER_HOME to a larger disk.")


def _port(settings: Settings) -> Finding:
    address = f"{settings.host}:{settings.port}"
    try:
        with socket.create_connection((settings.host, settings.port), timeout=1):
            pass
    except OSError:
        return Finding("port", "ok", f"{address} is free")
    try:
        told = httpx.get(f"http://{address}/", timeout=2).json()
        if told.get("name") == "requirements-ledger":
            return Finding("port", "ok", f"a ledger {told['version']} answers on {address}")
    except (httpx.HTTPError, ValueError, AttributeError):
        pass
    mend = "Stop the other program, or choose another port with PORT."
    return Finding("port", "wrong", f"{address} is taken by another program", mend)


def _database(connection: Connection[Any], settings: Settings) -> Iterator[Finding]:
    number, name = _row(connection, VERSION)
    told = f"PostgreSQL {name}"
    good = number >= LEAST_SERVER_VERSION
    yield Finding("database", "ok" if good else "wrong", told, "" if good else "PostgreSQL 15 or later is needed.")
    off = [setting for setting in DURABILITY if _row(connection, SETTING, [setting])[0] == "off"]
    yield Finding(
        "durability",
        "wrong" if off else "ok",
        f"{', '.join(off)} off" if off else f"{', '.join(DURABILITY)} on",
        "Acknowledged events could be lost: switch them on in postgresql.conf and reload." if off else "",
    )
    if not _row(connection, EXISTS)[0]:
        yield Finding("migrations", "wrong", "no ledger in this database", "`reqledger serve` makes one.")
        return
    ran = _migrations(connection)
    yield ran
    if ran.verdict == "note":
        # what they will make cannot be looked at yet
        return
    yield _triggers(connection)
    yield _role(connection, settings)
    yield _log(connection)
    yield _seal(connection, settings)
    yield from _witnesses(connection)
    yield _privacy(connection, settings)
    yield _tables(connection)
    admins = _row(connection, ADMINS)[0]
    mend = "" if admins else "`reqledger keys create admin` on this machine makes one."
    yield Finding("keys", "ok" if admins else "note", f"{admins} valid admin keys", mend)


def _migrations(connection: Connection[Any]) -> Finding:
    done, known = applied(connection), migrations()
    missing = [one.name for one in known if one.number not in done]
    changed = [one.name for one in known if one.number in done and done[one.number][1] != one.digest]
    newer = sorted(name for number, (name, _) in done.items() if number not in {one.number for one in known})
    if newer or changed:
        return Finding(
            "migrations", "wrong", f"made by another program version: {', '.join([*newer, *changed])}",
            "Start the program version that made this database.",
        )  # fmt: skip
    if missing:
        return Finding("migrations", "note", f"not run yet: {', '.join(missing)}", "`reqledger migrate` runs them.")
    return Finding("migrations", "ok", f"all {len(known)} ran")


def _triggers(connection: Connection[Any]) -> Finding:
    if off := unguarded(connection):
        return Finding(
            "append-only", "wrong", f"not protected: {', '.join(off)}",
            "ALTER TABLE … ENABLE ALWAYS TRIGGER …; then find out who switched it off, and what was changed meanwhile.",
        )  # fmt: skip
    if said := replicating(connection):
        return Finding(
            "append-only", "wrong", f"session_replication_role is {said}",
            "Ordinary triggers do not fire then: ALTER ROLE or DATABASE … RESET session_replication_role.",
        )  # fmt: skip
    return Finding("append-only", "ok", "changes of the log are refused")


def _role(connection: Connection[Any], settings: Settings) -> Finding:
    role = current_role(connection)
    if settings.database_url is None:
        return Finding(
            "role", "note", f"{role}, the one role of the embedded server, is a superuser",
            "Whoever gets to the files or the socket of this server can switch the triggers off: good for trying out. "
            "In production, run on a PostgreSQL server under a role of its own: `reqledger migrate --grant-to ROLE`.",
        )  # fmt: skip
    if powers := weaknesses(connection, role):
        return Finding(
            "role", "wrong", f"{role} could change the log: it {'; '.join(powers)}",
            "Run under a role that cannot: `reqledger migrate --grant-to ROLE` as the owner, and name that role in "
            "LEDGER_DATABASE_URL.",
        )  # fmt: skip
    return Finding("role", "ok", f"{role} can add to the log, and not change it")


def _log(connection: Connection[Any]) -> Finding:
    count, first, last = _row(connection, COUNTED)
    if count == last and first == 1:
        return Finding("log", "ok", f"{count:,} entries, without a gap")
    return Finding(
        "log", "wrong", f"{count:,} entries between positions {first} and {last}",
        "Entries are missing: somebody deleted them. Restore the database from a backup.",
    )  # fmt: skip


def _seal(connection: Connection[Any], settings: Settings) -> Finding:
    now = seal_status(connection)
    told = f"{now.size:,} of {now.head:,} entries sealed"
    if now.halted_by is not None:
        mend = "`reqledger verify` names what was changed in the database; restore it from a backup that verifies."
        return Finding("seal", "wrong", f"{told}, halted: {now.halted_by}", mend)
    if wrong := keys.missing(connection, settings):
        return Finding("seal", "note", told, wrong)
    if now.lag_positions and now.lag_seconds > SLOW_SEAL_SECONDS:
        mend = "A running server seals within a second: start one, or look in its log for seal_halted."
        return Finding("seal", "note", f"{told}, {now.lag_seconds:,.0f} s behind", mend)
    return Finding("seal", "ok", told)


def _witnesses(connection: Connection[Any]) -> Iterator[Finding]:
    for each in witnessed(connection):
        told = f"{each.name}, a {each.kind}, holds the checkpoint of {each.size or 0:,} entries"
        if each.lag_seconds:
            told = f"{told}, {each.lag_seconds:,.0f} s behind"
        if each.error is None:
            yield Finding("witness", "ok", told)
        else:
            mend = "It is asked again by itself, within ten minutes. `reqledger seal witnesses` shows all of them."
            yield Finding("witness", "wrong" if each.claim else "note", f"{told}; {each.error}", mend)
    for one in renamings(connection):
        told = f"since {one.size:,} entries named {one.origin}, before that {one.former}: {one.reason}"
        mend = "This stays: it answers whoever holds a checkpoint under the former name."
        yield Finding("name", "note", told, mend)


def _privacy(connection: Connection[Any], settings: Settings) -> Finding:
    if not _row(connection, ENCRYPTED)[0]:
        mend = "It was decided when this ledger was created: nothing in it can be erased."
        return Finding("privacy", "note", "personal texts are kept as they are told", mend)
    if without := wrapping.missing(connection, settings):
        return Finding("privacy", "wrong", "personal texts can neither be kept nor read here", without)
    found = rotating.state(connection, wrapping.KeyFile.of(connection, settings))
    told = f"{found.alive:,} data keys, {found.destroyed:,} destroyed"
    if found.by_others:
        mend = "`reqledger privacy rewrap` wraps them by the current one."
        return Finding("privacy", "note", f"{told}; {found.by_others:,} wrapped by an old key", mend)
    return Finding("privacy", "ok", told)


def _tables(connection: Connection[Any]) -> Finding:
    try:
        generation = live(connection)
    except NoGeneration:
        return Finding("tables", "wrong", "there are none", "`reqledger serve` makes them.")
    if not generation.current:
        told = f"generation {generation.number} was built under other definitions"
        return Finding("tables", "wrong", told, "`reqledger replay` builds them anew.")
    now = status(connection)
    if now is None:
        raise ClientError("The tables were switched just now; ask again.")
    told = f"generation {now.generation} at position {now.position:,} of {now.head:,}"
    if now.halted_by is not None:
        mend = "Mend the cause, and the projector goes on by itself; `reqledger replay` builds the tables anew."
        return Finding("tables", "wrong", f"{told}, halted at {now.halted_at}: {now.halted_by}", mend)
    if now.lag_positions > SLOW_LAG_POSITIONS:
        mend = "A running server catches up by itself; `reqledger replay` is quicker for a long way."
        return Finding("tables", "note", f"{told}, {now.lag_positions:,} behind", mend)
    return Finding("tables", "ok", told)


def _row(connection: Connection[Any], query: str, values: list[Any] | None = None) -> Any:
    row = connection.execute(query.encode(), values).fetchone()
    assert row is not None
    return row
