"""A stream of sound in, partial texts and transcripts out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from fakes.network import LoudNetwork, sound
from hypothesis import given, settings
from hypothesis import strategies as st
from sounds import not_speech, spoken

from appliance.errors import BackendFailed
from appliance.inference.backend import Run
from appliance.speech.asr import transcript
from appliance.speech.listen import Final, Partial, Utterances
from appliance.speech.resample import RATE, to_16k
from appliance.speech.segment import Endpointer
from appliance.speech.segmental import SegmentalStream
from appliance.speech.vad import FRAME, FRAME_SECONDS, USUAL, Rules, Vad
from appliance.speech.wav import decode
from appliance.values import Audio, Segment, Transcript, Word

RULES = Rules(
    minimum_speech=2 * FRAME_SECONDS, minimum_silence=6 * FRAME_SECONDS, pre_roll=2 * FRAME_SECONDS, tail=0, maximum=1.0
)


class Scribe:
    """Hears a word in every full tenth of a second, told by its sound: the same sound is always the same words."""

    name, language = "fake:scribe", "zh"

    def __init__(self) -> None:
        self.open = 0
        self.begun: list[tuple[str, ...]] = []
        self.failures: dict[str, Exception] = {}

    def transcribe(self, audio: Audio, segments: Sequence[Segment], *, deadline: float | None = None) -> Transcript:
        words = []
        for segment in segments:
            first = round(segment.start * RATE)
            samples = audio.samples[first : round(segment.end * RATE)]
            words += [replace(w, start=w.start + segment.start, end=w.end + segment.start) for w in written(samples)]
        return transcript(words, language=self.language, engine=self.name, seconds=audio.seconds)

    def stream(self, *, phrases: Sequence[str] = ()) -> ScribeStream:
        self.fail("stream")
        self.begun.append(tuple(phrases))
        self.open += 1
        return ScribeStream(self)

    def fail(self, where: str) -> None:
        if where in self.failures:
            raise self.failures.pop(where)

    def close(self) -> None:
        raise AssertionError("not theirs to close")


class ScribeStream:
    def __init__(self, scribe: Scribe) -> None:
        self.scribe = scribe
        self.samples = np.zeros(0, np.float32)
        self.over = False

    def feed(self, samples: np.ndarray, /) -> str:
        assert not self.over
        self.scribe.fail("feed")
        self.samples = np.concatenate([self.samples, samples])
        return "".join(word.text for word in written(self.samples))

    def finish(self) -> Transcript:
        assert not self.over
        self.scribe.fail("finish")
        audio = Audio(self.samples, RATE)
        return self.scribe.transcribe(audio, (Segment(0.0, audio.seconds),))

    def close(self) -> None:
        self.scribe.open -= not self.over
        self.over = True


def written(samples: np.ndarray) -> list[Word]:
    """Words of a sound: one for each tenth of a second that is not silent, by how loud it is on the whole."""
    words = []
    for at in range(0, len(samples) - 1599, 1600):
        loud = float(np.abs(samples[at : at + 1600]).sum())
        if loud > 400:
            words.append(Word(chr(0x4E00 + int(loud)), at / RATE, (at + 1600) / RATE, 0.5))
    return words


def pattern(marks: str) -> np.ndarray:
    """`#` speech, `.` silence, one mark a frame; every frame of speech a little louder than the one before."""
    return sound([0.6 + 0.3 * n / len(marks) if mark == "#" else 0.1 for n, mark in enumerate(marks)])


def heard(utterances: Utterances, samples: np.ndarray, size: int = FRAME) -> list[Partial | Final]:
    events = [event for at in range(0, len(samples), size) for event in utterances.feed(samples[at : at + size])]
    return events + utterances.finish()


def finals(events: Sequence[Partial | Final]) -> list[Final]:
    return [event for event in events if isinstance(event, Final)]


SPEECH = pattern("....##########.....##..........#.......############....")


def test_partials_while_somebody_speaks_then_the_transcript() -> None:
    scribe = Scribe()
    utterances = Utterances(Endpointer(LoudNetwork(), RULES), scribe, phrases=["你好"])
    events = heard(utterances, SPEECH)
    assert [type(event).__name__ for event in events if isinstance(event, Final)] == ["Final"] * 2
    first, second = finals(events)
    assert first.reason == "silence"
    assert second.reason == "flushed"
    partials = [event for event in events[: events.index(first)] if isinstance(event, Partial)]
    assert len(partials) >= 4
    texts = [partial.text for partial in partials]
    assert len(set(texts)) == len(texts), "only what has changed is told"
    assert all(later.startswith(earlier) for earlier, later in zip(texts, texts[1:], strict=False))
    assert first.transcript.text.startswith(texts[-1])
    assert [p.at for p in partials] == sorted(p.at for p in partials)
    assert first.start < partials[0].at <= first.end + RULES.minimum_silence
    assert scribe.begun == [("你好",)] * 2, "no burst reaches the recogniser"
    assert scribe.open == 0


def test_times_count_from_the_beginning_of_the_stream() -> None:
    first, second = finals(heard(Utterances(Endpointer(LoudNetwork(), RULES), Scribe()), SPEECH))
    for final in (first, second):
        begin, end = round(final.start * RATE), round(final.end * RATE)
        np.testing.assert_array_equal(final.audio.samples, SPEECH[begin:end])
        said = final.transcript
        assert said.segments == (Segment(final.start, final.end),)
        assert said.seconds == final.audio.seconds
        assert final.start <= said.words[0].start < said.words[-1].end <= final.end + 1e-6
        assert (said.engine, said.language, said.confidence) == ("fake:scribe", "zh", 0.5)
    assert second.start > first.end


def test_latency_by_stage() -> None:
    ticks = iter(np.arange(0.0, 1e4, 0.001))
    scribe = Scribe()
    utterances = Utterances(Endpointer(LoudNetwork(), RULES), scribe, clock=lambda: float(next(ticks)))
    first, second = finals(heard(utterances, SPEECH))
    assert set(first.latency_ms) == {"silence", "vad", "finish", "asr"}
    assert first.latency_ms["silence"] == pytest.approx(6 * 32, abs=33)
    assert second.latency_ms["silence"] == pytest.approx(4 * 32)
    assert first.latency_ms["finish"] == pytest.approx(1)
    assert first.latency_ms["asr"] > first.latency_ms["finish"], "the calls while somebody spoke count too"
    assert first.transcript.timings_ms["asr"] == first.latency_ms["asr"]


@given(
    st.lists(st.tuples(st.sampled_from("##."), st.integers(1, 25)), max_size=12),
    st.sampled_from((160, 512, 1600, 5000, 10**6)),
)
@settings(max_examples=120, deadline=None)
def test_a_stream_is_heard_as_its_segments_are(runs: list[tuple[str, int]], size: int) -> None:
    samples = pattern("".join(mark * count for mark, count in runs) or ".")
    scribe = Scribe()
    ends = finals(heard(Utterances(Endpointer(LoudNetwork(), RULES), scribe), samples, size))
    audio = Audio(samples, RATE)
    segments = Vad(LoudNetwork(), RULES).segments(audio)
    assert [(round(f.start * RATE), round(f.end * RATE)) for f in ends] == [
        (round(s.start * RATE), round(s.end * RATE)) for s in segments
    ]
    for final, segment in zip(ends, segments, strict=True):
        whole = scribe.transcribe(audio, (segment,))
        assert final.transcript.text == whole.text
        assert [w.start for w in final.transcript.words] == [pytest.approx(w.start) for w in whole.words]
    assert scribe.open == 0


def test_what_was_heard_beyond_a_cut_belongs_to_the_next_utterance() -> None:
    marks = "..." + "#" * 24 + "." + "#" * 30 + "......."
    scribe = Scribe()
    ends = finals(heard(Utterances(Endpointer(LoudNetwork(), RULES), scribe), pattern(marks)))
    assert [final.reason for final in ends] == ["maximum", "silence"]
    for final in ends:
        assert final.transcript.text == "".join(word.text for word in written(final.audio.samples))
    assert ends[0].end == ends[1].start
    assert len(scribe.begun) == 3, "the first one again, to the cut"


class Whole(Scribe):
    """A scribe that hears whole utterances alone."""

    def stream(self, *, phrases: Sequence[str] = ()) -> SegmentalStream:  # type: ignore[override]
        return SegmentalStream(self)


def test_a_recogniser_of_segments_serves_as_well() -> None:
    scribe = Scribe()
    events = heard(Utterances(Endpointer(LoudNetwork(), RULES), Whole()), SPEECH)
    streamed = finals(heard(Utterances(Endpointer(LoudNetwork(), RULES), scribe), SPEECH))
    assert [event for event in events if isinstance(event, Partial)] == []
    assert [final.transcript.text for final in finals(events)] == [final.transcript.text for final in streamed]


def test_where_nobody_speaks_the_recogniser_is_not_asked() -> None:
    scribe = Scribe()
    utterances = Utterances(Endpointer(LoudNetwork(), RULES), scribe)
    assert heard(utterances, pattern("...#.......#......" * 20)) == []
    assert scribe.begun == []


def test_speech_without_a_word_is_told_as_empty() -> None:
    class Silent(Whole):
        def transcribe(self, audio: Audio, segments: Sequence[Segment], *, deadline: float | None = None) -> Transcript:
            return transcript((), language="zh", engine=self.name, seconds=audio.seconds)

    (final,) = finals(heard(Utterances(Endpointer(LoudNetwork(), RULES), Silent()), pattern("..####...")))
    assert (final.transcript.text, final.transcript.confidence) == ("", 0.0)


def test_it_can_be_seen_that_somebody_speaks() -> None:
    utterances = Utterances(Endpointer(LoudNetwork(), RULES), Scribe())
    utterances.feed(pattern("..#"))
    assert not utterances.speaking
    utterances.feed(pattern("##"))
    assert utterances.speaking
    assert utterances.probability > 0.5
    utterances.feed(pattern("......"))
    assert not utterances.speaking


@pytest.mark.parametrize("where", ["stream", "feed", "finish"])
@pytest.mark.parametrize("size", [FRAME, 10**6])
def test_a_failure_costs_one_utterance_and_no_more(where: str, size: int) -> None:
    scribe = Scribe()
    utterances = Utterances(Endpointer(LoudNetwork(), RULES), scribe)
    samples = pattern("..####......" * 3)
    scribe.failures[where] = BackendFailed("the recogniser fails")
    events: list[Partial | Final] = []
    failed = 0
    for at in range(0, len(samples), size):
        try:
            events += utterances.feed(samples[at : at + size])
        except BackendFailed:
            failed += 1
    events += utterances.finish()
    assert failed == 1
    assert len(finals(events)) == 2
    assert scribe.open == 0


def test_what_was_told_before_a_failure_is_not_lost() -> None:
    scribe = Scribe()
    utterances = Utterances(Endpointer(LoudNetwork(), RULES), scribe)
    utterances.feed(pattern("..####....."))
    scribe.failures["stream"] = BackendFailed("the recogniser fails")
    with pytest.raises(BackendFailed):
        utterances.feed(pattern("...####......"))
    (final,) = finals(utterances.feed(np.zeros(0, np.float32)))
    assert final.start < 2 * FRAME_SECONDS


def test_after_finish_more_may_come_and_after_close_all_is_new() -> None:
    scribe = Scribe()
    utterances = Utterances(Endpointer(LoudNetwork(), RULES), scribe)
    (first,) = finals(heard(utterances, pattern("..####")))
    (second,) = finals(heard(utterances, pattern("..####")))
    assert second.start == pytest.approx(first.end)
    utterances.feed(pattern("..####"))
    assert scribe.open == 1
    utterances.close()
    utterances.close()
    assert (scribe.open, utterances.speaking) == (0, False)
    assert utterances.finish() == []
    (third,) = finals(heard(utterances, pattern("..####......")))
    assert third.start == pytest.approx(0.0)


# From here on the real network.


def test_real_speech_in_a_stream_is_heard_as_in_a_recording(vad_run: Run, vad: Vad, espeak: str) -> None:
    parts = [spoken(espeak, words) for words in ("xi3 yi1 ye4 zai4 na3 li3", "niu2 nai3 duo1 shao3 qian2")]
    pause = np.zeros(RATE * 3 // 2, np.float32)
    pieces = [to_16k(decode(part, max_seconds=60, max_bytes=1 << 25)).samples for part in parts]
    audio = Audio(np.concatenate([pause, pieces[0], pause, pieces[1], pause]), RATE)
    scribe = Scribe()
    ends = finals(heard(Utterances(Endpointer(vad_run, USUAL), scribe), audio.samples, 800))
    segments = vad.segments(audio)
    assert len(ends) == len(segments) == 2
    for final, segment in zip(ends, segments, strict=True):
        assert final.transcript.text == scribe.transcribe(audio, (segment,)).text


def test_no_ghost_words_in_a_noisy_shop(vad_run: Run) -> None:
    scribe = Scribe()
    utterances = Utterances(Endpointer(vad_run), scribe)
    for name in ("white noise", "air conditioning", "clicks", "chord"):
        assert heard(utterances, np.clip(not_speech()[name], -1, 1).astype(np.float32), 1600) == []
    assert scribe.begun == []
