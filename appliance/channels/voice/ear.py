"""What is being heard: the stream that recognises it, what it found that nobody took yet, and the sound just before."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from appliance.channels.voice.parts import Samples
from appliance.speech.listen import Final, Partial, Utterances
from appliance.speech.resample import RATE

RECENT_S = 0.5
"""Sound kept from before somebody asked the kiosk to listen: the first syllable comes with the finger."""


class Ear:
    """Hears one sentence after the other; the thread of a conversation has it for itself."""

    def __init__(self, hear: Callable[[str], Utterances], allowed: Callable[[], object]) -> None:
        """`hear` makes what recognises a language; `allowed` raises ApplianceError while no sound is taken."""
        self._hear, self._allowed = hear, allowed
        self._utterances: Utterances | None = None
        self._recent: deque[Samples] = deque()
        self._left: list[Partial | Final] = []

    @property
    def speaking(self) -> bool:
        """Whether somebody is in the middle of a sentence."""
        return self._utterances is not None and self._utterances.speaking

    def begin(self, language: str) -> None:
        """Hear a sentence in `language` from here on; raises what `allowed` raises."""
        self.drop()
        self._allowed()
        self.open(language)

    def open(self, language: str) -> Utterances:
        """Begin to recognise `language`; nothing else may be open."""
        self._utterances = self._hear(language)
        return self._utterances

    def catch_up(self) -> None:
        """Hear what came just before `begin` as well; `taken` gives what was found in it."""
        assert self._utterances is not None  # noqa: S101 - `begin` made it
        self._left += [event for block in self._recent for event in self._utterances.feed(block)]

    def anew(self, language: str) -> None:
        """Hear in `language` from just before now: what came earlier does not count."""
        self.drop()
        self._left = [event for block in self._recent for event in self.heard(block, language)]

    def heard(self, samples: Samples, language: str) -> list[Partial | Final]:
        """What is found in new sound; raises what `allowed` raises."""
        self._allowed()
        utterances = self._utterances if self._utterances is not None else self.open(language)
        return utterances.feed(samples)

    def taken(self, samples: Samples, language: str) -> list[Partial | Final]:
        """What was found before and nobody took yet, then what is found in new sound, which may be empty."""
        left, self._left = self._left, []
        return [*left, *(self.heard(samples, language) if len(samples) else ())]

    def finish(self) -> list[Partial | Final]:
        """The sentence is over now: what was heard of it."""
        return self._utterances.finish() if self._utterances is not None else []

    def drop(self) -> None:
        """Hear no more of this sentence; the sound just before stays."""
        self._left = []
        if self._utterances is not None:
            self._utterances.close()
            self._utterances = None

    def keep(self, samples: Samples) -> None:
        """Keep sound for what may begin in the middle of it."""
        self._recent.append(samples)
        while sum(map(len, self._recent)) - len(self._recent[0]) > RECENT_S * RATE:
            self._recent.popleft()

    def forget(self) -> None:
        """Forget the sound that was kept: it has been heard, or was nobody's."""
        self._recent.clear()
