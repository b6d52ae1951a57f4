"""The one event any subject may have: voiding an earlier one. Its rules stand in ``ledger.decisions``."""

from ledger.vocabulary import Event, Position


class RecordVoided(Event, type="record.voided", en="Event voided", zh="事件作废", example={"voided_position": 4711}):
    """Takes back what was told at a position. What was voided stays in the log and visible in history."""

    voided_position: Position
