"""The wake phrase: while nobody has asked for anything it alone is listened for, and nothing else is told."""

from __future__ import annotations

from appliance.channels.voice.ear import Ear
from appliance.channels.voice.parts import Parts, Samples
from appliance.errors import ApplianceError, TooHot
from appliance.speech.listen import Final

DEAF_S = 10.0
"""Seconds without listening for the wake phrase after what recognises has failed: nobody asked, so nobody is told."""


class Waking:
    """Listens for the wake phrase; the thread of a conversation has it for itself."""

    def __init__(self, parts: Parts, ear: Ear) -> None:
        """Hears by `ear`; it never wakes where `parts` know no phrase."""
        self._parts, self._ear = parts, ear
        self._deaf = 0.0

    def deafen(self) -> None:
        """Do not listen for the wake phrase for a while: what has failed would fail again with the next block."""
        self._deaf = self._parts.clock() + DEAF_S

    def called(self, samples: Samples, language: str) -> tuple[Final, str] | None:
        """The sentence that begins with the phrase, once it is over, and what came behind it; None without one."""
        wakes = self._parts.wakes
        if wakes is None or self._parts.clock() < self._deaf:
            return None
        try:
            events = self._ear.heard(samples, language)
        except TooHot:  # nobody has asked for anything, so nobody is told, and nothing has failed
            self._ear.drop()
            self.deafen()
            return None
        except ApplianceError as error:
            self._ear.drop()
            self.deafen()
            self._parts.listener("voice_failed", code=error.code)
            return None
        for event in events:
            rest = wakes(event.transcript.text) if isinstance(event, Final) else None
            if isinstance(event, Final) and rest is not None:
                return event, rest
        return None
