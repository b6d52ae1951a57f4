"""deliveries, tellings and milestones."""

from tests.reference.book import Book
from tests.reference.clocks import columns, judge, runs
from tests.reference.contacts import clock
from tests.reference.events import Streams, Told, first, first_at, last, of, status
from tests.reference.expressions import Row
from tests.reference.groups import Groups


def delivered_at(stream: list[Told]) -> int | None:
    """The earliest delivery that the next word on it, in order, does not refuse."""
    said = of(stream, "delivery.delivered", "delivery.refused")
    for event, following in zip(said, [*said[1:], None], strict=False):
        if event.type == "delivery.delivered" and (following is None or following.type == "delivery.delivered"):
            return event.occurred_at
    return None


def deliveries(streams: Streams, book: Book) -> tuple[list[Row], list[Row]]:
    """(the table, its clocks)."""
    rows, clocks = [], []
    for delivery_id, stream in streams.items():
        planned = of(stream, "delivery.planned")
        row: Row = {
            "delivery_id": delivery_id,
            "requirement_id": first(planned, "requirement_id"),
            "owner_id": last(planned, "owner_id"),
            "planned_at": first_at(planned),
            "committed_due_at": first(planned, "due_at"),
            "due_at": last(of(stream, "delivery.planned", "delivery.rescheduled"), "due_at"),
            "rescheduled": len(of(stream, "delivery.rescheduled")),
            "percent": last(of(stream, "delivery.progressed"), "percent"),
            "delivered_at": delivered_at(stream),
            "accepted_at": first_at(of(stream, "delivery.accepted")),
            "refused": len(of(stream, "delivery.refused")),
            "cancelled_at": first_at(of(stream, "delivery.cancelled")),
            "status": status(
                stream,
                {
                    "delivery.planned": "planned",
                    "delivery.progressed": "in_progress",
                    "delivery.delivered": "delivered",
                    "delivery.accepted": "accepted",
                    "delivery.refused": "refused",
                    "delivery.cancelled": "cancelled",
                },
            ),
        }
        for target in book.targets_of("deliveries"):
            verdict = judge(book, target, row)
            row |= columns(target, verdict)
            if verdict and runs(verdict):
                who = {"customer_id": None, "owner": row["owner_id"]}
                clocks.append(clock(target.name, "delivery", delivery_id, "", who, verdict))
        rows.append(row)
    return rows, clocks


def tellings(
    streams: Streams, requirement_rows: list[Row], delivery_rows: list[Row], groups: Groups, book: Book
) -> tuple[list[Row], list[Row]]:
    """(the table, its clocks): each customer of the group of a delivered requirement is to be told.

    Reading taken: a customer joins when one of its requirements and the delivery's own came to be in one group. Where
    the delivery's own was merged away later, the survivor's customer joined then, and its own is told as before.
    """
    rows, clocks = [], []
    customer_of = {row["requirement_id"]: row["customer_id"] for row in requirement_rows}
    for delivery in delivery_rows:
        if delivery["delivered_at"] is None:
            continue
        own, delivery_id = delivery["requirement_id"], delivery["delivery_id"]
        survivor = groups.survivor(own)
        joined: dict[str, list[int | None]] = {}
        for requirement_id in [survivor, *groups.members(survivor)]:
            customer_id = customer_of.get(requirement_id)
            if customer_id is not None:
                joined.setdefault(customer_id, []).append(groups.joined_at(requirement_id, own))
        for customer_id, moments in joined.items():
            later = [moment for moment in moments if moment is not None]
            joined_at = min(later) if len(later) == len(moments) else None
            told = [
                event
                for event in of(streams[delivery_id], "delivery.customer_informed")
                if event.data["customer_id"] == customer_id
            ]
            row: Row = {
                "delivery_id": delivery_id,
                "customer_id": customer_id,
                "requirement_id": own,
                "owner_id": delivery["owner_id"],
                "delivered_at": delivery["delivered_at"],
                "joined_at": joined_at,
                "started_at": max(delivery["delivered_at"], joined_at or delivery["delivered_at"]),
                "informed_at": first_at(told),
                "channel": told[0].data.get("channel") if told else None,
                "cancelled_at": delivery["cancelled_at"],
            }
            for target in book.targets_of("tellings"):
                verdict = judge(book, target, row)
                row |= columns(target, verdict)
                if verdict and runs(verdict):
                    who = {"customer_id": customer_id, "owner": delivery["owner_id"]}
                    clocks.append(clock(target.name, "delivery", delivery_id, customer_id, who, verdict))
            rows.append(row)
    return rows, clocks


def milestones(aggregate: str, streams: Streams) -> list[Row]:
    """Reading taken: only a milestone whose setting counts has a row (valid_at)."""
    rows = []
    for subject, stream in streams.items():
        named = of(stream, f"{aggregate}.milestone_set", f"{aggregate}.milestone_reached")
        for milestone_id in sorted({event.data["milestone_id"] for event in of(stream, f"{aggregate}.milestone_set")}):
            own = [event for event in named if event.data["milestone_id"] == milestone_id]
            rows.append(
                {
                    "aggregate": aggregate,
                    "subject": subject,
                    "milestone_id": milestone_id,
                    "set_at": first_at(of(own, f"{aggregate}.milestone_set")),
                    "due_at": last(of(own, f"{aggregate}.milestone_set"), "due_at"),
                    "reached_at": first_at(of(own, f"{aggregate}.milestone_reached")),
                }
            )
    return rows
