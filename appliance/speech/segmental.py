"""A stream of a recogniser that hears whole segments alone: everything at the end."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from appliance.errors import TooLarge
from appliance.inference.backend import WrongState
from appliance.speech.asr import Recogniser, transcript
from appliance.speech.resample import RATE
from appliance.values import Audio, Segment, Transcript

LONGEST_S = 64.0
"""Seconds that an utterance may have, 60 and what is kept around them: no recogniser is asked for more at once, and
memory stays bounded."""


class SegmentalStream:
    """Gathers one utterance and has it recognised at its end."""

    def __init__(self, recogniser: Recogniser) -> None:
        """Have the utterance recognised by `recogniser`."""
        self._recogniser = recogniser
        self._sound: list[npt.NDArray[np.float32]] = []
        self._fed = 0
        self._over = False

    def feed(self, samples: npt.NDArray[np.float32], /) -> str:
        """Keep `samples`; there is no text before the end. Raises TooLarge beyond `LONGEST_S`, WrongState after it."""
        self._check()
        if self._fed + len(samples) > LONGEST_S * RATE:
            name, got = self._recogniser.name, (self._fed + len(samples)) / RATE
            raise TooLarge(f"{name}: expected an utterance of at most {LONGEST_S:g} s, got {got:.1f} s")
        self._sound.append(np.array(samples, np.float32))
        self._fed += len(samples)
        return ""

    def finish(self) -> Transcript:
        """Recognise everything at once. Raises what the recogniser does, and WrongState when called again."""
        self._check()
        self._over = True
        if not self._fed:
            return transcript((), language=self._recogniser.language, engine=self._recogniser.name, seconds=0.0)
        audio = Audio(np.concatenate(self._sound), RATE)
        self._sound.clear()
        return self._recogniser.transcribe(audio, (Segment(0.0, audio.seconds),))

    def close(self) -> None:
        """Forget the sound."""
        self._over = True
        self._sound.clear()

    def _check(self) -> None:
        if self._over:
            raise WrongState(f"{self._recogniser.name}: expected an open stream, got one that is over")
