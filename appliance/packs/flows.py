"""Tasks as data: flows.yaml. What starts a flow, what it must know, and what it then does and says.

    flows:
      track_parcel:
        title: {zh: 查快递, en: Track a parcel}
        intents: [track_parcel]
        slots:
          tracking_no: {types: [tracking_no], ask: ask_tracking_no, confirm: unsure}
        steps:
          - {do: lookup, with: {table: parcels, column: tracking_no, value: $tracking_no}, as: parcel}
          - {say: parcel_found, when: {parcel.count: 1}, end: resolved}
          - {say: parcel_unknown, end: handed_over}

Slots are asked in order, then the steps run from the first to the last. docs/flows.md explains every key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from appliance.packs.conditions import Test, read_tests
from appliance.packs.reader import Section, read_csv, read_yaml
from appliance.packs.responses import load_responses
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
    """`never`, `unsure` (heard, read in a photo, or found with little confidence) or `always`."""
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


_SLOT_KEYS = (
    "types",
    "options",
    "ask",
    "again",
    "when",
    "confirm",
    "retries",
    "unknown",
    "check",
    "recall",
    "recall_tapped",
    "remember",
)
_STEP_KEYS = ("when", "do", "with", "as", "say", "each", "limit", "choose", "data", "end")
_FLOW_KEYS = ("title", "tap", "intents", "slots", "steps", "ends_task", "help")


def _one_of(section: Section, allowed: tuple[str, ...]) -> str:
    text = section.text()
    if text not in allowed:
        raise section.fail(f"one of {', '.join(allowed)}", repr(text))
    return text


def _text(keys: Mapping[str, Section], key: str, default: str = "") -> str:
    return keys[key].text() if key in keys else default


def _option(value: str, section: Section) -> Option:
    keys = section.mapping(("zh", "en", "words"), required=("zh", "en"))
    label = Localised(keys["zh"].text(), keys["en"].text())
    said = keys["words"].texts() if "words" in keys else ()
    return Option(value, label, tuple(dict.fromkeys((label.zh, label.en.lower(), *(word.lower() for word in said)))))


def _slot(name: str, section: Section) -> Slot:
    keys = section.mapping(_SLOT_KEYS)
    options = (
        tuple(_option(value, item) for value, item in keys["options"].mapping().items()) if "options" in keys else ()
    )
    types = keys["types"].texts() if "types" in keys else ()
    if not types and not options:
        raise section.fail("types or options", "neither")
    return Slot(
        name,
        types,
        options,
        _text(keys, "ask"),
        _text(keys, "again"),
        read_tests(keys["when"]) if "when" in keys else (),
        _one_of(keys["confirm"], ("never", "unsure", "always")) if "confirm" in keys else "never",
        int(keys["retries"].number(0, 9)) if "retries" in keys else 2,
        _one_of(keys["unknown"], ("ask", "skip", "hand_over")) if "unknown" in keys else "ask",
        _one_of(keys["check"], ("past",)) if "check" in keys else "",
        _text(keys, "recall"),
        keys["recall_tapped"].flag() if "recall_tapped" in keys else True,
        _text(keys, "remember"),
    )


def _texts(section: Section) -> dict[str, str]:
    return {name: item.text() for name, item in section.mapping().items()}


def _choice(section: Section) -> Choice:
    keys = section.mapping(("slot", "rows", "ask"), required=("slot", "rows", "ask"))
    return Choice(keys["slot"].text(), keys["rows"].text(), keys["ask"].text())


def _step(section: Section) -> Step:
    keys = section.mapping(_STEP_KEYS)
    verbs = [verb for verb in ("do", "say", "choose") if verb in keys]
    if len(verbs) > 1 or not (verbs or "end" in keys):
        raise section.fail("one of do, say, choose (or end alone)", " and ".join(verbs) or "none")
    return Step(
        read_tests(keys["when"]) if "when" in keys else (),
        _text(keys, "do"),
        _texts(keys["with"]) if "with" in keys else {},
        _text(keys, "as", _text(keys, "do")),
        _text(keys, "say"),
        _text(keys, "each"),
        int(keys["limit"].number(1, 20)) if "limit" in keys else 6,
        _choice(keys["choose"]) if "choose" in keys else None,
        _texts(keys["data"]) if "data" in keys else {},
        _one_of(keys["end"], OUTCOMES) if "end" in keys else "",
        section.line,
    )


def _flow(name: str, section: Section, unknown_words: tuple[str, ...]) -> Flow:
    keys = section.mapping(_FLOW_KEYS, required=("title", "intents", "steps"))
    title = keys["title"].localised()
    return Flow(
        name,
        title,
        keys["tap"].localised() if "tap" in keys else title,
        keys["intents"].texts(),
        tuple(_slot(slot, item) for slot, item in keys["slots"].mapping().items()) if "slots" in keys else (),
        tuple(_step(item) for item in keys["steps"].items()),
        keys["ends_task"].flag() if "ends_task" in keys else False,
        _text(keys, "help"),
        unknown_words,
        section.line,
    )


def load_flows(folder: Path) -> Mapping[str, Flow]:
    """Read flows.yaml of the pack in `folder` and check it against its responses, tables and facts.

    Raises PackInvalid naming file and line, what was expected and what was found.
    """
    from appliance.packs.checks import check  # checks reads the dataclasses above

    keys = read_yaml(folder / "flows.yaml").mapping(("unknown_words", "flows"), required=("flows",))
    unknown_words = tuple(word.lower() for word in keys["unknown_words"].texts()) if "unknown_words" in keys else ()
    flows: dict[str, Flow] = {}
    started: dict[str, str] = {}
    for name, section in keys["flows"].mapping().items():
        flows[name] = _flow(name, section, unknown_words)
        if not flows[name].intents:
            raise section.fail("at least one intent that starts the flow", "none")
        for intent in flows[name].intents:
            if started.setdefault(intent, name) != name:
                raise section.fail(f"intent {intent} in one flow only", f"it also starts {started[intent]}")
    facts = read_yaml(folder / "facts.yaml") if (folder / "facts.yaml").is_file() else None
    tables = {path.stem: read_csv(path) for path in sorted(folder.glob("*.csv"))}
    columns = {name: tuple(rows[0]) if rows else () for name, rows in tables.items()}
    check(folder.name, flows, load_responses(folder), columns, facts)
    return flows
