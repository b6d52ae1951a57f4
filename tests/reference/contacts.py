"""contacts, contact_groups, contact_cycles, pauses and handoffs."""

from tests.reference.book import Book
from tests.reference.clocks import Merge, Pause, columns, judge, runs
from tests.reference.events import Streams, Told, first, first_at, last, last_at, of, status
from tests.reference.expressions import Row
from tests.reference.groups import Groups

SAID_AT_THE_START = ("channel", "department", "direction", "kind", "complexity", "purpose")


def by_a_human(stream: list[Told]) -> list[Told]:
    return [event for event in of(stream, "contact.answered") if event.data.get("automated") is False]


def solving(stream: list[Told]) -> list[Told]:
    return [event for event in of(stream, "contact.resolved") if event.data["solved"] is True]


def customer_of(stream: list[Told]) -> str | None:
    customer: str | None = last(of(stream, "contact.received", "contact.identified"), "customer_id")
    return customer


def contacts(streams: Streams, groups: Groups) -> list[Row]:
    rows = []
    for contact_id, stream in streams.items():
        received = of(stream, "contact.received")
        closed = of(stream, "contact.closed")
        minutes = of(stream, "contact.minutes_recorded")
        flagged = of(stream, "contact.problem_flagged")
        said = status(
            stream,
            {
                "contact.received": "open",
                "contact.answered": lambda event: "answered" if event.data.get("automated") is False else None,
                "contact.resolved": "resolved",
                "contact.closed": "closed",
                "contact.reopened": "open",
                "contact.abandoned": "abandoned",
            },
        )
        row: Row = {
            "contact_id": contact_id,
            "customer_id": customer_of(stream),
            "received_at": first_at(received),
            "rang_at": first_at(of(stream, "contact.rang")),
            "answered_at": first_at(by_a_human(stream)),
            "agent_id": last(by_a_human(stream), "agent_id"),
            "script_id": last(of(stream, "contact.answered"), "script_id"),
            "abandoned_at": first_at(of(stream, "contact.abandoned")),
            "prepared": last(minutes, "prepared"),
            "complete": last(minutes, "complete"),
            "screened_at": first_at(of(stream, "contact.screened")),
            "has_requirement": last(of(stream, "contact.screened"), "has_requirement"),
            "solution_proposed_at": first_at(of(stream, "contact.solution_proposed")),
            "resolved_at": first_at(of(stream, "contact.resolved")),
            "solved": last(of(stream, "contact.resolved"), "solved"),
            "fixed_at": first_at(solving(stream)),
            "informed_at": first_at(of(stream, "contact.customer_informed")),
            "valid": last(closed, "valid"),
            "closed_at": last_at(closed),
            "reopened": len(of(stream, "contact.reopened")),
            "misunderstood": any(event.data["problem"] == "misunderstanding" for event in flagged),
            "flagged": bool(flagged),
            "merged_into": groups.merged_into(contact_id),
            "merged_at": groups.merged_at(contact_id),
            "status": "merged" if groups.merged_into(contact_id) else said,
        }
        for field in SAID_AT_THE_START:
            row[field] = first(received, field)
        rows.append(row)
    return rows


def cycles_of(stream: list[Told]) -> list[list[Told]]:
    """The events cut at each reopening, which begins the next cycle."""
    cycles: list[list[Told]] = [[]]
    for event in stream:
        if event.type == "contact.reopened":
            cycles.append([])
        cycles[-1].append(event)
    return cycles


def pauses(streams: Streams) -> list[Row]:
    """A pause belongs to the cycle of its `paused`; a `resumed` counts wherever it stands."""
    rows = []
    for contact_id, stream in streams.items():
        for number, events in enumerate(cycles_of(stream), start=1):
            for paused in of(events, "contact.paused"):
                pause_id = paused.data["pause_id"]
                resumed = [each for each in of(stream, "contact.resumed") if each.data["pause_id"] == pause_id]
                rows.append(
                    {
                        "contact_id": contact_id,
                        "pause_id": pause_id,
                        "cycle": number,
                        "pause_reason": paused.data.get("pause_reason"),
                        "paused_at": paused.occurred_at,
                        "resumed_at": first_at(resumed),
                    }
                )
    return rows


def tier_at(spells: list[Row], customer_id: str | None, at: int) -> str | None:
    """The tier of the last spell that began by then."""
    tier = None
    for spell in spells:
        if spell["customer_id"] == customer_id and spell["from_at"] <= at:
            tier = spell["tier"]
    return tier


def contact_cycles(
    streams: Streams, groups: Groups, spells: list[Row], pause_rows: list[Row], book: Book
) -> tuple[list[Row], list[Row]]:
    """(the table, its clocks).

    Reading taken: a pause is the contact's and holds every clock of it that runs then, whatever cycle it began in: one
    left open over a reopening keeps the new cycle's clocks standing from their start.
    """
    rows, clocks = [], []
    survivors = set(groups.survivors.values())
    for contact_id, stream in streams.items():
        for number, events in enumerate(cycles_of(stream), start=1):
            received_at = events[0].occurred_at
            row: Row = {
                "contact_id": contact_id,
                "cycle": number,
                "customer_id": customer_of(stream),
                "valid": last(of(stream, "contact.closed"), "valid"),
                "tier": tier_at(spells, customer_of(stream), received_at),
                "received_at": received_at,
                "answered_at": first_at(by_a_human(events)),
                "abandoned_at": first_at(of(events, "contact.abandoned")),
                "rang_at": first_at(of(events, "contact.rang")),
                "solution_proposed_at": first_at(of(events, "contact.solution_proposed")),
                "resolved_at": first_at(of(events, "contact.resolved")),
                "solved": last(of(events, "contact.resolved"), "solved"),
                "fixed_at": first_at(solving(events)),
                "informed_at": first_at(of(events, "contact.customer_informed")),
                "closed_at": last_at(of(events, "contact.closed")),
                "merged_at": groups.merged_at(contact_id),
                "group_received_at": None,
            }
            for field in SAID_AT_THE_START:
                row[field] = first(of(stream, "contact.received"), field)
            merges: list[Merge] = []
            if number == 1 and contact_id in survivors:
                for member in groups.members(contact_id):
                    joined_at = groups.joined_at(member, contact_id)
                    assert joined_at is not None
                    merges.append((joined_at, streams[member][0].occurred_at))
                row["group_received_at"] = min(received for _, received in merges)
            pausing: list[Pause] = [
                (pause["paused_at"], pause["resumed_at"]) for pause in pause_rows if pause["contact_id"] == contact_id
            ]
            for target in book.targets_of("contact_cycles"):
                verdict = judge(book, target, row, pausing, merges if target.start == "received_at" else None)
                row |= columns(target, verdict)
                if verdict and runs(verdict):
                    who = {"customer_id": row["customer_id"], "owner": row["department"]}
                    clocks.append(clock(target.name, "contact", contact_id, str(number), who, verdict))
            rows.append(row)
    return rows, clocks


def clock(name: str, aggregate: str, subject: str, part: str, who: Row, verdict: Row) -> Row:
    """A row of the view over all clocks."""
    return {"clock": name, "aggregate": aggregate, "subject": subject, "part": part} | who | verdict


def handoffs(streams: Streams, contact_streams: Streams, book: Book) -> tuple[list[Row], list[Row]]:
    """(the table, its clocks). Reading taken: "the latest cycle" is the one that began last before the request."""
    rows, clocks = [], []
    for handoff_id, stream in streams.items():
        requested = of(stream, "handoff.requested")
        requested_at = requested[0].occurred_at
        contact_id = first(requested, "contact_id")
        arrived_at = requested_at
        if contact_id in contact_streams:
            starts = [events[0].occurred_at for events in cycles_of(contact_streams[contact_id])]
            begun = [start for start in starts if start <= requested_at]
            arrived_at = max(begun) if begun else starts[0]
        row: Row = {
            "handoff_id": handoff_id,
            "contact_id": contact_id,
            "requirement_id": first(requested, "requirement_id"),
            "from_department": first(requested, "from_department"),
            "to_department": first(requested, "to_department"),
            "requested_at": requested_at,
            "arrived_at": arrived_at,
            "transferred_at": first_at(of(stream, "handoff.transferred")),
            "accepted_at": first_at(of(stream, "handoff.accepted")),
            "owner_id": last(of(stream, "handoff.accepted"), "owner_id"),
            "returned": len(of(stream, "handoff.returned")),
            "returned_at": last_at(of(stream, "handoff.returned")),
            "answered_at": first_at(of(stream, "handoff.answered")),
            "withdrawn_at": first_at(of(stream, "handoff.withdrawn")),
            "status": status(
                stream,
                {
                    f"handoff.{word}": word
                    for word in ("requested", "transferred", "accepted", "returned", "answered", "withdrawn")
                },
            ),
        }
        for target in book.targets_of("handoffs"):
            verdict = judge(book, target, row)
            row |= columns(target, verdict)
            if verdict and runs(verdict):
                # Reading taken: the owner of a handoff's clock is the department it went to.
                who = {"customer_id": None, "owner": row["to_department"]}
                clocks.append(clock(target.name, "handoff", handoff_id, "", who, verdict))
        rows.append(row)
    return rows, clocks
