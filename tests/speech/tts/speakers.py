"""A voice that says nothing but how long: one tenth of a second of a tone for each character."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from appliance.errors import Unavailable
from appliance.values import Audio

RATE = 16_000


class FakeVoice:
    name = "fake"

    def __init__(
        self,
        *,
        languages: tuple[str, ...] = ("zh", "en"),
        missing: str = "",
        fails: Callable[[str], bool] = lambda text: False,
    ) -> None:
        self.languages = languages
        self._missing, self._fails = missing, fails
        self.said: list[str] = []
        self.stops = 0
        self.closed = False

    def probe(self) -> None:
        if self._missing:
            raise Unavailable(self._missing, remedy=("请安装", "Install it"))

    def say(self, text: str, language: str) -> Audio:
        self.said.append(text)
        if self._fails(text):
            raise Unavailable("fake: expected to speak, got a failure")
        at = np.arange(len(text) * RATE // 10) / RATE
        return Audio((0.5 * np.sin(2 * np.pi * 440 * at)).astype(np.float32), RATE)

    def stop(self) -> None:
        self.stops += 1

    def close(self) -> None:
        self.closed = True
