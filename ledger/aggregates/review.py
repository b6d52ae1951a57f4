"""Reviews: a contact drawn in the weekly sample, its quality scored, and what failed rectified."""

from dataclasses import dataclass

from ledger.aggregates.opening import refuse_first, refuse_later
from ledger.errors import Refused
from ledger.occurrence import Occurrence, Reading
from ledger.vocabulary import Channel, ContactId, Event, Flag, Integer, Week


class ReviewSampled(
    Event,
    type="review.sampled",
    en="Contact sampled for review",
    zh="质量抽检抽样",
    opens=True,
    example={"contact_id": "CT-2026-000481", "channel": "web_chat", "week": "2026-W14", "seed": 20260406},
):
    contact_id: ContactId
    channel: Channel | None = None
    week: Week
    """The week whose contacts were sampled."""
    seed: Integer | None = None
    """What the sample was drawn with: it can be drawn again."""


class ReviewScored(
    Event,
    type="review.scored",
    en="Review scored",
    zh="抽检评分",
    example={"passed": False, "script_fit": True, "content_fit": False},
):
    passed: Flag
    script_fit: Flag | None = None
    content_fit: Flag | None = None


class ReviewRectified(Event, type="review.rectified", en="Failing rectified", zh="抽检整改", example={}):
    pass


@dataclass(frozen=True, slots=True)
class Review:
    """A review, as far as decisions need it."""

    scored: bool = False


def evolve(state: Review | None, told: Occurrence) -> Review | None:
    """The review after one more event."""
    match told.data:
        case ReviewSampled():
            return Review()
        case ReviewScored() if state is not None:
            return Review(scored=True)
    return state


def decide(state: Review | None, told: Occurrence, world: Reading) -> None:
    """Refuse what cannot be said of this review."""
    if state is None:
        return refuse_first(told)
    refuse_later(told)
    if isinstance(told.data, ReviewRectified) and not state.scored:
        raise Refused("review.not_scored", f"review {told.subject} was never scored: tell review.scored first")
    return None
