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
from pathlib import Path

from appliance.packs.checks import check
from appliance.packs.conditions import read_tests
from appliance.packs.reader import Section, read_csv, read_yaml
from appliance.packs.responses import load_responses
from appliance.packs.schema import Localised
from appliance.packs.task import OUTCOMES, Choice, Flow, Option, Slot, Step

__all__ = ["Flow", "load_flows"]

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
