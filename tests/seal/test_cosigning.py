"""The forms of cosignatures and of the addresses of those who give them."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ledger.seal.addresses import AtWebhook, AtWitness, BadAddress, InFile, addresses
from ledger.seal.cosigning import Cosigner
from ledger.seal.notes import BadNote, Note, Signer
from ledger.settings import Settings
from tests.seal.witness import Witness

WITNESS = Witness()
TEXT = "example.com/log\n3\n" + "A" * 43 + "=\n"


def test_a_cosignature_is_read_as_it_is_written() -> None:
    cosigner = Cosigner.read(WITNESS.verifier)
    assert (cosigner.text, cosigner.name) == (WITNESS.verifier, WITNESS.name)
    note = Signer.make("example.com/log").sign(TEXT)
    assert cosigner.cosignature(Note.read(note)) is None
    line = WITNESS.cosigned(TEXT)
    found = cosigner.cosignature(Note.read(note + line))
    assert found is not None
    assert cosigner.line(found.signature) == line
    assert Cosigner.read(Witness(WITNESS.name).verifier).cosignature(Note.read(note + WITNESS.cosigned(TEXT))) is None


@given(st.integers(0, 71), st.integers(1, 255))
def test_a_cosignature_that_was_changed_is_none(place: int, change: int) -> None:
    good = base64.b64decode(WITNESS.cosigned(TEXT).split(" ")[2])[4:]
    cosigner = Cosigner.read(WITNESS.verifier)
    assert cosigner.checked(TEXT, good).signature == good
    wrong = bytearray(good)
    wrong[place] ^= change
    for signature, text in ((bytes(wrong), TEXT), (good, TEXT.replace("3", "4")), (good[:-1], TEXT), (b"", TEXT)):
        with pytest.raises(BadNote, match="is not one over this note"):
            cosigner.checked(text, signature)


def test_a_log_s_key_is_not_a_witness_s() -> None:
    with pytest.raises(BadNote, match="its first byte a 4"):
        Cosigner.read(Signer.make("witness.example/w1").verifier.text)
    with pytest.raises(BadNote, match="hash is not that"):
        Cosigner.read(WITNESS.verifier.replace(WITNESS.key_id.hex(), "00000000"))


def test_addresses() -> None:
    found = addresses(
        f"file:///var/lib/a%20b.checkpoint\nhttps://hooks.example/secret?k=1  https://w.example/p/#{WITNESS.verifier}"
    )
    assert found[0] == InFile(Path("/var/lib/a b.checkpoint"))
    assert found[1] == AtWebhook("https://hooks.example/secret?k=1")
    assert found[2] == AtWitness("https://w.example/p", Cosigner.read(WITNESS.verifier))
    assert "secret" not in found[1].name
    assert addresses(" ") == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("/var/lib/x", "begins with"),
        ("file://host/x", "begins with"),
        ("file:relative", "begins with"),
        ("ftp://host/x", "begins with"),
        ("https:///secret", "begins with"),
        ("https://host:port/secret", "not a URL"),
        ("https://host/secret#key", "behind the #"),
        ("https://host/secret?a=1#key", "has a query"),
        ("file:///x file:///x", "twice"),
    ],
)
def test_what_is_no_address(text: str, said: str) -> None:
    with pytest.raises(BadAddress, match=said) as error:
        addresses(text)
    assert "secret" not in str(error.value)
    with pytest.raises(ValidationError, match="witnesses") as refused:
        Settings(witnesses=text)
    assert "secret" not in str(refused.value)
