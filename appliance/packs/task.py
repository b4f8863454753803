"""What a flow is: frozen data that packs.flows reads from flows.yaml and the dialogue runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from appliance.packs.conditions import Test
from appliance.packs.schema import Localised

OUTCOMES = ("resolved", "handed_over", "abandoned", "not_understood")
"""How a flow may end."""


@dataclass(frozen=True, slots=True)
class Option:
    """One of the answers that a slot offers."""

    value: str
    """Value of the slot when it is chosen."""
    label: Localised
    """Words on its button."""
    words: tuple[str, ...]
    """Words that mean it; the labels always do."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Something that a flow needs to know."""

    name: str
    """Its name in steps and answers."""
    types: tuple[str, ...] = ()
    """Entity types that fill it; `text` takes the whole answer, `yes_no` takes yes or no as `yes` and `no`."""
    options: tuple[Option, ...] = ()
    """Answers to offer."""
    ask: str = ""
    """Response that asks for it; a slot without one is taken when it is said and never asked."""
    again: str = ""
    """Response after an answer that does not fit; `ask` when empty."""
    when: tuple[Test, ...] = ()
    """It is asked only where these hold."""
    confirm: str = "never"
    """`never`, `unsure` (heard, read in a photo, or found with little confidence) or `always`.

    What was found in a photo that was not read to its end is confirmed whatever this says.
    """
    retries: int = 2
    """Answers that may fail before the customer is handed over."""
    unknown: str = "ask"
    """What 'I don't know' does: `ask` again, `skip` the slot, or `hand_over`."""
    check: str = ""
    """`past`: a date that has not come yet does not fit; empty means nothing is checked beyond the type."""
    recall: str = ""
    """Name under which an earlier task of this session may have remembered the value."""
    recall_tapped: bool = True
    """False where a tap on the flow's button asks afresh, and only spoken words (多少钱) mean what was remembered."""
    remember: str = ""
    """Name under which later tasks of this session may recall the value."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A question which of several rows is meant."""

    slot: str
    """Slot that the chosen row fills; its `keys` become the row's key."""
    rows: str
    """Name of the lookup whose rows are offered."""
    ask: str
    """Response that asks."""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a flow."""

    when: tuple[Test, ...] = ()
    """It runs only where these hold."""
    do: str = ""
    """Action to run."""
    arguments: Mapping[str, str] = field(default_factory=dict)
    """Its arguments; `$name` stands for a value."""
    name: str = ""
    """Name of its result."""
    say: str = ""
    """Response to add to the answer."""
    each: str = ""
    """Name of a lookup: the response is said for each of its rows, as `row`."""
    limit: int = 6
    """At most so many rows are said or offered."""
    choose: Choice | None = None
    """Question which row is meant."""
    data: Mapping[str, str] = field(default_factory=dict)
    """Structured facts to put beside the words."""
    end: str = ""
    """Outcome with which the flow ends here."""
    line: int = 0
    """Line in flows.yaml."""


@dataclass(frozen=True, slots=True)
class Flow:
    """A task, from what starts it to how it ends."""

    name: str
    """Its name."""
    title: Localised
    """Words on the button that offers it."""
    tap: Localised
    """Text of the turn that a tap on that button sends."""
    intents: tuple[str, ...]
    """Intents that start it."""
    slots: tuple[Slot, ...] = ()
    """What it needs, in the order of asking."""
    steps: tuple[Step, ...] = ()
    """What it does."""
    ends_task: bool = False
    """True when it ends a task in whose middle it is asked for."""
    help: str = ""
    """Response to 'help' in its middle."""
    unknown_words: tuple[str, ...] = field(default=())
    """What means 'I don't know' in an answer."""
    line: int = 0
    """Line in flows.yaml."""

    def slot(self, name: str) -> Slot:
        """The slot of that name; raises KeyError."""
        for slot in self.slots:
            if slot.name == name:
                return slot
        raise KeyError(name)
