"""Networks that believe what they are told, for the store's parser."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from appliance.errors import ApplianceError
from appliance.language.classify import Classifier
from appliance.language.clean import Cleaner
from appliance.language.faq import WORDS_ALONE, Faq, Weighing
from appliance.language.flatten import flatten
from appliance.language.parse import Parser
from appliance.language.pinyin import Syllables
from appliance.packs.schema import Pack
from appliance.values import Parse, Turn

TODAY = date(2026, 11, 22)
CLASSIFIER, TAGGER = "understand-zh@0123456789ab", "entities-zh@ba9876543210"
TAGGED = ("product", "person", "brand", "place", "date", "phone", "tax_no", "tracking_no", "weight", "address")
TAGS = ("O", *(f"{edge}-{kind}" for kind in TAGGED for edge in "BI"))
Inputs = Mapping[str, npt.NDArray[Any]]


@dataclass
class FakeUnderstanding:
    """An encoder that believes what it is told, with the mean of the pieces' fixed vectors as that of a sentence."""

    intents: tuple[str, ...]
    chances: dict[str, float] = field(default_factory=dict)
    moods: tuple[float, float, float] = (0.0, 1.0, 0.0)
    error: ApplianceError | None = None
    runs: int = 0

    def __post_init__(self) -> None:
        self._table = np.random.default_rng(1).normal(0, 1, (8000, 24)).astype(np.float32)

    def __call__(self, inputs: Inputs, /, *, deadline: float | None = None) -> dict[str, npt.NDArray[Any]]:
        self.runs += 1
        if self.error is not None:
            raise self.error
        ids, mask = inputs["input_ids"], inputs["attention_mask"][..., None]
        means = (self._table[ids] * mask).sum(1) / mask.sum(1)
        rest = (1 - sum(self.chances.values())) / (len(self.intents) - len(self.chances))
        chances = [self.chances.get(name, rest) for name in self.intents]
        return {
            "intent": np.log(np.maximum(np.array([chances] * len(ids), np.float32), 1e-9)),
            "sentiment": np.log(np.maximum(np.array([self.moods] * len(ids), np.float32), 1e-9)),
            "vector": (means / np.linalg.norm(means, axis=1, keepdims=True)).astype(np.float32),
        }


@dataclass
class FakeTagging:
    """A tagger that finds the spans it is told to, and remembers what it was shown."""

    spans: tuple[tuple[int, int, str], ...] = ()
    strength: float = 16.0
    error: ApplianceError | None = None
    shown: list[Inputs] = field(default_factory=list)

    def __call__(self, inputs: Inputs, /, *, deadline: float | None = None) -> dict[str, npt.NDArray[Any]]:
        self.shown.append(inputs)
        if self.error is not None:
            raise self.error
        tags = np.zeros(inputs["characters"].shape[1], np.int64)
        for start, end, kind in self.spans:
            tags[start:end] = TAGS.index(f"I-{kind}")
            tags[start : start + 1] = TAGS.index(f"B-{kind}")
        return {"emissions": np.eye(len(TAGS), dtype=np.float32)[tags][None] * np.float32(self.strength)}


@dataclass
class Thinking:
    """A parser with both networks, and the fakes behind it."""

    parser: Parser
    understanding: FakeUnderstanding
    tagging: FakeTagging

    def parse(self, text: str, **chances: float) -> Parse:
        self.understanding.chances = chances
        return self.parser.parse(Turn(text))


def frequent(pack: Pack, classifier: Classifier | None, weighing: Weighing = WORDS_ALONE) -> Faq:
    cleaner = Cleaner()
    cleaned = [[cleaner.clean(way).text for way in row.ways] for row in pack.faq]
    vectors = classifier.vectors([way for ways in cleaned for way in ways]) if classifier else None
    return Faq(pack.faq, [[flatten(way).text for way in ways] for ways in cleaned], Syllables(), vectors, weighing)


def found(parse: Parse) -> list[tuple[str, str, str, str]]:
    return [(entity.type, entity.text, entity.value, entity.source) for entity in parse.entities]


def decided(parse: Parse) -> tuple[object, ...]:
    return parse.intent, parse.alternatives, parse.source, parse.entities, parse.clean, parse.language
