"""A stage for conversations: the shipped pack, a clock that stands still, parses by hand or by the parser."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from appliance.dialogue.policy import Dialogue
from appliance.language.lexicon import IntentRule, Lexicon
from appliance.packs.flows import load_flows
from appliance.packs.reader import read_csv, read_yaml
from appliance.packs.responses import load_responses
from appliance.packs.schema import Localised, Pack, PackSuggestion
from appliance.records.events import EventLog
from appliance.values import Answer, Entity, Intent, Parse, Turn

sys.path.insert(0, str(Path(__file__).parent))  # tests are no packages: this is how they share dialogue_steps

STORE = Path(__file__).parents[2] / "appliance/packs/store"
NOW = datetime.datetime(2026, 11, 22, 10, 30)
ALONE = {
    "tracking_no": "track_parcel",
    "product": "find_product",
    "place": "facility_location",
    "pickup_code": "pick_up_parcel",
}


def pack_of(folder: Path = STORE) -> Pack:
    """The pack without its language side: the dialogue reads only which entity alone means which intent."""
    rules = tuple(IntentRule(intent, alone=(kind,)) for kind, intent in ALONE.items())
    keys = read_yaml(folder / "pack.yaml").mapping()
    suggestion = PackSuggestion(Localised("转人工", "Call staff"), Localised("转人工", "Call staff"), "human_agent")
    return Pack(
        name=folder.name,
        title=keys["title"].localised(),
        welcome=keys["welcome"].localised(),
        suggestions=(suggestion,),
        lexicon=Lexicon((*rules, IntentRule("out_of_scope"))),
        flows=load_flows(folder),
        responses=load_responses(folder),
        tables={path.stem: read_csv(path) for path in folder.glob("*.csv")},
        facts=yaml.safe_load((folder / "facts.yaml").read_text("utf-8")),
    )


class ScriptedParser:
    """Parses other readings of a turn as it is told."""

    def __init__(self) -> None:
        self.readings: dict[str, Parse] = {}

    def parse(self, turn: Turn) -> Parse:
        return self.readings.get(turn.text, Parse(Intent("out_of_scope", 1.0), source="none", clean=turn.text))


def entity(text: str, said: Mapping[str, Any]) -> Entity:
    """An entity from its YAML, with its span found in the text."""
    words = str(said.get("text", said.get("value")))
    start = max(text.find(words), 0)
    detail = {name: str(value) for name, value in said.get("detail", {}).items()}
    confidence = float(said.get("confidence", 0.95))
    source = said.get("source", "pattern")
    return Entity(
        said["type"], words, str(said.get("value", words)), start, start + len(words), confidence, source, detail
    )


def parse_of(text: str, said: Mapping[str, Any]) -> Parse:
    """A parse from its YAML: intent, sure (confidence), entities, alternatives, source, personal."""
    others = tuple(Intent(name, sure) for name, sure in said.get("alternatives", {}).items())
    entities = tuple(entity(text, item) for item in said.get("entities", ()))
    name = said.get("intent", "out_of_scope")
    source = said.get("source", "none" if name == "out_of_scope" else "template")
    personal = tuple(entity(text, item) for item in said.get("personal", ()))
    return Parse(Intent(name, float(said.get("sure", 0.97))), entities, others, text, "zh", source, personal=personal)


@dataclass
class Heard:
    """Listener that remembers."""

    events: list[tuple[str, dict[str, object]]] = field(default_factory=list)

    def __call__(self, event: str, /, **fields: object) -> None:
        self.events.append((event, fields))

    def outcomes(self) -> list[tuple[object, object]]:
        return [(fields["outcome"], fields["intent"]) for event, fields in self.events if event == "outcome"]


class Stage:
    """A dialogue with everything around it, and one customer."""

    def __init__(self, pack: Pack, parser: Any = None, **options: Any) -> None:
        self.time, self.idle = NOW.timestamp(), 0.0
        self.heard = Heard()
        self.scripted = ScriptedParser()
        self.parser = parser
        events = options.pop("events", None)
        self.events = events or EventLog(None, redact=lambda text: text, clock=lambda: self.time)
        self.dialogue = Dialogue(
            pack,
            parser or self.scripted,
            self.events,
            idle_s=options.pop("idle_s", 300),
            sessions=options.pop("sessions", 100),
            clock=lambda: self.time,
            monotonic=lambda: self.idle,
            listener=self.heard,
            **options,
        )
        self.session = self.dialogue.open(None)

    def say(self, text: str, said: Mapping[str, Any] | None = None, **turn: Any) -> Answer:
        spoken = Turn(text, **turn)
        parse = self.parser.parse(spoken) if self.parser else parse_of(text, said or {})
        return self.dialogue.respond(self.session, spoken, parse)

    def play(self, script: str) -> list[Answer]:
        """Play a conversation: a YAML list of user, optional parse and turn, and what is expected of the answer."""
        answers = []
        for number, line in enumerate(yaml.safe_load(script), 1):
            answer = self.say(str(line["user"]), line.get("parse"), **line.get("turn", {}))
            check(f"turn {number} {line['user']!r}", answer, line.get("expect", {}))
            answers.append(answer)
        return answers


def check(where: str, answer: Answer, expected: Mapping[str, Any]) -> None:
    """Compare an answer with says, lacks, outcome, flow, expects, suggests and data."""
    seen = f"{where}: {answer}"
    for words in _list(expected.get("says", [])):
        assert str(words) in answer.text, seen
    for words in _list(expected.get("lacks", [])):
        assert str(words) not in answer.text, seen
    for key in ("outcome", "flow", "expects"):
        if key in expected:
            assert getattr(answer, key) == expected[key], seen
    labels = [suggestion.label for suggestion in answer.suggestions]
    for label in _list(expected.get("suggests", [])):
        assert label in labels, seen
    for key, value in expected.get("data", {}).items():
        assert answer.data.get(key) == value, seen
    assert answer.text.strip(), seen
    assert answer.suggestions, seen
    assert "{" not in answer.text, seen


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@pytest.fixture(scope="session")
def store() -> Pack:
    return pack_of()


@pytest.fixture
def stage(store: Pack) -> Iterator[Stage]:
    made = Stage(store)
    yield made
    made.dialogue.close()
    made.events.close()


@pytest.fixture
def staged(store: Pack) -> Callable[..., Stage]:
    return lambda **options: Stage(options.pop("pack", store), **options)
