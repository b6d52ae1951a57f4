"""What the ledger answers when it will not do what it was asked.

    LedgerError
    ├── Invalid            the event is not well formed: which fields, and why
    ├── Refused            the event is well formed, and a rule of the domain refuses it
    │   ├── VersionMismatch    the sender expected another version of the subject
    │   └── DuplicateMismatch  its source and id are taken by an event that says something else
    ├── Retryable          not now: send the same again, with the same ids
    │   ├── Unavailable        the database did not answer, or not whether it committed
    │   ├── Overloaded         too much is waiting already
    │   └── Closed             the ledger is shutting down
    ├── AppendFailed       the cause lies in the program, not in the event
    ├── KeyRefused         the API key is unknown, expired or revoked
    └── Unfit              the ledger cannot serve as it is set up
        ├── EmbeddedServerError  the PostgreSQL that comes with the program cannot be used
        ├── DatabaseUnfit        the database would lose events, or cannot hold them
        ├── MigrationError       the database's structure belongs to another program version
        └── OtherLedger          simulation or real is decided when a ledger is created

Every message says what was wrong, where, and what to do; none holds personal text.
"""

from collections.abc import Sequence

from pydantic import ValidationError

Problem = tuple[str, str]
"""The path of a field ("data.channel") and what is wrong with it."""

_MESSAGES = {
    "missing": "is required",
    "extra_forbidden": "is not a field of this event",
    "int_type": "must be a whole number (no decimals: money in minor units, ratios in basis points)",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "string_unicode": "must be text without lone surrogates",
    "model_type": "must be an object",
}
_PATTERNS = {
    r"^[^\x00]*$": "must not contain the NUL character",
    r"^[A-Z]{3}$": "must be a currency of three capital letters, such as EUR",
    r"^[1-9][0-9]{3}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])$": "must be a day such as 2026-04-01",
    r"^[1-9][0-9]{3}-W(?:0[1-9]|[1-4][0-9]|5[0-3])$": "must be an ISO week such as 2026-W14",
    r"^[1-9][0-9]{3}-Q[1-4]$": "must be a quarter such as 2026-Q2",
    r"^sha256:[0-9a-f]{64}$": "must be sha256: followed by 64 hexadecimal digits",
}
_ID_MESSAGE = "must not contain control characters nor begin or end with a space"


class LedgerError(Exception):
    """The ledger could not do what was asked."""


class Invalid(LedgerError):
    """The event is not well formed. ``problems`` names each field with what is wrong with it."""

    def __init__(self, problems: Sequence[Problem], index: int | None = None) -> None:
        self.problems = tuple(problems)
        self.index = index
        super().__init__("; ".join(f"{path}: {message}" for path, message in self.problems))


class Refused(LedgerError):
    """A rule of the domain refuses the event; nothing was appended.

    ``rule`` is the rule's stable name ("requirement.merge_cycle"), ``message`` says why in words, ``index`` is the
    place of the refused claim in its unit (None outside a unit).
    """

    def __init__(self, rule: str, message: str, index: int | None = None) -> None:
        self.rule = rule
        self.message = message
        self.index = index
        super().__init__(f"{rule}: {message}")


class VersionMismatch(Refused):
    """The subject is not at the version the sender expected."""

    def __init__(self, stream: str, expected: int, actual: int, index: int | None = None) -> None:
        self.expected = expected
        self.actual = actual
        super().__init__(
            "version.mismatch",
            f"{stream} is at version {actual}, not at the expected {expected}: read it again and decide anew",
            index,
        )


def problems(error: ValidationError, under: str = "") -> list[Problem]:
    """Pydantic's errors as (path of the field, what is wrong) pairs; ``under`` is put before each path.

    Values are left out of the messages: they may be personal.
    """
    found = []
    for detail in error.errors(include_url=False, include_input=False):
        path = ".".join([*([under] if under else []), *(str(part) for part in detail["loc"])])
        kind = detail["type"]
        if kind == "string_pattern_mismatch":
            message = _PATTERNS.get(str(detail["ctx"]["pattern"]), _ID_MESSAGE)
        else:
            message = _MESSAGES.get(kind) or detail["msg"].removeprefix("Value error, ")
            message = message.replace("Input should be", "must be").replace("String should", "must")
        found.append((path, message))
    return found


class DuplicateMismatch(Refused):
    """An event with this source and id is recorded already, and says something else. ``position`` is that one's."""

    def __init__(self, source: str, event_id: str, position: int, index: int | None = None) -> None:
        self.position = position
        super().__init__(
            "event.id_taken",
            f"source {source} has already told another event with id {event_id} (position {position}): "
            "give this one an id of its own, or send the first again unchanged",
            index,
        )


class Retryable(LedgerError):
    """Not now. Sending the same again with the same ids is safe, whatever became of the first attempt."""


class Unavailable(Retryable):
    """The database does not answer, or did not say whether it committed."""


class Overloaded(Retryable):
    """Too much is waiting to be appended already."""


class Closed(Retryable):
    """The ledger is shutting down and appends nothing more."""


class AppendFailed(LedgerError):
    """The events could not be appended for a cause that lies in the program, not in them; the log has the details."""


class KeyRefused(LedgerError):
    """The API key is unknown, expired or revoked."""


class Unfit(LedgerError):
    """The ledger cannot serve as it is set up."""


class EmbeddedServerError(Unfit):
    """The PostgreSQL that comes with the program cannot be used."""


class DatabaseUnfit(Unfit):
    """The database would lose acknowledged events, or cannot hold them."""


class MigrationError(Unfit):
    """The database's structure does not belong to this program version."""


class OtherLedger(Unfit):
    """A ledger was asked to be what it is not: simulation or real is decided when it is created."""
