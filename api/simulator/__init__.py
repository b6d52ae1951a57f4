"""The simulated company: what its services would tell a ledger over a year, and the player that tells it."""

from api.simulator.company import CONTACTS, FIRST_DAY, FIRST_POSITION, YEAR, company
from api.simulator.playing import Played, play

__all__ = ["CONTACTS", "FIRST_DAY", "FIRST_POSITION", "YEAR", "Played", "company", "play"]
