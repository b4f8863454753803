"""Listens into the kiosk's own words: whether somebody speaks into them, for long enough and loudly enough to mean it.

Echo cancellation leaves something of the kiosk's voice, some 20 to 30 dB below a customer's, and the voice activity
detection, which does not care for levels, takes that for speech: of 48 answers on a virtual sound card 22 broke
themselves off (`python -m benchmarks.voice barge`). So what counts is speech that the detection is sure of, and that is
about as loud as the customer was whom the kiosk answers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from appliance.channels.voice.manners import Manners
from appliance.channels.voice.parts import Ears, Playing, Samples
from appliance.speech.listen import Utterances
from appliance.speech.resample import RATE

LOOK_S = 0.025
"""Longest wait for sound while the kiosk speaks: what a customer who speaks into it waits at most for a look."""
BACKLOG_S = 0.2
"""Sound read at once beyond this is not new; it is heard and does not count."""
PIECE = 512
"""Samples that are looked at together: a frame of the voice activity detection."""
GAP_S = 0.1
"""Pause within speech: what came before a longer one no longer counts."""
USUAL_LEVEL = 0.05
"""How loud somebody is taken to be who has not been heard yet, root mean square: -26 dB of full scale."""
SOFTEST = 0.005
"""Least level of speech that breaks an answer off, -46 dB: what echo cancellation leaves is softer, mostly."""


@dataclass(frozen=True, slots=True)
class Insistence:
    """What it takes to break an answer off."""

    seconds: float
    """How long somebody has to speak."""
    level: float
    """Least level, root mean square."""
    sure: float = 0.9
    """Least probability of speech."""


def needed(loud: float, manners: Manners) -> Insistence:
    """What it takes of a customer who was `loud`, root mean square, before."""
    softer = 10 ** (-manners.softer_db / 20)
    level = min(max(loud * softer, SOFTEST), USUAL_LEVEL * softer)
    return Insistence(manners.insisting, level=level)


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
) -> bool | None:
    """Wait for the end of what is said; it is broken off as soon as somebody insists.

    `utterances` finds speech in what comes; None where nothing may break it off. What words it finds are no matter: the
    kiosk's own are among them. True where somebody insisted, None where `asked` said so, which breaks it off as well,
    else False. `took` gets all sound that came.
    """
    counted = Counted(insistence)
    while not playing.done:
        if asked():
            playing.stop()
            return None
        samples = ears.read(LOOK_S)
        late = len(samples) > BACKLOG_S * RATE  # from before these words, or while this thread had no time
        for first in range(0, len(samples), PIECE):
            piece = samples[first : first + PIECE]
            took(piece)
            if utterances is None:
                continue
            utterances.feed(piece)
            if not late and counted(piece, utterances.probability):
                if first + PIECE < len(samples):
                    took(samples[first + PIECE :])
                playing.stop()
                return True
    return False
