"""The fake door with ears that hear what they are told to, and a voice that hums."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import numpy as np
from fake_door import FakeDoor

from appliance.channels.door import Told, unheard
from appliance.errors import Unavailable
from appliance.speech.wav import decode
from appliance.values import Answer, Audio, Feature, Intent, Parse, Reply, Segment, Transcript, Turn, Word

RATE = 22_050
"""That of the voice."""
HEARD = Transcript(
    "洗衣液在哪里第二句 & <话>",
    0.8,
    "zh",
    (
        Word("洗衣液", 0.5, 1.0, 0.9),
        Word("在哪里", 1.0, 1.4, 0.7),
        Word("第二句", 3.0, 3.5, 0.9),
        Word("& <话>", 3.5, 4.0, 0.7),
    ),
    "vosk:fake",
    4.5,
    {"asr": 12.0},
    (Segment(0.2, 1.7), Segment(2.7, 4.3)),
)
"""What every recording says: two stretches of speech."""


@dataclass
class SpeakingFakeDoor(FakeDoor):
    """Hears HEARD, stretch by stretch; `between` is waited for before the second one, where it is set.

    `late` is raised after the first stretch; `endless` goes on until what it tells is refused. Speaks a hum of 0.1 s
    for each character, faster by `speed`.
    """

    asr: str = "ready"
    speech: str = "ready"
    hears: tuple[str, ...] = ("zh", "en")
    speaks: tuple[str, ...] = ("zh", "en")
    transcript: Transcript = HEARD
    between: threading.Event | None = None
    endless: bool = False
    heard_audio: list[Audio] = field(default_factory=list)
    heard_in: list[str] = field(default_factory=list)
    said: list[tuple[str, str, float]] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)
    outcome: str = "resolved"

    def transcribe(self, recording: bytes, language: str = "zh", *, told: Told = unheard) -> Transcript:
        self._act()
        if language not in self.hears:
            raise Unavailable(f"speech recognition: expected a recogniser for {language!r}, got none")
        self.heard_audio.append(decode(recording, max_seconds=60, max_bytes=1 << 26))
        self.heard_in.append(language)
        first, _, second = self.transcript.text.partition("第")
        try:
            told(first)
            if self.late is not None:
                raise self.late
            for _ in range(1000 if self.endless else 0):
                told("")
                time.sleep(0.01)
            if self.between is not None:
                assert self.between.wait(10)
            told(f"第{second}" if second else "")
        except BaseException:
            self.stopped.set()
            raise
        return self.transcript

    def speak(self, text: str, language: str = "zh", speed: float = 1.0) -> Audio:
        self._act()
        if language not in self.speaks:
            raise Unavailable(f"speaking: expected a voice for {language!r}, got none")
        self.said.append((text, language, speed))
        seconds = 0.1 * len(text) / speed
        at = np.arange(round(seconds * RATE)) / RATE
        return Audio((0.5 * np.sin(2 * np.pi * 220 * at)).astype(np.float32), RATE)

    def turn(self, turn: Turn, session: str | None = None) -> Reply:
        reply = super().turn(turn, session)
        if self.outcome == "resolved":
            return reply
        nothing = Parse(Intent("out_of_scope", 0.9), (), (), turn.text)
        return Reply(reply.session, turn, nothing, Answer("没听懂,请再说一遍。", outcome=self.outcome))

    def features(self) -> tuple[Feature, ...]:
        backends = {"ready": "vosk", "off": "none"}
        voices = {"ready": "espeak-ng", "off": "none"}
        others = tuple(feature for feature in super().features() if feature.name not in ("asr", "speech"))
        return (
            *others,
            Feature("asr", self.asr, backends[self.asr], "", models=("vosk-small-cn@123456",), languages=self.hears),
            Feature("speech", self.speech, voices[self.speech], "", languages=self.speaks),
        )
