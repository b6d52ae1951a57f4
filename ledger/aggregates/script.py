"""Scripts: templates for answering customers, revised and retired."""

from dataclasses import dataclass

from ledger.aggregates.opening import refuse_first, refuse_later
from ledger.errors import Refused
from ledger.occurrence import Occurrence, Reading
from ledger.vocabulary import Event, Text, Wording


class ScriptPublished(
    Event,
    type="script.published",
    en="Script published",
    zh="话术发布",
    opens=True,
    example={"title": "Late parcel", "wording": "I am sorry that your parcel is late. May I have its number?"},
):
    title: Text
    wording: Wording


class ScriptRevised(
    Event,
    type="script.revised",
    en="Script revised",
    zh="话术修订",
    example={"wording": "I am sorry that your parcel is late. I am looking where it is."},
):
    wording: Wording


class ScriptRetired(Event, type="script.retired", en="Script retired", zh="话术停用", example={}):
    pass


@dataclass(frozen=True, slots=True)
class Script:
    """A script, as far as decisions need it."""

    retired: bool = False


def evolve(state: Script | None, told: Occurrence) -> Script | None:
    """The script after one more event."""
    match told.data:
        case ScriptPublished():
            return Script()
        case ScriptRetired() if state is not None:
            return Script(retired=True)
    return state


def decide(state: Script | None, told: Occurrence, world: Reading) -> None:
    """Refuse what cannot be said of this script."""
    if state is None:
        return refuse_first(told)
    refuse_later(told)
    if state.retired:
        raise Refused("script.retired", f"script {told.subject} is retired: publish another one")
    return None
