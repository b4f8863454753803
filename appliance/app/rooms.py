"""The rooms of one appliance: everything that build() made, ready to work behind the door."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from appliance.app.board import Instruments
from appliance.app.govern import Governing
from appliance.app.history import History
from appliance.app.wording import Wording
from appliance.dialogue.policy import Dialogue
from appliance.language.parse import Parser
from appliance.language.suggest import Suggester
from appliance.listener import Listener
from appliance.packs.schema import Pack
from appliance.settings import Settings
from appliance.speech.hear import Hearing
from appliance.values import Feature, OcrResult
from appliance.vision.image import Pixels
from appliance.vision.watch import UNWATCHED, Watch


class Reads(Protocol):
    """A reader of upright images: the networks, or tesseract."""

    def read(
        self,
        image: Pixels,
        *,
        size: tuple[int, int] | None = None,
        deadline: float | None = None,
        watch: Watch = UNWATCHED,
    ) -> OcrResult:
        """Read all lines; `size` is that of the photo that `image` is a smaller version of.

        After `deadline` what is known so far comes back, marked partial; DeadlineExceeded when that is nothing.
        """


@dataclass(frozen=True, slots=True)
class Rooms:
    """Everything that build() made, ready to work."""

    settings: Settings
    """The settings it was made from."""
    pack: Pack
    """The compiled pack."""
    parser: Parser
    """Understands."""
    suggester: Suggester
    """Completes what is being typed."""
    dialogue: Dialogue
    """Keeps the conversation."""
    reader: Reads | None
    """Reads; None when no reader serves."""
    decode: Callable[[bytes], tuple[Pixels, tuple[int, int]]]
    """Decodes an image within its limits; gives the pixels and the full upright (width, height)."""
    hearing: Hearing
    """Hears, or says why not."""
    wording: Wording
    """Writes what was heard as people write it."""
    features: Callable[[], tuple[Feature, ...]]
    """State of every ability now."""
    details: Callable[[], dict[str, object]]
    """Queue depth, backends and event log for the status."""
    tidy: Callable[[], None]
    """Removes records older than the settings keep; called every hour."""
    silent_s: Callable[[], float]
    """Seconds since what runs the networks has last shown life."""
    board: Instruments
    """Power, heat and clocks of the machine."""
    governing: Governing
    """Keeps power and heat: refuses what heats a chip that is too hot, and lets heavy work in by the budget."""
    history: History
    """Keeps what requests cost, and power over time."""
    listener: Listener
    """Takes timings and events."""
