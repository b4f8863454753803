"""Frozen dataclasses that cross rooms. Pure data: no behaviour beyond small derived properties."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

Point = tuple[float, float]
"""A position in pixels, (x, y), origin at the top left corner of the photo as it is displayed: turned by its EXIF
orientation and by nothing else."""

Quad = tuple[Point, Point, Point, Point]
"""Four corners in reading order: top left, top right, bottom right, bottom left, as the text is read."""

Box = Quad

EMPTY: Mapping[str, str] = MappingProxyType({})
NO_TIMINGS: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Joules:
    """What work cost in energy above the idle board's, as far as that was known at its end.

    The exact figures, which the next reading of the meter tells, are in the metrics and the event log.
    """

    total: float | None
    """Joules of all stages; None when less than half of the work was measured by then: too short for the meter."""
    stages: Mapping[str, float | None]
    """Joules by stage, `other` for what lies between those that have a name; None as for `total`."""
    net: bool
    """Whether the idle board's power is taken off: not in the first seconds of a process, when it is not known yet."""
    source: str
    """What was measured, for example `VDD_IN`: the module's input, which is not what the wall gives."""


@dataclass(frozen=True, slots=True)
class Audio:
    """Sound as float32 samples in [-1, 1], mono, shape (n,)."""

    samples: npt.NDArray[np.float32]
    """Samples, shape (n,), dtype float32."""
    rate: int
    """Samples per second."""

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.rate


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech inside an Audio."""

    start: float
    """Seconds from the beginning."""
    end: float
    """Seconds from the beginning, after `start`."""


@dataclass(frozen=True, slots=True)
class Word:
    """One recognised word with its time and confidence."""

    text: str
    """The word as the recogniser wrote it."""
    start: float
    """Seconds from the beginning of the audio."""
    end: float
    """Seconds from the beginning of the audio."""
    confidence: float
    """0 to 1."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was heard."""

    text: str
    """The whole text; empty when no speech was found."""
    confidence: float
    """Mean word confidence, 0 to 1; 0 when no speech was found."""
    language: str
    """`zh` or `en`."""
    words: tuple[Word, ...] = ()
    """Words in order of time."""
    engine: str = ""
    """Which recogniser heard it, for example `vosk:vosk-model-small-cn-0.22`."""
    seconds: float = 0.0
    """Length of the audio in seconds."""
    timings_ms: Mapping[str, float] = field(default_factory=lambda: NO_TIMINGS)
    """Milliseconds by stage."""
    segments: tuple[Segment, ...] = ()
    """Where somebody spoke, in order of time; the whole recording where nothing tells speech from other sound."""
    joules: Joules | None = None
    """What hearing it cost, for a recording that was not answered; None where power is not measured."""


@dataclass(frozen=True, slots=True)
class Character:
    """One recognised character and what else it may be."""

    text: str
    """The character."""
    confidence: float
    """0 to 1."""
    alternatives: tuple[tuple[str, float], ...] = ()
    """Other readings with their confidences, best first, at most four: the five best without itself and blank."""


@dataclass(frozen=True, slots=True)
class OcrLine:
    """One line of text found in an image."""

    text: str
    """The recognised characters."""
    confidence: float
    """Mean character confidence, 0 to 1."""
    box: Quad
    """Its corners in pixels of the photo as displayed: after its EXIF orientation, not turned by the page's `angle`."""
    characters: tuple[Character, ...] = ()
    """The characters of `text` one by one; empty where the reader does not tell (tesseract)."""


@dataclass(frozen=True, slots=True)
class OcrResult:
    """Everything read in one image, lines in reading order."""

    lines: tuple[OcrLine, ...]
    """Lines in reading order."""
    width: int
    """Width in pixels of the photo as displayed, after its EXIF orientation; the boxes are in these pixels."""
    height: int
    """Height in pixels of the photo as displayed, after its EXIF orientation."""
    engine: str
    """Which reader made it, for example `pp-ocrv6-small/onnxruntime-cpu` or `tesseract`."""
    timings_ms: Mapping[str, float] = field(default_factory=lambda: NO_TIMINGS)
    """Milliseconds by stage: decode, detect, orient, recognise, layout."""
    angle: int = 0
    """Degrees clockwise by which the page stands turned in the photo: 0, 90, 180 or 270; boxes are not turned by it."""
    unread: int = 0
    """Lines that were found but not read when the deadline came or the reading was stopped."""
    reduced: bool = False
    """True when less of its detail was looked at than usual, to save power: small print may be missing."""
    joules: Joules | None = None
    """What reading it cost, for an image that was not answered; None where power is not measured."""

    @property
    def partial(self) -> bool:
        """True when the deadline came or the reading was stopped before the last line."""
        return self.unread > 0

    @property
    def text(self) -> str:
        """All lines joined by newlines."""
        return "\n".join(line.text for line in self.lines)

    @property
    def confidence(self) -> float:
        """Mean line confidence weighted by length; 0 when nothing was read."""
        characters = sum(len(line.text) for line in self.lines)
        return sum(line.confidence * len(line.text) for line in self.lines) / characters if characters else 0.0


@dataclass(frozen=True, slots=True)
class Entity:
    """A typed piece of text with its normalised value."""

    type: str
    """Entity type from the pack, for example `tracking_no`."""
    text: str
    """Exactly the characters `turn.text[start:end]`."""
    value: str
    """Normalised value, for example `2` for 两 and `SF1392847561002` for a number spoken digit by digit."""
    start: int
    """First character in the turn's text."""
    end: int
    """One past the last character."""
    confidence: float = 1.0
    """0 to 1."""
    source: str = "pattern"
    """What found it: `pattern`, `gazetteer`, `template`, `model`, `barcode`, `tap`."""
    detail: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    """Parts of the value: province, city and district of an address; carrier of a tracking number."""


@dataclass(frozen=True, slots=True)
class Intent:
    """What the customer wants."""

    name: str
    """Intent name from the pack, for example `find_product`."""
    confidence: float
    """0 to 1."""


@dataclass(frozen=True, slots=True)
class Sentiment:
    """How the customer feels."""

    name: str
    """`neg`, `neu` or `pos`."""
    confidence: float
    """0 to 1."""


@dataclass(frozen=True, slots=True)
class FaqMatch:
    """A row that may answer a sentence."""

    id: str
    """The row."""
    confidence: float
    """Probability that it is the right row, 0 to 1."""
    way: str
    """The way of asking that is likest."""
    words: float
    """Likeness of the words, 0 to 1."""
    meaning: float
    """Likeness of the vectors, -1 to 1; 0 where no network serves."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One thing a customer said, typed, tapped or showed: the one door into the process."""

    text: str
    """The words as given; never changed, so that spans can point into it."""
    source: str = "text"
    """`text`, `tap`, `image`, `audio` or `barcode`."""
    confidence: float = 1.0
    """How sure the sense was of the text, 0 to 1."""
    language: str = "zh"
    """`zh` or `en`: the language to answer in."""
    entities: tuple[Entity, ...] = ()
    """Structure that came with the turn and is not guessed again from text."""
    intent: Intent | None = None
    """An intent that came with the turn (a tapped suggestion)."""
    alternatives: tuple[str, ...] = ()
    """Other readings of the same input, best first."""
    partial: bool = False
    """True when the text is only part of what was shown: the photo was not read to its end in time."""


@dataclass(frozen=True, slots=True)
class Parse:
    """What a turn means."""

    intent: Intent
    """The best intent; `out_of_scope` with its confidence when nothing fits."""
    entities: tuple[Entity, ...] = ()
    """Entities in order of position, none overlapping."""
    alternatives: tuple[Intent, ...] = ()
    """Next best intents, best first."""
    clean: str = ""
    """The cleaned text that was matched."""
    language: str = "zh"
    """Language of the text: `zh` or `en`."""
    source: str = "template"
    """What decided the intent: `template`, `sentence`, `keyword`, `turn`, `entity`, `model` or `none`."""
    timings_ms: Mapping[str, float] = field(default_factory=lambda: NO_TIMINGS)
    """Milliseconds by stage: clean, entities, tagger, encoder, intent, faq."""
    sentiment: Sentiment | None = None
    """How the customer feels; None where no network serves."""
    faq: tuple[FaqMatch, ...] = ()
    """Frequent questions that it may be, likeliest first."""
    personal: tuple[Entity, ...] = ()
    """What tables and patterns took for personal and is no entity, or has other bounds as one: masked in the log."""
    models: tuple[str, ...] = ()
    """Networks that took part, as `name@digest`."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Something the customer may tap next; it carries its structure so that nothing is guessed again."""

    label: str
    """Words on the button."""
    text: str
    """Text of the turn that a tap sends."""
    intent: str | None = None
    """Intent that the tap carries."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the kiosk says back."""

    text: str
    """Words to show or speak, in the turn's language."""
    language: str = "zh"
    """`zh` or `en`."""
    suggestions: tuple[Suggestion, ...] = ()
    """What to tap next."""
    outcome: str = "resolved"
    """`resolved`, `handed_over`, `abandoned`, `not_understood`, or `pending` while a task waits for a slot."""
    flow: str | None = None
    """The task in progress after this answer."""
    expects: str | None = None
    """The slot that the kiosk has just asked for."""
    data: Mapping[str, object] = field(default_factory=dict)
    """Structured facts behind the words (a shelf, a price, a parcel), JSON types only."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A finished turn: everything that a channel shows or returns."""

    session: str
    """Unguessable identifier of the customer session."""
    turn: Turn
    """The turn as it entered."""
    parse: Parse
    """What it means."""
    answer: Answer
    """What the kiosk says."""
    timings_ms: Mapping[str, float] = field(default_factory=lambda: NO_TIMINGS)
    """Milliseconds by stage, `total` among them."""
    backends: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    """Which implementation served each stage used, for example ocr: pp-ocrv6-small/onnxruntime-cpu."""
    ocr: OcrResult | None = None
    """What was read, for an image turn."""
    transcript: Transcript | None = None
    """What was heard, for an audio turn."""
    joules: Joules | None = None
    """What the turn cost; None where power is not measured."""


@dataclass(frozen=True, slots=True)
class Feature:
    """State of one ability of the appliance, as /readyz and /v1/status show it."""

    name: str
    """`ocr`, `vad`, `asr`, `language`, `dialogue`, `microphone`, `speech`, `camera`; `records`, `clock` when amiss."""
    state: str
    """`ready`, `fallback` (works on a lower rung), `off` (not installed, or not now) or `failed`."""
    backend: str
    """What serves it: `onnxruntime-cpu`, `tesseract`, `templates`, `vosk`, or `none`."""
    reason: str
    """Why this backend and not the one above, or why the feature is off; what to run to change it.

    One statement a line, `subject: 中文 / English`, all of it in both languages; the subject may be missing or twofold.
    """
    required: bool = False
    """True when the appliance is not ready without it."""
    models: tuple[str, ...] = ()
    """Models behind it, as `name@digest`."""
    languages: tuple[str, ...] = ()
    """Languages that it serves, for example `zh`; empty where it serves every language or none."""

    def said(self, language: str) -> tuple[str, ...]:
        """The statements of the reason in one language."""
        return tuple(_half(line, language) for line in self.reason.splitlines())


def _half(statement: str, language: str) -> str:
    """`subject: 中文 / English` without the other language; a statement that has but one stays as it is."""
    subject = re.match(r"(?:[\w.-]+: )*", statement, re.ASCII)
    begin = subject.end() if subject else 0
    chinese, mark, english = statement[begin:].partition(" / ")
    return statement[:begin] + (english if mark and language == "en" else chinese)


def statements(said: Iterable[str]) -> str:
    """A reason of several statements, each once and on a line of its own."""
    return "\n".join(dict.fromkeys(" ".join(statement.split()) for statement in said if statement))
