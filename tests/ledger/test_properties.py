"""What must hold whatever is told, in any order, voided in any way."""

from collections import Counter
from itertools import pairwise
from random import Random

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ledger.aggregates.record import RecordVoided
from ledger.decisions import effective, reads
from ledger.errors import Refused
from ledger.events import CATALOGUE

# The events rules speak of; those that others wait for stand more often.
STEPS = (
    [f"contact.{name}" for name in ("paused", "resumed", "reopened", "closed", "unmerged", "received")]
    + [f"customer.{name}" for name in ("registered", "alert_raised", "alert_answered", "merged", "unmerged")]
    + [f"handoff.{name}" for name in ("requested", "answered", "withdrawn")]
    + [f"requirement.{name}" for name in ("captured", "rejected", "closed", "reopened", "unmerged")]
    + [f"delivery.{name}" for name in ("milestone_set", "milestone_reached", "refused", "cancelled")]
    + [f"plan.{name}" for name in ("drafted", "task_added", "task_started", "task_completed", "closed")]
    + [f"notice.{name}" for name in ("issued", "withdrawn")]
    + [f"notice_delivery.{name}" for name in ("sent", "sent", "confirmed")]
    + [f"review.{name}" for name in ("sampled", "scored", "rectified")]
    + ["contact.merged", "requirement.merged", "requirement.reopened", "delivery.planned", "delivery.delivered"] * 2
)
NAMES = ["A", "B", "C"]


def step(name, subject, other, hour):
    """A claim about one of three subjects that may name another of them."""
    fields = {field.name for field in CATALOGUE[name].fields}
    named = dict.fromkeys(("into_id", "requirement_id", "notice_id", "pause_id", "milestone_id", "task_id"), other)
    if name == "handoff.requested":
        named = {}
    return name, subject, {field: value for field, value in named.items() if field in fields}, f"{hour:02}:00"


def history_of(seed):
    """120 units, the same for the same seed. A number stands for a void: of the entry at that place from the latest."""
    chance = Random(seed)

    def told():
        return step(chance.choice(STEPS), chance.choice(NAMES), chance.choice(NAMES), chance.randint(8, 16))

    def unit():
        kind = chance.random()
        if kind < 0.75:
            return [told()]
        if kind < 0.85:
            return chance.sample(range(20), chance.randint(1, 3))
        return [chance.randint(0, 20), told()]

    return [unit() for _ in range(120)]


# Lists drawn by Hypothesis itself hold too few accepted steps to get anywhere.
histories = st.integers(0, 2**32 - 1).map(history_of)
UNSHRUNK = [Phase.explicit, Phase.reuse, Phase.generate]  # a smaller seed is no simpler history


def play(chronicle, history):
    """Tell a history unit by unit, leaving out what is refused."""
    openings = ("requirement.captured", "contact.received", "handoff.requested", "notice.issued")
    chronicle.given(*((opening, name, {}, "08:00") for opening in openings for name in NAMES))
    for unit in history:
        claims = []
        for part in unit:
            if isinstance(part, int):
                target = chronicle.entries[max(0, len(chronicle.entries) - 1 - part)]
                claims.append(("record.voided", target.subject, {"voided_position": target.position}))
            else:
                claims.append(part)
        try:
            chronicle.tell(*claims)
        except Refused:
            continue
    return chronicle


def live_entries(chronicle):
    keys = dict.fromkeys((entry.aggregate, entry.subject) for entry in chronicle.entries)
    return {key: effective(chronicle.stream(*key)) for key in keys}


def assert_no_nonsense(chronicle):
    """The invariants once more, written out plainly over what is neither voided nor a void."""
    live = live_entries(chronicle)
    opened = {key for key, entries in live.items() if entries and entries[0].data.about.opens}
    for key, entries in live.items():
        counts = Counter(entry.type.split(".")[1] for entry in entries)
        assert not entries or key in opened, "something happens to what was never opened"
        assert sum(entry.data.about.opens for entry in entries) == bool(entries)
        assert counts["answered"] <= 1 or key[0] != "handoff"
        pauses = {}
        for entry in entries:
            if entry.type == "contact.paused":
                assert entry.data.pause_id not in pauses
                pauses[entry.data.pause_id] = [entry.occurred_at, None]
            elif entry.type == "contact.resumed":
                pause = pauses[entry.data.pause_id]
                assert pause[1] is None
                assert pause[0] <= entry.occurred_at
                pause[1] = entry.occurred_at
            elif entry.type == "delivery.planned":
                assert ("requirement", entry.data.requirement_id) in opened
            elif entry.type == "notice_delivery.sent":
                assert ("notice", entry.data.notice_id) in opened
        spans = sorted((span for span in pauses.values() if span[0] != span[1]), key=lambda span: span[0])
        for earlier, later in pairwise(spans):
            assert earlier[1] is not None
            assert earlier[1] <= later[0]
    assert_merges_are_sound(live, opened)
    assert_no_open_delivery_was_merged_away(live)


def assert_no_open_delivery_was_merged_away(live):
    merges = [e for key, entries in live.items() for e in entries if e.type == "requirement.merged"]
    for merge in merges:
        for (aggregate, _), entries in live.items():
            if aggregate == "delivery" and entries and entries[0].data.requirement_id == merge.subject:
                until = [e.type for e in entries if e.position < merge.position]
                ends = [name for name in until if "milestone" not in name]
                assert not ends or "delivery.cancelled" in ends or ends[-1] == "delivery.delivered"


def assert_merges_are_sound(live, opened):
    edges = {}
    for key, entries in live.items():
        for entry in sorted(entries, key=lambda entry: entry.position):
            if entry.type.endswith(".merged"):
                assert key not in edges
                edges[key] = (key[0], entry.data.into_id)
            elif entry.type.endswith(".unmerged"):
                del edges[key]
    for key in edges:
        length, name = 0, key
        while name in edges:
            name = edges[name]
            length += 1
            assert length <= 8, "a cycle, or a chain too long"
            assert name in opened


@settings(max_examples=150, deadline=None, phases=UNSHRUNK)
@given(histories)
def test_no_history_holds_nonsense(new_chronicle, history):
    assert_no_nonsense(play(new_chronicle(), history))


@settings(max_examples=150, deadline=None, phases=UNSHRUNK)
@given(histories)
def test_what_remains_after_voids_would_have_been_accepted_alone(new_chronicle, history):
    chronicle = play(new_chronicle(), history)
    voided = {entry.data.voided_position for entry in chronicle.entries if isinstance(entry.data, RecordVoided)}
    first = {}
    for entry in chronicle.entries:
        first.setdefault((entry.aggregate, entry.subject), entry.position)
    remaining = [e for e in chronicle.entries if e.position not in voided and not isinstance(e.data, RecordVoided)]
    for entry in remaining:
        earlier = any(other.stream == entry.stream and other.position < entry.position for other in remaining)
        if entry.type in ("delivery.planned", "notice_delivery.sent") and earlier:
            return  # told anew on what has become of the requirement or notice since: no place before would do
    # Any other opening told anew takes its old place.
    remaining.sort(key=lambda e: first[e.aggregate, e.subject] if opens_alone(e) else e.position)
    retold = new_chronicle()
    for entry in remaining:
        said = entry.data.model_dump(mode="python")
        retold.tell((entry.type, entry.subject, {**said}, f"{entry.occurred_at:%H:%M}"))
    for aggregate, subject in first:
        assert retold.state(aggregate, subject) == chronicle.state(aggregate, subject)


def opens_alone(entry):
    return entry.data.about.opens and entry.aggregate not in ("delivery", "notice_delivery")


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11), st.booleans()), min_size=10, max_size=80))
def test_merges_are_accepted_exactly_where_the_group_stays_a_short_tree(new_chronicle, steps):
    chronicle = new_chronicle().given(*(("contact.received", f"C{n}") for n in range(12)))
    edges = {}
    for name, into, undo in steps:
        wanted = dict(edges)
        if undo:
            allowed = wanted.pop(name, None) is not None
            said = ("contact.unmerged", f"C{name}")
        else:
            wanted[name] = into
            allowed = name not in edges and is_short_forest(wanted)
            said = ("contact.merged", f"C{name}", {"into_id": f"C{into}"})
        try:
            chronicle.tell(said)
        except Refused:
            assert not allowed
        else:
            assert allowed
            edges = wanted


def is_short_forest(edges):
    for start in edges:
        name, length = start, 0
        while name in edges and length <= 8:
            name = edges[name]
            length += 1
        if length > 8:
            return False
    return True


@settings(max_examples=40, deadline=None, phases=UNSHRUNK)
@given(histories)
def test_a_decision_reads_no_more_than_it_says(new_chronicle, tell, history):
    """But for merges, which follow their chains, and voids."""

    class Watched(new_chronicle):
        def snapshot(self, *key):
            if self.allowed is not None:
                assert key in self.allowed
            return super().snapshot(*key)

    watched = Watched()
    watched.allowed = None
    for unit in history:
        for part in unit:
            if isinstance(part, int) or part[0].endswith(".merged"):
                continue
            claim = tell(*part)
            watched.allowed = set(reads(claim))
            try:
                watched.tell(claim)
            except Refused:
                continue
            finally:
                watched.allowed = None
