"""Signed notes and checkpoints: the published example, and everything that is not one."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.seal.notes import BadNote, Checkpoint, Note, Signer, Verifier, opened

# the example of Go's golang.org/x/mod/sumdb/note
SIGNER = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
VERIFIER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
NOTE = (
    TEXT
    + "\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def test_the_published_note_is_signed_and_verified() -> None:
    signer = Signer.read(SIGNER)
    assert signer.sign(TEXT) == NOTE
    assert (signer.secret, signer.verifier.text) == (SIGNER, VERIFIER)
    assert Verifier.read(VERIFIER).signed(Note.read(NOTE))
    assert Note.read(NOTE).text == TEXT
    assert SIGNER not in repr(signer)


def test_a_checkpoint_is_read_back_and_no_other_key_opens_it() -> None:
    signer, other = Signer.make("example.com/ledger"), Signer.make("example.com/ledger")
    checkpoint = Checkpoint(signer.name, 7, bytes(range(32)))
    note = signer.sign(checkpoint.text)
    assert note.split("\n")[:4] == ["example.com/ledger", "7", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", ""]
    assert opened(note, [other.verifier, signer.verifier]) == checkpoint
    with pytest.raises(BadNote, match=r"no key of example\.com/ledger"):
        opened(note, [other.verifier])
    elsewhere = Signer.make("example.com/elsewhere")
    with pytest.raises(BadNote, match="no key of"):
        opened(elsewhere.sign(checkpoint.text), [elsewhere.verifier])
    # a second signature, such as a witness's, does no harm; a wrong one of a known key does
    line = elsewhere.sign(checkpoint.text).rsplit("\n\n", 1)[1]
    assert opened(note + line, [signer.verifier]) == checkpoint
    forged = signer.sign("another\n").rsplit("\n\n", 1)[1]
    with pytest.raises(BadNote, match="not one over this note"):
        opened(note + forged, [signer.verifier])


@given(st.integers(0, len(NOTE.encode()) - 1), st.integers(0, 7))
def test_a_note_with_a_bit_changed_is_refused(place: int, bit: int) -> None:
    changed = bytearray(NOTE.encode())
    changed[place] ^= 1 << bit
    with suppress(BadNote, UnicodeDecodeError):
        assert not Verifier.read(VERIFIER).signed(Note.read(changed.decode()))


@pytest.mark.parametrize(
    "text", ["", "a\n", "a\n\nb\n", "a\n\n— a b\n", NOTE[:-1], NOTE.replace(" x08", " "), "\x01" + NOTE]
)
def test_what_is_no_note(text: str) -> None:
    with pytest.raises(BadNote):
        Note.read(text)


@pytest.mark.parametrize(
    "text", ["a\n", "a\n1\n", "a\n01\nAAAA\n", "a\n-1\nAAAA\n", "a\n1\nAAAA\n", "\n1\n" + "A" * 43 + "=\n"]
)
def test_what_is_no_checkpoint(text: str) -> None:
    with pytest.raises(BadNote):
        Checkpoint.of(Note.read(Signer.make("a").sign(text)))


@pytest.mark.parametrize("key", ["", "a", VERIFIER[1:], VERIFIER[:-4], VERIFIER.replace("+c7", "+c8"), "a+b+c"])
def test_what_is_no_key(key: str) -> None:
    with pytest.raises(BadNote):
        Verifier.read(key)
    with pytest.raises(BadNote):
        Signer.read("PRIVATE+KEY+" + key)
    with pytest.raises(BadNote):
        Signer.read(key)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u2003b", "a\nb"])
def test_names_that_cannot_stand_in_a_note(name: str) -> None:
    with pytest.raises(BadNote):
        Signer.make(name)
