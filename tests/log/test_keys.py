"""API keys: known by their hash alone, bound and ending."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from ledger.errors import KeyRefused
from ledger.log.application import Ledger


def test_a_new_key_is_recognised_by_its_secret(ledger: Ledger) -> None:
    key, secret = ledger.keys.create("service", "ticket system", sources=["crm"], types=["contact.*"], days=30)
    assert ledger.keys.check(secret) == key
    assert ledger.keys.list() == [key]
    assert key.role == "service"
    assert timedelta(days=29) < key.expires_at - datetime.now(UTC) < timedelta(days=31)
    assert secret not in repr(key)


def test_the_secret_is_nowhere_in_the_database(ledger: Ledger) -> None:
    _, secret = ledger.keys.create("admin", "first")
    with psycopg.connect(ledger.database.conninfo) as connection:
        rows = connection.execute("SELECT keys::text FROM log.keys").fetchall()
    assert len(rows) == 1
    assert secret.rsplit("_", 1)[1] not in rows[0][0]


def test_what_a_key_may_record(ledger: Ledger) -> None:
    key, _ = ledger.keys.create("service", "crm", sources=["crm", "shop/*"], types=["contact.*", "customer.tiered"])
    assert key.allows("crm", "contact.received")
    assert key.allows("shop/7", "customer.tiered")
    assert not key.allows("crm", "customer.registered")
    assert not key.allows("other", "contact.received")
    anything, _ = ledger.keys.create("service", "importer")
    assert anything.allows("whoever", "requirement.captured")


@pytest.mark.parametrize(
    "secret",
    ["", "rl", "rl__", "rl_abcdefabcdef_x", "sk_abcdefabcdef_x", "rl_%_x", "rl_\x00_x", "rl_ab\ud800_x", "x" * 10_000],
)
def test_unknown_secrets_are_refused(ledger: Ledger, secret: str) -> None:
    with pytest.raises(KeyRefused, match="not known"):
        ledger.keys.check(secret)


def test_a_wrong_secret_of_a_known_key_is_refused(ledger: Ledger) -> None:
    _, secret = ledger.keys.create("service", "crm")
    with pytest.raises(KeyRefused, match="not known"):
        ledger.keys.check(secret[:-1] + ("A" if secret[-1] != "A" else "B"))


def test_revoked_and_expired_keys_are_refused(ledger: Ledger) -> None:
    key, secret = ledger.keys.create("service", "crm")
    assert key.valid()
    revoked = ledger.keys.revoke(key.id)
    assert not revoked.valid()
    assert ledger.keys.revoke(key.id) == revoked
    with pytest.raises(KeyRefused, match="revoked"):
        ledger.keys.check(secret)
    key, secret = ledger.keys.create("service", "crm", days=1)
    with psycopg.connect(ledger.database.conninfo) as connection:
        connection.execute("UPDATE log.keys SET expires_at = now() - interval '1 second' WHERE id = %s", [key.id])
    with pytest.raises(KeyRefused, match="expired"):
        ledger.keys.check(secret)
    with pytest.raises(KeyRefused, match="no API key"):
        ledger.keys.revoke("unknown")


def test_nonsense_is_not_made_a_key(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="role"):
        ledger.keys.create("owner", "crm")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="day"):
        ledger.keys.create("service", "crm", days=0)
