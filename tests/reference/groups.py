"""Merged groups: who was merged into whom, who survives, and when a member joined.

Reading taken: joining goes along the chain. A → B at t1 and B → C at t2: A is in C's group from the later of both, and
in B's from t1. So a member joined what another member owns at the latest merge on the way between the two.
"""

from dataclasses import dataclass
from functools import cached_property

from tests.reference.events import Streams, merge_of

LONGEST_CHAIN = 8


@dataclass(frozen=True)
class Groups:
    """The merge edges in force: subject → (into, merged_at)."""

    edges: dict[str, tuple[str, int]]

    @classmethod
    def of(cls, streams: Streams) -> "Groups":
        edges = {}
        for subject, stream in streams.items():
            merge = merge_of(stream)
            if merge is not None:
                edges[subject] = (merge.data["into_id"], merge.occurred_at)
        return cls(edges)

    def merged_into(self, subject: str) -> str | None:
        return self.edges[subject][0] if subject in self.edges else None

    def merged_at(self, subject: str) -> int | None:
        return self.edges[subject][1] if subject in self.edges else None

    def path(self, subject: str) -> list[str]:
        """From the subject up to its survivor, both included."""
        path = [subject]
        while path[-1] in self.edges and len(path) <= LONGEST_CHAIN:
            path.append(self.edges[path[-1]][0])
        return path

    def survivor(self, subject: str) -> str:
        return self.path(subject)[-1]

    @cached_property
    def survivors(self) -> dict[str, str]:
        return {subject: self.survivor(subject) for subject in self.edges}

    def members(self, survivor: str) -> list[str]:
        """All that are merged away into this survivor, directly or by a chain."""
        return [subject for subject, final in self.survivors.items() if final == survivor]

    def joined_at(self, member: str, other: str) -> int | None:
        """When `member` and `other` came to be in one group: the latest merge between them; None for itself."""
        here, there = set(self.path(member)[:-1]), set(self.path(other)[:-1])
        return max((self.edges[subject][1] for subject in here ^ there), default=None)

    def rows(self, key: str) -> list[dict[str, object]]:
        """Whom each that is merged away ended with, and since when."""
        return [
            {key: subject, "survivor_id": survivor, "joined_at": self.joined_at(subject, survivor)}
            for subject, survivor in self.survivors.items()
        ]

    def lineage(self, key: str) -> list[dict[str, object]]:
        """Every step of every chain: with whom each has been, and since when."""
        return [
            {key: subject, "ancestor_id": ancestor, "joined_at": self.joined_at(subject, ancestor)}
            for subject in self.edges
            for ancestor in self.path(subject)[1:]
        ]
