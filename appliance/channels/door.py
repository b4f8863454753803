"""The one door: what a channel may ask of the appliance. `app.Appliance` implements it; tests pass small fakes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from appliance.channels.camera.showing import Showing
from appliance.channels.voice.conversation import Conversation
from appliance.channels.voice.live import Live
from appliance.errors import Overloaded
from appliance.values import Audio, Feature, OcrResult, Reply, Suggestion, Transcript, Turn
from appliance.vision.watch import UNWATCHED, Watch

Told = Callable[[str], None]
"""Takes the text of a stretch of speech as soon as it is recognised: what to append to what was told before."""


def unheard(_text: str, /) -> None:
    """For callers who wait for the whole transcript."""


class Door(Protocol):
    """Everything that a channel needs. All methods are thread-safe and raise only ApplianceError."""

    def turn(self, turn: Turn, session: str | None = None) -> Reply:
        """Answer a text, tap or barcode turn. An unknown or forgotten session starts a new one with a new name."""

    def look(
        self,
        image: bytes,
        session: str | None = None,
        language: str = "zh",
        *,
        deadline_s: float | None = None,
        watch: Watch = UNWATCHED,
    ) -> Reply:
        """Read an encoded image and answer what it says; see `read` for `deadline_s` and `watch`."""

    def hear(self, recording: bytes, session: str | None = None, language: str = "zh") -> Reply:
        """Recognise a WAV recording and answer it."""

    def heard(self, transcript: Transcript, session: str | None = None, language: str = "zh") -> Reply:
        """Answer what was recognised already: sound that was heard while it was spoken."""

    def transcribe(self, recording: bytes, language: str = "zh", *, told: Told = unheard) -> Transcript:
        """Recognise a WAV recording; no session is opened and nothing is answered or kept.

        `told` is called in the calling thread between two stretches of speech, and never after the end; all that it
        was told, joined, is the transcript's text or, where the text is written anew at the end, its beginning in other
        words. What it raises ends the work and is raised here. Raises what `hear` does.
        """

    def speak(self, text: str, language: str = "zh", speed: float = 1.0) -> Audio:
        """`text` as sound, `speed` times as fast as usual (0.25 to 4); Unavailable where nothing speaks `language`."""

    def sound(self, which: str, language: str = "zh") -> dict[str, object]:
        """Play a test out of the kiosk's own loudspeaker and wait for its end: `left`, `right`, `both` or `voice`.

        The first three are a tone of a second, the last a sentence in `language`. Gives the loudspeaker's state and the
        seconds played, JSON types only. Raises Unavailable where the kiosk uses no loudspeaker of its own, or where it
        could not be heard to its end.
        """

    @property
    def live(self) -> Live:
        """Sound that clients send while it is spoken."""

    @property
    def conversation(self) -> Conversation | None:
        """The conversation at the kiosk's own microphone; None where the setting `voice` is off."""

    def voice_state(self) -> dict[str, object]:
        """The conversation's phase, microphone, loudspeaker and recognisers, JSON types only."""

    @property
    def showing(self) -> Showing | None:
        """What customers show to the appliance's own camera; None where the setting `camera_device` names none."""

    def camera_state(self) -> dict[str, object]:
        """The camera's state, device and rate, and what it sees, JSON types only."""

    def read(self, image: bytes, *, deadline_s: float | None = None, watch: Watch = UNWATCHED) -> OcrResult:
        """Read an encoded image and return its lines alone.

        After `deadline_s` seconds (at most the setting of that name, which is the default) what is known so far comes
        back, marked partial; DeadlineExceeded when that is nothing. `watch` hears of each line at once and may stop.
        """

    def suggest(self, text: str, language: str = "zh", limit: int = 8) -> tuple[Suggestion, ...]:
        """What a customer who has typed `text` so far may be about to ask, best first; kept and logged nowhere.

        Raises InvalidInput unless `text` has 1 to 64 characters and `limit` is 1 to 20.
        """

    def refusal(self, waiting: int = 0) -> Overloaded | None:
        """What `turn`, `look`, `hear` and `read` would raise at once because the house is full, or None.

        So many `waiting` in the channel that they alone would fill the house make it full, too.
        It counts as a refusal: ask only to send somebody away before his words or his photo are looked at.
        """

    def end(self, session: str) -> bool:
        """Forget a session and everything in it; False when there was none."""

    def features(self) -> tuple[Feature, ...]:
        """State of every ability, with backend and reason."""

    def ready(self) -> bool:
        """True when every required feature has been warmed and serves."""

    def status(self) -> dict[str, object]:
        """Version, pack, uptime, queue depths, limits and models, JSON types only."""

    def greeting(self, language: str = "zh") -> dict[str, object]:
        """What the page shows before the first turn: title, welcome words and suggestions from the pack."""

    def vocabulary(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Intents and entity types that a turn may carry with it; any other is refused."""
