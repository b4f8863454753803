"""Sound, and what was heard in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from appliance.values.cost import Joules
from appliance.values.empty import NO_TIMINGS


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
