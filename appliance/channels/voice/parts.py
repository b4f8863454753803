"""What a conversation is put together from: ears, a mouth, and what answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from appliance.errors import ApplianceError
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
