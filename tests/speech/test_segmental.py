"""A recogniser of whole segments where a streaming one is expected."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from appliance.errors import TooLarge
from appliance.inference.backend import WrongState
from appliance.speech.asr import Stream, transcript
from appliance.speech.segmental import LONGEST_S, SegmentalStream
from appliance.values import Audio, Segment, Transcript, Word


class Deaf:
    """Hears 在 in every segment and keeps what it was given."""

    name, language = "fake:zh", "zh"

    def __init__(self) -> None:
        self.given: list[tuple[Audio, tuple[Segment, ...]]] = []
        self.closed = False

    def transcribe(self, audio: Audio, segments: Sequence[Segment], *, deadline: float | None = None) -> Transcript:
        self.given.append((audio, tuple(segments)))
        words = [Word("在", segment.start, segment.end, 0.8) for segment in segments]
        return transcript(words, language=self.language, engine=self.name, seconds=audio.seconds)

    def close(self) -> None:
        self.closed = True


def test_everything_is_recognised_at_the_end() -> None:
    ear = Deaf()
    stream: Stream = SegmentalStream(ear)
    samples = np.linspace(-0.5, 0.5, 20_000).astype(np.float32)
    block = np.empty(1000, np.float32)
    for at in range(0, 20_000, 1000):
        block[:] = samples[at : at + 1000]
        assert stream.feed(block) == "", "no text before the end"
    heard = stream.finish()
    ((audio, segments),) = ear.given
    np.testing.assert_array_equal(audio.samples, samples)
    assert segments == (Segment(0.0, 1.25),)
    assert heard == ear.transcribe(Audio(samples, 16000), (Segment(0.0, 1.25),))


def test_nothing_said_asks_nothing() -> None:
    ear = Deaf()
    heard = SegmentalStream(ear).finish()
    assert (heard.text, heard.confidence, heard.engine) == ("", 0.0, "fake:zh")
    assert ear.given == []


def test_after_the_end_and_after_breaking_off() -> None:
    over = SegmentalStream(Deaf())
    over.finish()
    broken = SegmentalStream(Deaf())
    broken.feed(np.zeros(10, np.float32))
    broken.close()
    for stream in (over, broken):
        with pytest.raises(WrongState, match="got one that is over"):
            stream.feed(np.zeros(10, np.float32))
        with pytest.raises(WrongState):
            stream.finish()
        stream.close()


def test_an_utterance_without_end_is_refused() -> None:
    stream = SegmentalStream(Deaf())
    stream.feed(np.zeros(int(LONGEST_S * 16000), np.float32))
    with pytest.raises(TooLarge, match=r"at most 64 s, got 64\.1 s"):
        stream.feed(np.zeros(1600, np.float32))
