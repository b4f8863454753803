"""What a conversation is put together from: ears, a mouth, and what answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from appliance.channels.voice.manners import Manners
from appliance.errors import ApplianceError
from appliance.listener import Listener
from appliance.speech.listen import Utterances
from appliance.values import Reply, Transcript

Samples = npt.NDArray[np.float32]


class Ears(Protocol):
    """What the conversation needs of a microphone."""

    def read(self, timeout_s: float) -> Samples:
        """New sound at 16 kHz, empty when none came."""


class Playing(Protocol):
    """Words on their way out of the loudspeaker."""

    @property
    def done(self) -> bool:
        """True once they are over or broken off."""

    @property
    def error(self) -> ApplianceError | None:
        """Why they were not heard to their end; None where they were, or were broken off."""

    def stop(self) -> None:
        """Break them off."""


class Mouth(Protocol):
    """What speaks."""

    def say(self, text: str, language: str) -> Playing:
        """Begin to say `text`; raises ApplianceError where nothing can."""


Answers = Callable[[Transcript, str | None, str], Reply]
"""Answers what was heard (transcript, session, language)."""
Wakes = Callable[[str], str | None]
"""The rest of a text behind the wake phrase that it begins with (perhaps empty); None without the phrase."""
Shows = Callable[[Reply], Mapping[str, Any]]
"""A reply as JSON."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything around one conversation."""

    ears: Ears
    """Where sound comes from."""
    hear: Callable[[str], Utterances]
    """Makes what recognises a language."""
    answer: Answers
    """Answers what was heard."""
    show: Shows
    """Puts a reply into JSON for who watches."""
    mouth: Mouth | None
    """Speaks; None where nothing does."""
    wakes: Wakes | None
    """Knows the wake phrase; None without one."""
    manners: Callable[[], Manners]
    """How turns are taken now: another microphone may be open by then."""
    end: Callable[[str], object]
    """Ends a session."""
    allowed: Callable[[], object]
    """Raises ApplianceError while no sound is taken."""
    listener: Listener
    """Hears what becomes of the turns."""
    clock: Callable[[], float]
    """Seconds, as time.monotonic counts them."""
