"""customers, tier_spells, alerts, churns and purchases."""

from tests.reference.book import Book
from tests.reference.clocks import columns, judge, runs
from tests.reference.contacts import clock
from tests.reference.events import Streams, Told, first, first_at, last, last_at, last_unless_followed, of
from tests.reference.expressions import Row
from tests.reference.groups import Groups


def customers(streams: Streams, groups: Groups, contact_rows: list[Row]) -> list[Row]:
    """Contacts are those of the customer and of all merged into it; one merged away keeps those of its own number."""
    rows = []
    for customer_id, stream in streams.items():
        tiered = of(stream, "customer.tiered")
        stage = last(of(stream, "customer.registered", "customer.stage_changed"), "stage")
        churn = last_unless_followed(stream, "customer.churned", "customer.won_back", "customer.purchased")
        erased_at = first_at(of(stream, "customer.key_destroyed"))
        group = {customer_id, *groups.members(customer_id)}
        heard = [row for row in contact_rows if row["customer_id"] in group and row["merged_into"] is None]
        # Reading taken: the gravest word wins.
        status = (
            "erased"
            if erased_at is not None
            else "merged"
            if groups.merged_into(customer_id)
            else "churned"
            if churn
            else stage
        )
        rows.append(
            {
                "customer_id": customer_id,
                "segment": last(of(stream, "customer.registered"), "segment"),
                "region": last(of(stream, "customer.registered"), "region"),
                "stage": stage,
                "registered_at": first_at(of(stream, "customer.registered")),
                "tier": last(tiered, "tier"),
                "need_type": last(tiered, "need_type"),
                "manager_id": last(tiered, "manager_id"),
                "tiered_at": last_at(tiered),
                "preferred_channel": last(of(stream, "customer.channel_preferred"), "channel"),
                "orders": len({event.data["order_id"] for event in of(stream, "customer.purchased")}),
                "last_purchased_at": last_at(of(stream, "customer.purchased")),
                "churned_at": churn.occurred_at if churn else None,
                "merged_into": groups.merged_into(customer_id),
                "merged_at": groups.merged_at(customer_id),
                "erased_at": erased_at,
                "contacts": len(heard),
                "last_contact_at": max((row["received_at"] for row in heard), default=None),
                "status": status,
            }
        )
    return rows


def tier_spells(streams: Streams) -> list[Row]:
    rows = []
    for customer_id, stream in streams.items():
        tiered = of(stream, "customer.tiered")
        for number, (event, following) in enumerate(zip(tiered, [*tiered[1:], None], strict=False), start=1):
            rows.append(
                {
                    "customer_id": customer_id,
                    "spell": number,
                    "tier": event.data["tier"],
                    "need_type": event.data.get("need_type"),
                    "manager_id": event.data.get("manager_id"),
                    "from_at": event.occurred_at,
                    "until_at": following.occurred_at if following else None,
                }
            )
    return rows


def is_active(stream: list[Told]) -> bool:
    """Whether what was told so far, in order, makes an active customer: registered, of that stage, not churned."""
    stage = last(of(stream, "customer.registered", "customer.stage_changed"), "stage")
    churn = last_unless_followed(stream, "customer.churned", "customer.won_back", "customer.purchased")
    return bool(of(stream, "customer.registered")) and stage == "customer" and churn is None


def active_spells(streams: Streams) -> list[Row]:
    """Reading taken: what occurred before the registration takes effect with it, as nobody is active before."""
    rows = []
    for customer_id, stream in streams.items():
        spells: list[list[int]] = []
        active = False
        registered_at = stream[0].occurred_at
        for number, event in enumerate(stream, start=1):
            if is_active(stream[:number]) == active:
                continue
            active = not active
            at = max(event.occurred_at, registered_at)
            if active:
                spells.append([at])
            else:
                spells[-1].append(at)
        for number, (from_at, *until) in enumerate(spells, start=1):
            rows.append(
                {
                    "customer_id": customer_id,
                    "spell": number,
                    "from_at": from_at,
                    "until_at": until[0] if until else None,
                }
            )
    return rows


def alerts(streams: Streams, groups: Groups, book: Book) -> tuple[list[Row], list[Row]]:
    """(the table, its clocks). Reading taken: only an alert whose raising counts has a row (valid_at)."""
    rows, clocks = [], []
    for customer_id, stream in streams.items():
        for alert_id, events in _by(stream, "alert_id").items():
            raised = of(events, "customer.alert_raised")
            if not raised:
                continue
            answered = of(events, "customer.alert_answered")
            diagnosed = of(events, "customer.cause_diagnosed")
            verified = of(events, "customer.cause_verified")
            row: Row = {
                "customer_id": customer_id,
                "alert_id": alert_id,
                "indicator": first(raised, "indicator"),
                "evidence": first(raised, "evidence"),
                "raised_at": first_at(raised),
                "answered_at": first_at(answered),
                "owner_id": last(answered, "owner_id"),
                "contact_id": last(answered, "contact_id"),
                "diagnosed_at": last_at(diagnosed),
                "cause": last(diagnosed, "cause"),
                "verified_at": last_at(verified),
                "correct": last(verified, "correct"),
                "planned_at": first_at(of(events, "customer.win_back_planned")),
                "won_back_at": first_at(of(events, "customer.won_back")),
                "merged_into": groups.merged_into(customer_id),
                "merged_at": groups.merged_at(customer_id),
            }
            for target in book.targets_of("alerts"):
                verdict = judge(book, target, row)
                row |= columns(target, verdict)
                if verdict and runs(verdict):
                    who = {"customer_id": customer_id, "owner": row["owner_id"]}
                    clocks.append(clock(target.name, "customer", customer_id, alert_id, who, verdict))
            rows.append(row)
    return rows, clocks


def churns(streams: Streams, groups: Groups, alert_rows: list[Row]) -> list[Row]:
    rows = []
    for customer_id, stream in streams.items():
        for number, event in enumerate(of(stream, "customer.churned"), start=1):
            at = event.occurred_at
            rows.append(
                {
                    "customer_id": customer_id,
                    "churn": number,
                    "churned_at": at,
                    "cause": event.data.get("cause"),
                    "by_communication": event.data["by_communication"],
                    "alerted": any(
                        alert["customer_id"] == customer_id
                        and alert["raised_at"] < at
                        and not (alert["won_back_at"] is not None and alert["raised_at"] <= alert["won_back_at"] <= at)
                        for alert in alert_rows
                    ),
                    "merged_into": groups.merged_into(customer_id),
                }
            )
    return rows


def purchases(streams: Streams) -> list[Row]:
    rows = []
    for customer_id, stream in streams.items():
        for order_id, events in _by(of(stream, "customer.purchased"), "order_id").items():
            rows.append(
                {
                    "customer_id": customer_id,
                    "order_id": order_id,
                    "amount": first(events, "amount"),
                    "currency": first(events, "currency"),
                    "purchased_at": first_at(events),
                    "position": events[0].position,
                }
            )
    return rows


def _by(stream: list[Told], field: str) -> dict[str, list[Told]]:
    found: dict[str, list[Told]] = {}
    for event in stream:
        if event.data.get(field) is not None:
            found.setdefault(event.data[field], []).append(event)
    return found
