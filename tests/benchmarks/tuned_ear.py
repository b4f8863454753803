"""A recogniser that hears tones: every character has its own, 0.2 s long. It streams, and noise confuses it."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from appliance.speech.asr import transcript
from appliance.speech.resample import RATE
from appliance.values import Audio, Segment, Transcript, Word

LETTERS = "洗衣液在哪里牛奶两瓶十九度"
BLOCK = RATE // 5
ORDER = {letter: 500 + 250 * at for at, letter in enumerate(LETTERS)}

Samples = npt.NDArray[np.float32]


def tones(text: str) -> Audio:
    at = np.arange(BLOCK) / RATE
    sound = [0.3 * np.sin(2 * np.pi * ORDER[letter] * at) for letter in text]
    return Audio(np.concatenate(sound).astype(np.float32), RATE)


def letter_of(block: Samples) -> str:
    peak = np.argmax(np.abs(np.fft.rfft(block))) * RATE / len(block)
    return min(ORDER, key=lambda letter: abs(ORDER[letter] - peak))


def heard(samples: Samples, language: str) -> Transcript:
    blocks = [samples[at : at + BLOCK] for at in range(0, len(samples) - BLOCK + 1, BLOCK)]
    words = [Word(letter_of(block), at * BLOCK / RATE, (at + 1) * BLOCK / RATE, 0.9) for at, block in enumerate(blocks)]
    return transcript(words, language=language, engine="tuned", seconds=len(samples) / RATE)


class TunedStream:
    def __init__(self, language: str) -> None:
        self._language = language
        self._samples = np.zeros(0, np.float32)

    def feed(self, samples: Samples, /) -> str:
        self._samples = np.concatenate([self._samples, samples])
        return heard(self._samples, self._language).text

    def finish(self) -> Transcript:
        return heard(self._samples, self._language)

    def close(self) -> None: ...


class TunedEar:
    """Implements `asr.Streaming`; takes `slow` seconds for each recording."""

    def __init__(self, language: str, slow: float = 0.0) -> None:
        self.name, self.language, self._slow = "tuned", language, slow

    def transcribe(self, audio: Audio, segments: Sequence[Segment], *, deadline: float | None = None) -> Transcript:
        time.sleep(self._slow)
        return heard(audio.samples, self.language)

    def stream(self, *, phrases: Sequence[str] = ()) -> TunedStream:
        return TunedStream(self.language)

    def close(self) -> None: ...


class WholeEar:
    """The same without streams."""

    def __init__(self, language: str) -> None:
        self._ear = TunedEar(language)
        self.name, self.language = "whole", language

    def transcribe(self, audio: Audio, segments: Sequence[Segment], *, deadline: float | None = None) -> Transcript:
        return self._ear.transcribe(audio, segments, deadline=deadline)

    def close(self) -> None: ...


def make(language: str, threads: int) -> TunedEar:
    return TunedEar(language)


def slow(language: str, threads: int) -> TunedEar:
    return TunedEar(language, slow=0.4)


def whole(language: str, threads: int) -> WholeEar:
    return WholeEar(language)


def fails(language: str, threads: int) -> TunedEar:
    raise ValueError("this one never loads")
