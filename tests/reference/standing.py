"""The tables worked out when they are read, straight from the events: what was so at a moment is what all that
occurred before it makes of it.

Readings taken: activity, tier and churn are those of the customer's own number; contacts, orders and surveys are those
of the whole merged group. A period that has not begun by the moment of asking says nothing; one that still runs ends,
for now, with it. An order counts once, as it was told first (by purchased_at, then by position), under one number or
under two that were merged.
"""

from datetime import date

from tests.reference.book import Book
from tests.reference.calendars import day_number, local_date
from tests.reference.customers import is_active, purchases
from tests.reference.events import Streams, Told, effective, last, of, streams
from tests.reference.expressions import Row
from tests.reference.groups import Groups
from tests.reference.periods import Days, windows
from tests.reference.tables import Tables


def standing(told: list[Told], tables: Tables, book: Book, periods: list[Days], asked_at: int) -> Tables:
    """customer_periods, customer_spending, staff_periods and cadence, at a moment of asking."""
    customers = streams(effective(told), "customer")
    groups = Groups.of(customers)
    begun = [period for period in periods if period.opens_at(book.zone) <= asked_at]
    heard: dict[str, list[int]] = {}
    for row in tables["contacts"]:
        if row["merged_into"] is None and row["customer_id"] is not None:
            heard.setdefault(groups.survivor(row["customer_id"]), []).append(row["received_at"])
    sent: dict[str, list[int]] = {}
    for row in tables["surveys"]:
        sent.setdefault(groups.survivor(row["customer_id"]), []).append(row["sent_at"])
    bought: dict[str, list[Row]] = {}
    for row in sorted(purchases(customers), key=lambda row: (row["purchased_at"], row["position"])):
        orders = bought.setdefault(groups.survivor(row["customer_id"]), [])
        if all(row["order_id"] != earlier["order_id"] for earlier in orders):
            orders.append(row)
    own = {customer_id: stream for customer_id, stream in customers.items() if customer_id not in groups.edges}
    return {
        "customer_periods": [
            _customer_period(
                stream, period, heard.get(name, []), bought.get(name, []), sent.get(name, []), book, asked_at
            )
            for name, stream in own.items()
            for period in begun
            if stream[0].occurred_at < _end(period, book, asked_at)
        ],
        "customer_spending": [
            row for period in begun for name in bought for row in _spending(name, bought[name], period, book, asked_at)
        ],
        "staff_periods": [
            row
            for name, stream in streams(effective(told), "staff").items()
            for period in begun
            for row in _staff_period(name, stream, period, book, asked_at)
        ],
        "cadence": _cadence(own, heard, book, asked_at),
    }


def _end(period: Days, book: Book, asked_at: int) -> int:
    """The first moment after what is known of the period."""
    return min(period.closes_at(book.zone), asked_at + 1)


def _before(stream: list[Told], moment: int) -> list[Told]:
    return [event for event in stream if event.occurred_at < moment]


def active_at(stream: list[Told], moment: int) -> bool:
    return is_active(_before(stream, moment))


def tier_at(stream: list[Told], moment: int) -> str | None:
    tiered = of(_before(stream, moment), "customer.tiered")
    return tiered[-1].data["tier"] if tiered else None


def _customer_period(
    stream: list[Told],
    period: Days,
    heard: list[int],
    bought: list[Row],
    sent: list[int],
    book: Book,
    asked_at: int,
) -> Row:
    start, end = period.opens_at(book.zone), _end(period, book, asked_at)
    tier, tier_at_start = tier_at(stream, end), tier_at(stream, start)
    tiered = of(_before(stream, end), "customer.tiered")
    at_start, at_end = active_at(stream, start), active_at(stream, end)
    churns = [event for event in of(stream, "customer.churned") if start <= event.occurred_at < end]
    return {
        "customer_id": stream[0].subject,
        "tier": tier,
        "tier_at_start": tier_at_start,
        "need_type": tiered[-1].data.get("need_type") if tiered else None,
        "segment": last(of(stream, "customer.registered"), "segment"),
        "region": last(of(stream, "customer.registered"), "region"),
        "period_start": day_number(period.first),
        "period_end": day_number(period.last),
        "active_at_start": at_start,
        "active_at_end": at_end,
        "core_at_start": at_start and tier_at_start == "high",
        "core_at_end": at_end and tier == "high",
        "contacts": sum(start <= at < end for at in heard),
        "orders": sum(start <= row["purchased_at"] < end for row in bought),
        "surveys": sum(start <= at < end for at in sent),
        "churned_by_communication": any(event.data["by_communication"] for event in churns),
        "contacted_as_asked": at_end and _as_asked(tier, heard, end, book, asked_at),
    }


def _as_asked(tier: str | None, heard: list[int], end: int, book: Book, asked_at: int) -> bool:
    """Whether there was a contact in the tier's latest window that has ended by then, or in the one under way."""
    if tier not in book.cadences:
        return False
    now = local_date(min(end, asked_at), book.zone)
    around = windows(date(now.year - 1, 1, 1), now, book.cadences[tier])
    ended = [window for window in around if window.closes_at(book.zone) <= min(end, asked_at)]
    return any(ended[-1].opens_at(book.zone) <= at < end for at in heard)


def _spending(name: str, bought: list[Row], period: Days, book: Book, asked_at: int) -> list[Row]:
    start, end = period.opens_at(book.zone), _end(period, book, asked_at)
    within = [row for row in bought if start <= row["purchased_at"] < end]
    return [
        {
            "customer_id": name,
            "currency": currency,
            "period_start": day_number(period.first),
            "period_end": day_number(period.last),
            "amount": sum(row["amount"] for row in within if row["currency"] == currency),
            "orders": sum(row["currency"] == currency for row in within),
        }
        for currency in sorted({row["currency"] for row in within})
    ]


def _staff_period(name: str, stream: list[Told], period: Days, book: Book, asked_at: int) -> list[Row]:
    assessed = of(_before(stream, _end(period, book, asked_at)), "staff.assessed")
    if not assessed:
        return []
    return [
        {
            "staff_id": name,
            "period_start": day_number(period.first),
            "period_end": day_number(period.last),
            "passed": assessed[-1].data["passed"],
        }
    ]


def _cadence(own: Streams, heard: dict[str, list[int]], book: Book, asked_at: int) -> list[Row]:
    """Every window that began with the customer active and of a tier with that cadence, up to the one under way."""
    rows = []
    today = local_date(asked_at, book.zone)
    for name, stream in own.items():
        since = local_date(min(event.occurred_at for event in stream), book.zone)
        for tier, cadence in book.cadences.items():
            for window in windows(since, today, cadence):
                start, end = window.opens_at(book.zone), window.closes_at(book.zone)
                if start > asked_at or not active_at(stream, start) or tier_at(stream, start) != tier:
                    continue
                contacts = sum(start <= at < end for at in heard.get(name, []))
                rows.append(
                    {
                        "customer_id": name,
                        "tier": tier,
                        "cadence": cadence,
                        "window_start": day_number(window.first),
                        "window_end": day_number(window.last),
                        "due_at": end,
                        "contacts": contacts,
                        "done": contacts > 0,
                        "ended": end <= asked_at,
                        "active_at_end": active_at(stream, end),
                    }
                )
    return rows
