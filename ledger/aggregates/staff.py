"""Staff: who was trained, and who knows the standards."""

from dataclasses import dataclass

from ledger.occurrence import Occurrence, Reading
from ledger.vocabulary import Event, Flag, Text


class StaffTrained(
    Event,
    type="staff.trained",
    en="Staff trained",
    zh="员工培训",
    opens=True,
    example={"course": "communication standards"},
):
    course: Text


class StaffAssessed(
    Event,
    type="staff.assessed",
    en="Staff assessed",
    zh="员工考核",
    opens=True,
    example={"passed": True, "course": "communication standards"},
):
    passed: Flag
    course: Text | None = None


@dataclass(frozen=True, slots=True)
class Staff:
    """A member of staff, as far as decisions need it."""


def evolve(state: Staff | None, told: Occurrence) -> Staff | None:
    """The member of staff after one more event."""
    return Staff() if isinstance(told.data, StaffTrained | StaffAssessed) else state


def decide(state: Staff | None, told: Occurrence, world: Reading) -> None:
    """Refuse nothing: whichever comes first opens, and people are trained and assessed as often as need be."""
