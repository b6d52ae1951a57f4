"""What needs two persons: one asks for it, another does it. Pure.

Who a person is to the ledger is the key that an event was recorded under: what `actor` says is only what was told.
"""

from ledger.errors import Refused


class SamePerson(Refused):
    """What one person asked for, that person may not do too."""

    def __init__(self, what: str, key: str) -> None:
        super().__init__(
            "second_person.same_key",
            f"{what} needs a second person: it was asked for under the same key, {key}; have it done under another one",
        )


def another_person(first: str, second: str, what: str) -> None:
    """Raise SamePerson unless the keys of who asked for something (`first`) and of who does it are two."""
    if first == second:
        raise SamePerson(what, second)
