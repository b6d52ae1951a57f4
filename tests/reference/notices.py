"""notices, notice_deliveries and notice_customers."""

from tests.reference.events import Streams, first, first_at, of
from tests.reference.expressions import Row
from tests.reference.groups import Groups

OF_NOTICE = ("topic", "important", "plan_id", "issued_at", "effective_at", "withdrawn_at")


def notices(streams: Streams) -> list[Row]:
    rows = []
    for notice_id, stream in streams.items():
        issued = of(stream, "notice.issued")
        rows.append(
            {
                "notice_id": notice_id,
                "topic": first(issued, "topic"),
                "important": first(issued, "important"),
                "plan_id": first(issued, "plan_id"),
                "issued_at": first_at(issued),
                "effective_at": first(issued, "effective_at"),
                "withdrawn_at": first_at(of(stream, "notice.withdrawn")),
            }
        )
    return rows


def notice_deliveries(streams: Streams) -> list[Row]:
    rows = []
    for notice_delivery_id, stream in streams.items():
        sent = of(stream, "notice_delivery.sent")
        rows.append(
            {
                "notice_delivery_id": notice_delivery_id,
                "notice_id": first(sent, "notice_id"),
                "customer_id": first(sent, "customer_id"),
                "channel": first(sent, "channel"),
                "sent_at": first_at(sent),
                "delivered_at": first_at(of(stream, "notice_delivery.delivered")),
                "confirmed_at": first_at(of(stream, "notice_delivery.confirmed")),
                "responded_at": first_at(of(stream, "notice_delivery.responded")),
            }
        )
    return rows


def notice_customers(notice_rows: list[Row], delivery_rows: list[Row], customers: Groups) -> list[Row]:
    """Each notice with each customer it was sent to: what was sent to one merged away was sent to its survivor.

    Reading taken: a notice withdrawn before it took effect (or before it was issued, where it takes effect at once) is
    not counted; one withdrawn in that moment or later is (clock 10).
    """
    rows = []
    for notice in notice_rows:
        to = [row for row in delivery_rows if row["notice_id"] == notice["notice_id"]]
        for customer_id in sorted({customers.survivor(row["customer_id"]) for row in to}):
            own = [row for row in to if customers.survivor(row["customer_id"]) == customer_id]
            due_at = notice["issued_at"] if notice["effective_at"] is None else notice["effective_at"]
            rows.append(
                {
                    "notice_id": notice["notice_id"],
                    "customer_id": customer_id,
                    **{name: notice[name] for name in OF_NOTICE},
                    "sendings": len(own),
                    "channels_confirmed": len({row["channel"] for row in own if row["confirmed_at"] is not None}),
                    "first_sent_at": _earliest(own, "sent_at"),
                    "first_delivered_at": _earliest(own, "delivered_at"),
                    "first_confirmed_at": _earliest(own, "confirmed_at"),
                    "due_at": due_at,
                    "counts": notice["withdrawn_at"] is None or notice["withdrawn_at"] >= due_at,
                }
            )
    return rows


def _earliest(rows: list[Row], column: str) -> int | None:
    return min((row[column] for row in rows if row[column] is not None), default=None)
