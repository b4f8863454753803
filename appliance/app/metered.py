"""What listens and speaks beside the requests, with its energy: the doors `listen` and `say` of the bills."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from appliance.device.bill import Bills, stage
from appliance.speech.asr import Streaming
from appliance.speech.listen import Final, Partial, Utterances
from appliance.speech.segment import Endpointer
from appliance.speech.tts.voice import Voice
from appliance.values import Audio

LISTEN, SAY = "listen", "say"


class MeteredUtterances(Utterances):
    """Utterances that pay for hearing, piece by piece: who speaks has no request yet whose it would be.

    Listening while nobody speaks is how a kiosk waits: were it work like any other, it would never be at rest.
    """

    def __init__(
        self, endpointer: Endpointer, recogniser: Streaming, *, phrases: Sequence[str] = (), bills: Bills
    ) -> None:
        """The same, with bills."""
        super().__init__(endpointer, recogniser, phrases=phrases)
        self._bills = bills

    def feed(self, samples: npt.NDArray[np.float32]) -> list[Partial | Final]:
        """See Utterances."""
        with self._bills.billed(LISTEN, standing=not self.speaking):
            return super().feed(samples)

    def finish(self) -> list[Partial | Final]:
        """See Utterances."""
        with self._bills.billed(LISTEN):
            return super().finish()


class MeteredVoice:
    """A voice that pays for what it says; itself a voice."""

    def __init__(self, voice: Voice, bills: Bills) -> None:
        """Speak by `voice`."""
        self._voice, self._bills = voice, bills
        self.probe: Callable[[], None] = voice.probe
        self.stop: Callable[[], None] = voice.stop
        self.close: Callable[[], None] = voice.close

    @property
    def name(self) -> str:
        """The voice's."""
        return self._voice.name

    @property
    def languages(self) -> tuple[str, ...]:
        """The voice's."""
        return self._voice.languages

    def say(self, text: str, language: str) -> Audio:
        """See Voice; within a request that asked for it, the request pays."""
        with self._bills.billed(SAY), stage("speech"):
            return self._voice.say(text, language)
