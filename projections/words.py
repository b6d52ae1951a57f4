"""Events in words, English and Chinese: what happened, and what it says."""

from __future__ import annotations

from typing import Any, Literal

from ledger.claims import Recorded, stored
from ledger.events import CATALOGUE, Field
from ledger.vocabulary import Erased, instant_text

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")

WITHHELD = {"en": "(withheld)", "zh": "（不可见）"}
ERASED = {"en": "(erased {}: {})", "zh": "（{} 已删除：{}）"}
YES_NO = {"en": ("yes", "no"), "zh": ("是", "否")}
BETWEEN = {"en": (": ", " = ", "; "), "zh": ("：", "＝", "；")}
AND = {"en": ", ", "zh": "、"}
NONE = {"en": "none", "zh": "无"}
MANY = {"en": "{} in all", "zh": "共 {} 项"}


def sentence(event: Recorded, language: Language, personal: bool) -> str:
    """One line: the event's name and its fields. Personal fields are only said to be there unless `personal`."""
    kind = CATALOGUE[event.type]
    colon, equals, semicolon = BETWEEN[language]
    told = stored(event.data)
    parts = [
        f"{_label(field.label, language)}{equals}{_value(field, told[field.name], language, personal)}"
        for field in kind.fields
        if field.name in told and _is_said(field)
    ]
    name = _label(kind.label, language)
    return name + colon + semicolon.join(parts) if parts else name


def _is_said(field: Field) -> bool:
    """Long texts, such as a rule book or a script's wording, do not fit into a line."""
    return field.personal or field.column or field.kind in ("mapping", "list")


def _value(field: Field, value: Any, language: Language, personal: bool) -> str:
    if field.personal and not (personal and isinstance(value, str | Erased)):
        return WITHHELD[language]
    if isinstance(value, Erased):
        return erased_in_words(value, language)
    if isinstance(value, bool):
        return YES_NO[language][0 if value else 1]
    if field.kind == "mapping":
        equals = BETWEEN[language][1]
        return AND[language].join(f"{name}{equals}{text}" for name, text in value.items()) or NONE[language]
    if field.kind == "list":
        return MANY[language].format(len(value))
    choice = getattr(value, "label", None)
    if choice is not None:
        return _label(choice, language)
    if hasattr(value, "isoformat"):
        return str(value.isoformat(timespec="seconds")).replace("+00:00", "Z")
    return str(value)


def erased_in_words(erased: Erased, language: Language) -> str:
    """What stands in place of a text that was erased: when, and on what basis."""
    return ERASED[language].format(instant_text(erased.at)[:10], erased.basis)


def _label(label: Any, language: Language) -> str:
    return str(getattr(label, language))
