"""Listens into the kiosk's own words: whether somebody speaks into them, for long enough and loudly enough to mean it.

Echo cancellation leaves something of the kiosk's voice, some 20 to 30 dB below a customer's, and the voice activity
detection, which does not care for levels, takes that for speech: of 48 answers on a virtual sound card 21 broke
themselves off (`python -m benchmarks.voice barge`). So what counts is speech that the detection is sure of, and that is
about as loud as the customer was whom the kiosk answers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from appliance.channels.voice.parts import Ears, Playing, Samples
from appliance.speech.listen import Final, Partial, Utterances
from appliance.speech.resample import RATE

LOOK_S = 0.025
"""Longest wait for sound while the kiosk speaks: what a customer who speaks into it waits at most for a look."""
GAP_S = 0.1
"""Pause within speech: what came before a longer one no longer counts."""


@dataclass(frozen=True, slots=True)
class Insistence:
    """What it takes to break an answer off."""

    seconds: float = 0.08
    """How long somebody has to speak; a click is shorter."""
    sure: float = 0.9
    """Least probability of speech."""
    level: float = 0.01
    """Least level, root mean square."""


class Counted:
    """Counts for how long somebody has insisted."""

    def __init__(self, asked: Insistence) -> None:
        """Nobody has yet."""
        self._asked = asked
        self._spoken = self._gap = 0.0

    def __call__(self, samples: Samples, probability: float) -> bool:
        """`samples` came, and speech in the last of them has this probability: whether that is enough now."""
        seconds = len(samples) / RATE
        level = math.sqrt(float(np.mean(np.square(samples, dtype=np.float64))))
        if probability >= self._asked.sure and level >= self._asked.level:
            self._spoken, self._gap = self._spoken + seconds, 0.0
        else:
            self._gap += seconds
            if self._gap > GAP_S:
                self._spoken = 0.0
        return self._spoken >= self._asked.seconds


def attend(
    playing: Playing,
    ears: Ears,
    utterances: Utterances | None,
    insistence: Insistence,
    *,
    asked: Callable[[], bool] = lambda: False,
    took: Callable[[Samples], None] = lambda _samples: None,
) -> tuple[bool | None, list[Partial | Final]]:
    """Wait for the end of what is said; it is broken off as soon as somebody insists.

    `utterances` hears into it; None where nothing may break it off. True with what was heard of the utterance that did,
    None where `asked` said so, which breaks it off as well, else False. `took` gets all sound that came.
    """
    counted = Counted(insistence)
    heard: list[Partial | Final] = []
    while not playing.done:
        if asked():
            playing.stop()
            return None, []
        samples = ears.read(LOOK_S)
        if not len(samples):
            continue
        took(samples)
        if utterances is None:
            continue
        heard += utterances.feed(samples)
        if counted(samples, utterances.probability):
            playing.stop()
            return True, heard
        if heard and isinstance(heard[-1], Final):  # to its end, and nobody insisted: the kiosk's own voice
            heard.clear()
    return False, []
