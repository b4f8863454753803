"""What the kiosk says back, and everything that a channel shows or returns with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from appliance.values.cost import Joules
from appliance.values.empty import EMPTY, NO_TIMINGS
from appliance.values.page import OcrResult
from appliance.values.sound import Transcript
from appliance.values.turn import Parse, Turn


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
