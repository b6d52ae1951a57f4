"""What a batch costs: rows read for each subject do not grow with the number of subjects in the batch."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from ledger.claims import Claim, claim
from ledger.log.application import Ledger
from projections import generations
from projections.projector import BATCH, Batches
from tests.projections.worlds import DEFAULTS, at, new_ledger

FEW = BATCH // 10
SUBJECTS = FEW + BATCH
START = at("2025-03-03 09:00")
# temporary tables among them: a nested loop over unindexed ones is what would show
ROWS_READ = (
    "SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::bigint FROM pg_stat_xact_all_tables "
    "WHERE schemaname <> 'pg_catalog'"
)
UPSTREAM: dict[str, dict[str, str]] = {
    "customer.registered": {"stage": "customer"},
    "customer.alert_raised": {"alert_id": "a", "indicator": "silence"},
    "contact.received": {"customer_id": "customer-{}"},
    "contact.rated": {"rating_id": "t", "aspect": "online"},
    "handoff.requested": {"contact_id": "contact-{}"},
    "requirement.captured": {"customer_id": "customer-{}", "contact_id": "contact-{}"},
    "delivery.planned": {"requirement_id": "requirement-{}"},
}
TOLD: dict[str, dict[str, Any]] = {
    "customer.tiered": {"tier": "high"},
    "contact.closed": {"valid": True},
    "handoff.accepted": {},
    "requirement.verified": {"correct": True},
    "delivery.delivered": {},
}
MORE: dict[str, dict[str, Any]] = {
    "contact.rated": {"score": 4, "scale": 5},
    "delivery.planned": {"due_at": at("2025-04-03 09:00")},
}


def _claim(kind: str, nth: int, minute: int, data: dict[str, Any]) -> list[Claim]:
    subject = f"{kind.partition('.')[0]}-{nth}"
    moment = START + timedelta(minutes=minute)
    told = {**DEFAULTS.get(kind, {}), **data}
    return [claim(kind, subject, told, id=f"{kind}-{nth}", source="/test", occurred_at=moment, recorded_at=moment)]


def _tell_all(ledger: Ledger, kind: str, minute: int, data: dict[str, Any]) -> None:
    units = []
    for nth in range(SUBJECTS):
        filled = {name: value.format(nth) if isinstance(value, str) else value for name, value in data.items()}
        units.append(_claim(kind, nth, minute, {**filled, **MORE.get(kind, {})}))
    for appended in ledger.append(units, "test"):
        assert isinstance(appended, list), appended


@pytest.fixture(scope="module")
def grown(postgres: str, template: str) -> Iterator[Batches]:
    """Tables with thousands of subjects each, caught up."""
    with new_ledger(postgres, template) as ledger, ledger.database.connect() as connection:
        batches = Batches(ledger, connection, generations.live(connection))
        for minute, (kind, data) in enumerate(UPSTREAM.items()):
            _tell_all(ledger, kind, minute, data)
        batches.catch_up()
        yield batches


@pytest.mark.parametrize("kind", TOLD)
def test_rows_read_for_a_subject_do_not_grow_with_the_batch(grown: Batches, kind: str) -> None:
    _tell_all(grown.ledger, kind, len(UPSTREAM) + [*TOLD].index(kind), TOLD[kind])

    def read(limit: int) -> float:
        with grown.connection.transaction():
            assert grown.advance(limit) == limit
            row = grown.connection.execute(ROWS_READ).fetchone()
            assert row is not None
            return float(row[0]) / limit

    few, many = read(FEW), read(BATCH)
    assert many < 2 * few, f"{few:.0f} rows read for each of {FEW} subjects, {many:.0f} for each of {BATCH}"
