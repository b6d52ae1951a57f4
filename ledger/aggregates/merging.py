"""Merging duplicates, the same for customers, contacts and requirements.

A merge is an edge from the merged subject to its survivor. Edges never form a cycle and no chain of them is longer
than eight, so that three rounds of pointer doubling find every survivor.
"""

from typing import Protocol

from ledger.errors import Refused
from ledger.occurrence import Occurrence, Reading

LONGEST_CHAIN = 8


class Mergeable(Protocol):
    """A state that knows into which subject it was merged, if any."""

    @property
    def merged_into(self) -> str | None: ...


def refuse_merge(told: Occurrence, state: Mergeable, into_id: str, world: Reading) -> None:
    """Refuse to merge into oneself, into what is not recorded, twice, in a cycle, or into too long a chain."""
    aggregate, subject = told.aggregate, told.subject
    if into_id == subject:
        raise Refused(f"{aggregate}.merge_into_itself", f"{subject} cannot be merged into itself")
    if state.merged_into is not None:
        raise Refused(
            f"{aggregate}.already_merged",
            f"{subject} is already merged into {state.merged_into}: tell {aggregate}.unmerged first",
        )
    above = 0
    survivor: str | None = into_id
    # Bounded: between a void and the end of its unit there may be a cycle, which is refused only then.
    while survivor is not None and above <= LONGEST_CHAIN:
        if survivor == subject:
            raise Refused(
                f"{aggregate}.merge_cycle", f"{into_id} is itself merged into {subject}: merging would close a cycle"
            )
        found: Mergeable | None = world.state(aggregate, survivor)
        if found is None:
            raise Refused(
                f"{aggregate}.merge_unknown", f"{aggregate} {survivor} is not recorded: nothing can be merged into it"
            )
        above += 1
        survivor = found.merged_into
    length = above + _longest_below(aggregate, subject, world, LONGEST_CHAIN)
    if length > LONGEST_CHAIN:
        raise Refused(
            f"{aggregate}.merge_chain",
            f"merging {subject} into {into_id} would make a chain of more than {LONGEST_CHAIN} merges: "
            "merge into the final survivor instead",
        )


def refuse_unmerge(told: Occurrence, state: Mergeable) -> None:
    """Refuse to undo a merge that is not there."""
    if state.merged_into is None:
        raise Refused(f"{told.aggregate}.not_merged", f"{told.subject} is not merged into anything")


def _longest_below(aggregate: str, subject: str, world: Reading, limit: int) -> int:
    """The length of the longest chain of merges that ends in ``subject``; counting stops beyond ``limit``."""
    if limit < 0:
        return 0
    longest = 0
    for member in world.referring(aggregate, "into_id", subject):
        state: Mergeable | None = world.state(aggregate, member)
        if state is not None and state.merged_into == subject:
            longest = max(longest, 1 + _longest_below(aggregate, member, world, limit - 1))
    return longest
