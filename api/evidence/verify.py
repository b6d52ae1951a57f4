#!/usr/bin/env python3
"""Verify an evidence bundle of a requirements ledger: offline, the ledger gone, believing nothing but a public key.

    python verify.py BUNDLE.zip [--key VERIFIER-KEY]

It needs Python 3.9 or later and the package `cryptography`, and nothing of the ledger's own code. Exit status 0: all of
it is as it was when it was made. 1: it is not, and the line beginning with FAILED says where. 2: it could not be read.

Without --key the bundle is held against the key inside it, which whoever made the bundle chose. Get the ledger's
verifier key from elsewhere (its operator's page, an earlier bundle, a witness) and give it with --key.
"""

import argparse
import base64
import hashlib
import io
import json
import sys
import zipfile
from typing import Any, Callable, Optional

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MANIFEST, SEAL = "manifest.json", "manifest.note"
FIRST_LINE = "requirements-ledger evidence bundle"
COMMITMENT = b"requirements-ledger personal text commitment 1\x00"


Key = tuple[str, bytes, Ed25519PublicKey]
Entry = dict[str, Any]


class Failed(Exception):
    """Something is not as it was: the message says what and where."""


def check(good: object, where: str, what: str) -> None:
    if not good:
        raise Failed(f"{where}: {what}")


def container(content: bytes, files: "dict[str, bytes]") -> None:
    """A zip has room for bytes that no file holds. So it is made again out of the files, and must be the same bytes."""
    again = io.BytesIO()
    with zipfile.ZipFile(again, "w", zipfile.ZIP_STORED) as made:
        for name, data in files.items():
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system, info.external_attr = 3, 0o644 << 16
            made.writestr(info, data)
    same = again.getvalue()
    if same != content:
        at = next((n for n, (a, b) in enumerate(zip(content, same)) if a != b), min(len(content), len(same)))
        raise Failed(f"byte {at} of the zip: not as it was written, outside of all files")


def decoded(text: str, where: str) -> bytes:
    """Base64, of which there is one way only to write some bytes."""
    try:
        value = base64.b64decode(text, validate=True)
    except ValueError:
        raise Failed(f"{where}: is not base64") from None
    check(base64.b64encode(value).decode() == text, where, "is base64 written in another way")
    return value


def read_key(text: str) -> Key:
    """A verifier key `name+hash+base64` as its name, the four bytes that name it, and the Ed25519 public key."""
    name, told, key = text.strip().split("+", 2)
    raw = decoded(key, "the verifier key")
    hint = hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]
    check(raw[:1] == b"\x01" and len(raw) == 33 and hint.hex() == told, "the verifier key", "is not one")
    return name, hint, Ed25519PublicKey.from_public_bytes(raw[1:])


def signed(note: str, keys: "list[Key]", where: str) -> "tuple[str, int, str]":
    """The text of a signed note (C2SP signed-note) that one of the keys signed; and that key's place among them."""
    text, blank, lines = note.rpartition("\n\n")
    check(blank, where, "is no signed note")
    for line in lines.splitlines():
        name, _, signature = line[2:].partition(" ")
        raw = decoded(signature, where)
        for place, (known, hint, public) in enumerate(keys):
            if (name, raw[:4]) == (known, hint):
                try:
                    public.verify(raw[4:], (text + "\n").encode())
                except InvalidSignature:
                    raise Failed(f"{where}: the signature is not one over this text") from None
                return text + "\n", place, lines
    raise Failed(f"{where}: no signature of the ledger's key")


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(leaf: bytes, index: int, size: int, proof: "list[bytes]", where: str) -> bytes:
    """The root that an inclusion proof leads to (RFC 9162, 2.1.3.2)."""
    at, last, found = index, size - 1, leaf
    for each in proof:
        check(last, where, "its proof is too long")
        if at & 1 or at == last:
            found = node(each, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node(found, each)
        at, last = at >> 1, last >> 1
    check(not last, where, "its proof is too short")
    return found


def text_of(entry: Entry, place: str, key: bytes, where: str) -> str:
    """A personal text of an entry, opened by its own key, which the entry commits to (AES-256-GCM)."""
    told: Any = entry.get("reason") if place == "reason" else entry["data"].get(place[5:])
    check(isinstance(told, dict), where, f"{place} is not encrypted")
    check(
        hashlib.sha256(COMMITMENT + key).digest() == decoded(told["commitment"], where),
        where,
        "its text has another key",
    )
    names = [entry["aggregate"], entry["subject"], entry["source"], entry["id"], place]
    about = json.dumps(names, ensure_ascii=False, separators=(",", ":")).encode()
    try:
        return AESGCM(key).decrypt(decoded(told["nonce"], where), decoded(told["text"], where), about).decode()
    except InvalidTag:
        raise Failed(f"{where}: {place} does not open under the key given for it") from None


def verify(content: bytes, trusted: Optional[str], say: "Callable[[str], None]") -> "dict[int, Entry]":
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
            check(len(names) == len(set(names)), "the zip", "has a file twice")
            files = {name: archive.read(name) for name in names}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise Failed(f"the zip: cannot be read ({error})") from None
    check({MANIFEST, SEAL, "keys.txt", "checkpoint"} <= set(files), "the zip", "is no evidence bundle")

    # who signed: the manifest, and by its hashes every file
    inside = [read_key(line) for line in files["keys.txt"].decode().split()]
    keys = [read_key(trusted)] if trusted else inside
    text, place, signatures = signed(files[SEAL].decode(), keys, SEAL)
    digest = hashlib.sha256(files[MANIFEST]).hexdigest()
    check(text == f"{FIRST_LINE}\n{keys[place][0]}\nsha256:{digest}\n", MANIFEST, "is not the one that was signed")
    check(
        files[SEAL].decode() == text + "\n" + signatures and signatures.count("\n") == 1,
        SEAL,
        "has more than a signature",
    )
    manifest = json.loads(files[MANIFEST])
    for name in files:
        if name not in (MANIFEST, SEAL):
            check(name in manifest["files"], name, "is not in the manifest")
            check(hashlib.sha256(files[name]).hexdigest() == manifest["files"][name], name, "was altered")
    for name in manifest["files"]:
        check(name in files, name, "is missing")
    container(content, files)
    say(f"{len(files)} files are those that {keys[place][0]} signed")

    # what the ledger was sealed as: the size of the log and the root of its tree
    text, place, _ = signed(files["checkpoint"].decode(), keys, "checkpoint")
    origin, count, told = text.split("\n")[:3]
    size, root = int(count), decoded(told, "checkpoint")
    check(origin == keys[place][0], "checkpoint", f"is of {origin}")
    say(f"the checkpoint is of {origin}, over {size} entries")

    # each entry is in that log, at its position
    proofs = {each["position"]: each for each in json.loads(files["proofs.json"])}
    entries: dict[int, Entry] = {}
    withheld = []
    for position, each in sorted(proofs.items()):
        where = f"entries/{position:012}.json"
        leaf = decoded(each["leaf"], "proofs.json")
        if where in files:
            check(hashlib.sha256(b"\x00" + files[where]).digest() == leaf, where, "is not the entry that is proven")
            entries[position] = json.loads(files[where])
            check(entries[position]["position"] == position, where, "is the entry of another position")
        else:
            withheld.append(position)
        path = [decoded(one, "proofs.json") for one in each["hashes"]]
        check(root_of(leaf, position - 1, size, path, where) == root, where, "is not in the log of the checkpoint")
    say(
        f"{len(proofs)} entries are in that log"
        + (f"; withheld, proven by their hashes: {withheld}" if withheld else "")
    )

    # the subject's own stream has no gap up to its last entry here
    versions = sorted(
        (one["version"], position)
        for position, one in entries.items()
        if (one["aggregate"], one["subject"]) == (manifest["aggregate"], manifest["subject"])
    )
    whole = [version for version, _ in versions] == list(range(1, len(versions) + 1))
    check(whole or withheld, "entries", "the subject's own entries have a gap")
    say(
        f"{len(versions)} of them are the subject's own, numbered without a gap"
        if whole
        else "its own entries are withheld"
    )

    # the readable history is of these entries, and the texts in it are theirs
    texts = json.loads(files["texts.json"])
    opened = {
        (int(position), place): text_of(entries[int(position)], place, decoded(key, "texts.json"), f"entry {position}")
        for position, places in texts.items()
        for place, key in places.items()
    }
    for item in json.loads(files["history.json"]):
        event, where = item["event"], f"history.json, position {item['position']}"
        check(item["position"] in proofs, where, "has no proof")
        entry = entries.get(item["position"])
        if entry is None:
            continue
        for told, kept in (
            ("type", "type"),
            ("subject", "subject"),
            ("time", "occurred_at"),
            ("recordedat", "recorded_at"),
            ("recordedby", "recorded_by"),
            ("source", "source"),
            ("id", "id"),
            ("actor", "actor"),
        ):
            check(event.get(told) == entry.get(kept), where, f"{told} is not the entry's")
        for name, value in [*event["data"].items(), *([("reason", event["reason"])] if "reason" in event else [])]:
            stands = entry.get("reason") if name == "reason" else entry["data"].get(name)
            if isinstance(stands, dict) and "commitment" in stands:
                stands = opened.get((item["position"], "reason" if name == "reason" else f"data.{name}"))
            check(value == stands, where, f"{name} is not the entry's")
    say(f"the history says what the entries say; {len(opened)} encrypted texts open to what it shows")

    # figures name rule books that are here, and positions that are sealed
    books = {one["data"]["digest"] for one in entries.values() if one["type"] == "rulebook.published"}
    figures = json.loads(files["figures.json"])["figures"]
    for each in figures:
        stamp = json.loads(each["stamp"])
        where = f"figures.json, {stamp['metric']}"
        check(stamp["position"] <= size, where, "stands beyond the checkpoint")
        check(set(stamp["rule_books"].values()) <= books, where, "was made by a rule book that is not here")
    say(f"{len(figures)} figures are stamped within the checkpoint, by {len(books)} rule books that are here")
    return entries


def main() -> int:
    parser = argparse.ArgumentParser(description="Verify an evidence bundle of a requirements ledger, offline.")
    parser.add_argument("bundle")
    parser.add_argument("--key", help="the ledger's verifier key, name+hash+base64, got from elsewhere")
    asked = parser.parse_args()
    try:
        with open(asked.bundle, "rb") as file:
            content = file.read()
    except OSError as error:
        print(f"{asked.bundle} cannot be read: {error}", file=sys.stderr)
        return 2
    try:
        entries = verify(content, asked.key, lambda line: print("ok  " + line))
    except Failed as failure:
        print(f"FAILED  {failure}")
        return 1
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        print(f"FAILED  the bundle: is not what this program knows ({type(error).__name__}: {error})")
        return 1
    print("\nposition  recorded                     type                          subject            under key")
    for position, one in sorted(entries.items()):
        print(f"{position:8}  {one['recorded_at']}  {one['type']:28}  {one['subject']:17}  {one['recorded_by']}")
    if not asked.key:
        print("\nNot checked: whose key this is. Compare keys.txt with what you have from elsewhere, or give --key.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
