"""The churn watch: raises an alert for every sign that none stands for yet, once however many processes watch."""

from __future__ import annotations

import hashlib
from datetime import UTC

from ledger.claims import claim
from ledger.errors import LedgerError
from ledger.log.application import Ledger
from ledger.rulebook.model import instant_us
from projections.generations import live
from projections.indicators import Sign, signs
from projections.settled import settled

SOURCE = "/ledger/watch"
MOST_AT_ONCE = 500
LONGEST_ID = 200


def watch(ledger: Ledger, *, key_id: str, dry_run: bool = False) -> list[Sign]:
    """Raise the alerts that are due, as events recorded under the key `key_id`; the signs they are raised for.

    With `dry_run` nothing is raised. Raises NotNow.
    """
    with settled(ledger, "watch"):
        now = ledger.now()
        with ledger.database.reading() as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            held = list(signs(connection, live(connection), instant_us(now.astimezone(UTC))))
        # an alert that was voided as wrong is not raised again
        found = [sign for sign in held if ledger.find(SOURCE, _event_id(sign)) is None]
        for start in range(0, 0 if dry_run else len(found), MOST_AT_ONCE):
            units = [
                [
                    claim(
                        "customer.alert_raised",
                        sign.customer_id,
                        {
                            "alert_id": f"{sign.indicator}-{sign.spell}",
                            "indicator": sign.indicator,
                            "evidence": sign.evidence,
                        },
                        id=_event_id(sign),
                        source=SOURCE,
                        occurred_at=now,
                        recorded_at=now if ledger.simulated else None,
                    )
                ]
                for sign in found[start : start + MOST_AT_ONCE]
            ]
            for outcome in ledger.append(units, key_id):
                if isinstance(outcome, LedgerError):
                    raise outcome
        return found


def _event_id(sign: Sign) -> str:
    name = f"{sign.indicator}/{sign.spell}/{sign.customer_id}"
    # a customer's id may be as long as an event's
    return name if len(name) <= LONGEST_ID else hashlib.sha256(name.encode()).hexdigest()
