"""The recording clock: it never goes back, and on a simulated ledger the events tell it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from ledger.claims import Claim
from ledger.errors import Refused
from ledger.log.application import Ledger

Tell = Callable[..., Claim]
FORM = {"source_kind": "form"}


def test_a_real_ledger_reads_its_own_clock(ledger: Ledger, tell: Tell) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    for number in range(5):
        ledger.append([[tell("requirement.captured", f"R{number}", FORM)]], "key")
    times = [entry.recorded_at for entry in ledger.entries()]
    assert times == sorted(times)
    assert before < times[0]
    assert times[-1] < datetime.now(UTC) + timedelta(seconds=1)
    assert ledger.head().last_recorded_at == times[-1]
    assert abs(ledger.now() - datetime.now(UTC)) < timedelta(seconds=5)


def test_a_real_ledger_is_not_told_the_time(ledger: Ledger, tell: Tell) -> None:
    told = tell("requirement.captured", "R1", FORM, recorded_at="2026-04-01T02:00:00Z")
    (outcome,) = ledger.append([[tell("requirement.captured", "R0", FORM), told]], "key")
    assert isinstance(outcome, Refused)
    assert (outcome.rule, outcome.index) == ("clock.not_simulated", 1)
    assert ledger.head().position == 0


def test_what_has_not_occurred_yet_is_refused(ledger: Ledger, tell: Tell) -> None:
    def at(seconds: int) -> Claim:
        moment = datetime.now(UTC) + timedelta(seconds=seconds)
        return tell("requirement.captured", f"R{seconds}", FORM, occurred_at=moment)

    outcomes = ledger.append([[at(200)], [at(400)]], "key")
    assert isinstance(outcomes[0], list)
    assert isinstance(outcomes[1], Refused)
    assert outcomes[1].rule == "event.ahead_of_clock"


def test_a_simulated_clock_is_told_and_never_goes_back(simulated_ledger: Ledger, tell: Tell) -> None:
    def captured(subject: str, recorded_at: str | None, occurred_at: str = "2025-01-01T00:00:00Z") -> Claim:
        return tell("requirement.captured", subject, FORM, occurred_at=occurred_at, recorded_at=recorded_at)

    units = [
        [captured("R1", "2025-01-01T08:00:00Z"), captured("R2", "2025-01-01T07:00:00Z"), captured("R3", None)],
        [captured("R9", "2029-01-01T00:00:00Z"), captured("R1", None)],
        [captured("R4", "2025-01-02T00:00:00Z")],
        [captured("R5", None, "2025-01-02T00:06:00Z")],
    ]
    outcomes = simulated_ledger.append(units, "key")
    assert isinstance(outcomes[1], Refused), "a refused unit does not move the clock either"
    assert isinstance(outcomes[3], Refused)
    eight, next_day = datetime(2025, 1, 1, 8, tzinfo=UTC), datetime(2025, 1, 2, tzinfo=UTC)
    assert [entry.recorded_at for entry in simulated_ledger.entries()] == [eight, eight, eight, next_day]
    assert simulated_ledger.now() == next_day
    assert simulated_ledger.head().simulated
    assert simulated_ledger.position_at(eight) == 3
    assert simulated_ledger.position_at(eight - timedelta(microseconds=1)) == 0
    assert simulated_ledger.position_at(next_day + timedelta(days=1)) == 4


def test_a_new_simulated_ledger_has_no_time_yet(simulated_ledger: Ledger, tell: Tell) -> None:
    assert simulated_ledger.now() == datetime(1970, 1, 1, tzinfo=UTC)
    (outcome,) = simulated_ledger.append([[tell("requirement.captured", "R1", FORM)]], "key")
    assert isinstance(outcome, Refused)
    assert outcome.rule == "event.ahead_of_clock"
