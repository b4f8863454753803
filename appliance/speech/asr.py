"""The recogniser contract, and what every recogniser does alike with the words that it heard."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from appliance.values import Audio, Segment, Transcript, Word


class Recogniser(Protocol):
    """Turns speech into words. Thread-safe; constructing one touches nothing."""

    @property
    def name(self) -> str:
        """Engine and model, for example `vosk:vosk-model-small-cn-0.22`."""

    @property
    def language(self) -> str:
        """Language that it hears, for example `zh`."""

    def transcribe(self, audio: Audio, segments: Sequence[Segment], *, deadline: float | None = None) -> Transcript:
        """Recognise the `segments` (in order of time) of `audio` (16 kHz) before `deadline` (time.monotonic).

        Word times count from the beginning of `audio`. Raises Unavailable (not loaded), DeadlineExceeded,
        InvalidInput (wrong rate) or BackendFailed.
        """

    def close(self) -> None:
        """Release the model. A second call does nothing."""


class Stream(Protocol):
    """One utterance, recognised while it is spoken. For one caller at a time, from the first sound to the end."""

    def feed(self, samples: npt.NDArray[np.float32], /) -> str:
        """Hear the next `samples` (16 kHz, float32 in [-1, 1], shape (n,), any n); the text so far, which may lag.

        Raises BackendFailed when recognising has failed.
        """

    def finish(self) -> Transcript:
        """End the utterance: everything that was fed, with word times from its beginning; to be called once.

        Raises BackendFailed, or DeadlineExceeded when the recogniser does not come to an end.
        """

    def close(self) -> None:
        """Give up an utterance that is not to be finished. Does nothing after `finish`, or a second time."""


class Streaming(Recogniser, Protocol):
    """A recogniser that tells what it hears while somebody still speaks."""

    def stream(self, *, phrases: Sequence[str] = ()) -> Stream:
        """Begin an utterance; `phrases` are what is likely said (a bias or a grammar, as the recogniser can).

        Raises Unavailable when the model is not loaded.
        """


def transcript(words: Sequence[Word], *, language: str, engine: str, seconds: float) -> Transcript:
    """Join `words` to a transcript whose confidence is their mean; an empty one with confidence 0 without words."""
    confidence = sum(word.confidence for word in words) / len(words) if words else 0.0
    return Transcript(
        text=join_words([word.text for word in words]),
        confidence=confidence,
        language=language,
        words=tuple(words),
        engine=engine,
        seconds=seconds,
    )


def join_words(words: Sequence[str]) -> str:
    """Write recognised words as text: no space beside a Chinese or Japanese character, one space elsewhere.

    Recognisers put spaces between Chinese words, which nobody writes: `我 想 买 iphone 十 五` is 我想买iphone十五.
    """
    text = ""
    for word in words:
        if text and word and not (unspaced(text[-1]) or unspaced(word[0])):
            text += " "
        text += word
    return text


def unspaced(character: str) -> bool:
    """True for Han characters, kana and their punctuation, which are written without spaces; Hangul is not."""
    name = unicodedata.name(character, "")
    return name.startswith(("CJK", "IDEOGRAPHIC", "HIRAGANA", "KATAKANA"))
