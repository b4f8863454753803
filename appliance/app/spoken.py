"""The spoken side of an appliance, as the door hands it out; `app.voice` builds it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from appliance.app.mouth import SpokenWords
from appliance.channels.voice.conversation import Conversation
from appliance.channels.voice.live import Live
from appliance.speech.microphone import Microphone
from appliance.values import Feature


@dataclass(frozen=True, slots=True)
class Voice:
    """Everything spoken, with the features that describe it."""

    live: Live
    """Sound that clients send while it is spoken."""
    words: SpokenWords
    """What is said aloud."""
    conversation: Conversation | None
    """The conversation at the kiosk's microphone; None where that is off."""
    microphone: Microphone | None
    """The kiosk's microphone; None where it is off."""
    features: Callable[[], tuple[Feature, ...]]
    """States of `microphone` and `speech` now."""
    state: Callable[[], dict[str, object]]
    """What GET /v1/voice shows, JSON types only."""
    close: Callable[[], None]
    """Releases all of it."""
