"""What columns, dimensions and their values are called, in English and Chinese."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ledger.choices import Choice, Label
from ledger.events import CATALOGUE
from ledger.labels import FIELD_LABELS
from ledger.rulebook.model import RuleBook

CHOICES: Final[Mapping[str, Mapping[str, Choice]]] = {
    field.name: {choice.value: choice for choice in field.choices}
    for kind in CATALOGUE.values()
    for field in kind.fields
    if field.choices is not None
}
"""Columns whose values come from a closed list: value → member, with its labels."""
AT_START: Final = "tier_at_start"
"""A dimension of customers over a period: the tier they had when it began."""
NOT_TOLD: Final = Label("not told", "未注明")


def dimension_label(name: str, book: RuleBook) -> Label:
    """A dimension's name: the rule book's, where it defines it, or that of the field it comes from."""
    defined = next((each.label for each in book.dimensions if each.name == name), None)
    if defined is not None:
        return Label(defined.en, defined.zh)
    if name == AT_START:
        return Label("Tier at the start", "期初层级")
    return FIELD_LABELS.get(name) or Label(name, name)


def value_label(dimension: str, value: str) -> Label:
    """A dimension's value: by its label where it comes from a closed list, as it was told otherwise."""
    choice = CHOICES.get("tier" if dimension == AT_START else dimension, {}).get(value)
    if choice is not None:
        return choice.label
    return Label(value, value) if value else NOT_TOLD
