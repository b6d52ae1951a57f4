"""Texts encrypted one by one: they open where they stand, under their key, and nowhere else."""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.claims import Recorded, claim, decode, encode
from ledger.events import CATALOGUE, PERSONAL
from ledger.privacy.encryption import DataKey, Undecipherable, decrypt, encrypt, key_id, parts_of, personal
from ledger.privacy.wrapping import KeyRing, NoWrappingKey
from ledger.vocabulary import Encrypted

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=300)
AT = datetime(2026, 4, 1, tzinfo=UTC)


def recorded(event_type: str = "contact.received", subject: str = "CT-1", **more: object) -> Recorded:
    """An event of a type, as its example has it."""
    kind = CATALOGUE[event_type]
    told = claim(event_type, subject, kind.example, id="1", source="test", occurred_at=AT)
    given = {"reason": None, **more}
    return Recorded(
        type=told.type,
        aggregate=told.aggregate,
        subject=subject,
        id="1",
        source="test",
        occurred_at=AT,
        data=told.data,
        position=1,
        version=1,
        recorded_at=AT,
        recorded_by="key",
        **given,  # type: ignore[arg-type]
    )


@given(TEXTS)
def test_a_text_is_read_again_under_its_key(text: str) -> None:
    key, event = DataKey.make("contact:CT-1/1"), recorded()
    concealed = encrypt(text, key, event, "data.message")
    assert decrypt(concealed, key, event, "data.message") == text
    assert concealed != encrypt(text, key, event, "data.message"), "the same text twice is not seen to be the same"


@given(st.data())
def test_what_was_altered_by_a_bit_does_not_open(data: st.DataObject) -> None:
    key, event = DataKey.make("contact:CT-1/1"), recorded()
    concealed = encrypt("a message", key, event, "data.message")
    part = data.draw(st.sampled_from(["commitment", "nonce", "text"]))
    content = bytearray(b64decode(getattr(concealed, part)))
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(Undecipherable, match=r"data\.message at position 1"):
        decrypt(replace(concealed, **{part: b64encode(content).decode()}), key, event, "data.message")


def test_a_text_does_not_open_in_another_place_or_event_or_under_another_key() -> None:
    key, event = DataKey.make("contact:CT-1/1"), recorded()
    concealed = encrypt("a message", key, event, "data.message")
    for other_key, other_event, place in (
        (DataKey.make("contact:CT-1/1"), event, "data.message"),
        (key, recorded(subject="CT-2"), "data.message"),
        (key, replace(event, id="2"), "data.message"),
        (key, replace(event, source="elsewhere"), "data.message"),
        (key, event, "reason"),
    ):
        with pytest.raises(Undecipherable):
            decrypt(concealed, other_key, other_event, place)


def test_the_commitment_keeps_a_second_key_from_opening_the_same_bytes() -> None:
    """GCM alone would: whoever makes the keys can make bytes that open to two texts under two of them."""
    key, event = DataKey.make("contact:CT-1/1"), recorded()
    concealed = encrypt("a message", key, event, "data.message")
    other = DataKey.make("contact:CT-1/1")
    claimed = encrypt("another message", other, event, "data.message")
    # bytes that the other key opens, under the commitment to the first
    forged = replace(claimed, commitment=concealed.commitment)
    with pytest.raises(Undecipherable):
        decrypt(forged, other, event, "data.message")
    with pytest.raises(Undecipherable):
        decrypt(forged, key, event, "data.message")


def test_entries_with_encrypted_texts_are_read_back() -> None:
    for name in CATALOGUE:
        if CATALOGUE[name].aggregate is None:
            continue
        event = recorded(name, reason="because")
        key = DataKey.make("x:y/1")
        concealed = {
            place: encrypt(text, key, event, place) for place, text in personal(event) if isinstance(text, str)
        }
        assert {*concealed} == {"reason", *(f"data.{one}" for one in PERSONAL[name] if getattr(event.data, one))}
        bytes_kept = encode(event, concealed)
        back = decode(bytes_kept)
        assert encode(back) == bytes_kept
        for place, text in personal(event):
            (kept,) = (one for where, one in personal(back) if where == place)
            assert isinstance(kept, Encrypted)
            assert decrypt(kept, key, back, place) == text
            assert isinstance(text, str)
            assert text.encode() not in bytes_kept or len(text) < 8


@given(st.sampled_from(["customer", "contact"]), st.text(min_size=1, max_size=20), st.integers(1, 10**6))
def test_a_keys_name_tells_whose_it_is(aggregate: str, subject: str, number: int) -> None:
    assert parts_of([key_id((aggregate, subject), number)]) == ([aggregate], [subject], [number])


def test_data_keys_are_unwrapped_by_the_key_that_wrapped_them_for_their_own_name_alone() -> None:
    ring = KeyRing({}).renewed()
    newer = ring.renewed()
    wrapped, by = ring.wrap(b"k" * 32, b"contact:CT-1/1")
    assert newer.current != by
    assert newer.unwrap(wrapped, by, b"contact:CT-1/1") == b"k" * 32
    assert KeyRing.read(newer.text) == newer
    with pytest.raises(NoWrappingKey, match="altered, or put in another's place"):
        ring.unwrap(wrapped, by, b"contact:CT-2/1")
    with pytest.raises(NoWrappingKey, match=f"The key-encryption key {by} is not here"):
        newer.only().unwrap(wrapped, by, b"contact:CT-1/1")
    with pytest.raises(NoWrappingKey):
        ring.unwrap(bytes([wrapped[0] ^ 1]) + wrapped[1:], by, b"contact:CT-1/1")


@pytest.mark.parametrize("text", ["", "c2hvcnQ=", "!!", b64encode(bytes(16)).decode()])
def test_a_file_that_holds_no_keys_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        KeyRing.read(text)
