"""The real Vosk with a real model on streams: `make hear-test`. Plumbing, not accuracy: espeak-ng speaks unfairly."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest
from rapidfuzz.fuzz import ratio
from sounds import not_speech, spoken, tone

from appliance.inference.backend import Run
from appliance.speech.listen import Final, Partial, Utterances
from appliance.speech.resample import RATE, to_16k
from appliance.speech.segment import Endpointer
from appliance.speech.vosk import VoskRecogniser
from appliance.speech.vosk_stream import VoskStream
from appliance.speech.wav import decode
from appliance.values import Audio, Segment, Transcript

pytestmark = [pytest.mark.vosk, pytest.mark.timeout(600)]

VOICES = {"cn": "cmn-latn-pinyin", "en": "en", "de": "de", "fr": "fr"}
SAID = {
    "ko": ("화장실이 어디에 있어요", "우유 얼마예요"),
    "cmn-latn-pinyin": ("xi3 shou3 jian1 zai4 na3 li3", "niu2 nai3 duo1 shao3 qian2"),
    "en": ("where is the toilet please", "how much is the milk"),
}
WRITTEN = SAID | {"cmn-latn-pinyin": ("洗手间在哪里", "牛奶多少钱")}


class Heard:
    """Keeps the events that it is told."""

    def __init__(self) -> None:
        self.events: list[dict[str, object]] = []

    def __call__(self, event: str, /, **fields: object) -> None:
        self.events.append({"event": event, **fields})


@pytest.fixture(scope="module")
def listener() -> Heard:
    return Heard()


@pytest.fixture(scope="module")
def ear(vosk_model: Path, listener: Heard) -> Iterator[VoskRecogniser]:
    """The model, loaded once."""
    loaded = VoskRecogniser(vosk_model, language="zh", name="test", rehearsed=True, listener=listener)
    loaded.load()
    yield loaded
    loaded.close()


@pytest.fixture(scope="module")
def voice(vosk_model: Path) -> str:
    """The voice for the model's language as far as its folder's name tells; Korean otherwise."""
    parts = vosk_model.resolve().as_posix().replace("_", "-").replace("/", "-").split("-")
    return next((VOICES[part] for part in parts if part in VOICES), "ko")


@pytest.fixture(scope="module")
def said(voice: str, espeak: str) -> tuple[np.ndarray, np.ndarray]:
    """Two sentences at 16 kHz, without the silence around them."""
    first, second = SAID.get(voice, SAID["en"])
    return recorded(spoken(espeak, first, voice)), recorded(spoken(espeak, second, voice))


def recorded(data: bytes) -> np.ndarray:
    samples = to_16k(decode(data, max_seconds=60, max_bytes=1 << 25)).samples
    loud = np.flatnonzero(np.abs(samples) > 0.02)
    return samples[loud[0] : loud[-1] + 1]


def row(*parts: np.ndarray | float) -> np.ndarray:
    """Sounds and quiet (in seconds) one after the other."""
    rng = np.random.default_rng(1)
    pieces = [1e-4 * rng.standard_normal(round(p * RATE)) if isinstance(p, float) else 0.5 * p for p in parts]
    return np.concatenate(pieces).astype(np.float32)


def through(utterances: Utterances, samples: np.ndarray, size: int = 1600) -> list[Partial | Final]:
    """Fed as from a microphone, but not before the recogniser has caught up: a partial text for each chunk."""
    events: list[Partial | Final] = []
    for at in range(0, len(samples), size):
        events += utterances.feed(samples[at : at + size])
        caught_up(utterances._stream)
    return events + utterances.finish()


def caught_up(stream: object) -> None:
    until = time.monotonic() + 60
    while isinstance(stream, VoskStream) and stream._waiting and time.monotonic() < until:
        time.sleep(0.002)


def checked(heard: Transcript, start: float, end: float) -> Transcript:
    """`heard`, whose words must lie in order between `start` and `end`, and be as sure as it says."""
    assert heard.text
    assert heard.confidence == pytest.approx(np.mean([word.confidence for word in heard.words]))
    before = start
    for word in heard.words:
        assert 0 <= word.confidence <= 1
        assert before <= word.start <= word.end <= end + 1e-6
        before = word.start
    return heard


def test_partials_endpoints_and_finals(ear: VoskRecogniser, vad_run: Run, said: tuple[np.ndarray, np.ndarray]) -> None:
    samples = row(0.6, said[0], 1.2, said[1], 0.8)
    events = through(Utterances(Endpointer(vad_run), ear), samples)
    finals = [event for event in events if isinstance(event, Final)]
    assert [final.reason for final in finals] == ["silence", "silence"]
    onsets = 0.6, 0.6 + len(said[0]) / RATE + 1.2
    for final, onset, sentence in zip(finals, onsets, said, strict=True):
        assert final.start < onset + 0.02, "the first syllable is inside"
        assert final.end > onset + len(sentence) / RATE - 0.02, "and so is the last"
        checked(final.transcript, final.start, final.end)
        assert final.transcript.engine == "vosk:test"
    partials = [event for event in events[: events.index(finals[0])] if isinstance(event, Partial)]
    assert len(partials) >= 2, "somebody who watches sees the words come"
    assert all(earlier.at < later.at for earlier, later in zip(partials, partials[1:], strict=False))
    # Not equal: Kaldi dithers with rand(), and a final reading is searched for again in the lattice.
    assert ratio(partials[-1].text, finals[0].transcript.text) > 40


def test_a_stream_hears_what_a_recording_holds(ear: VoskRecogniser, said: tuple[np.ndarray, np.ndarray]) -> None:
    samples = row(0.3, said[0], 0.3)
    whole = ear.transcribe(Audio(samples, RATE), (Segment(0.0, len(samples) / RATE),))
    stream = ear.stream()
    for at in range(0, len(samples), 700):
        stream.feed(samples[at : at + 700])
    heard = checked(stream.finish(), 0.0, len(samples) / RATE)
    assert ratio(heard.text, whole.text) > 60
    assert heard.words[-1].end == pytest.approx(whole.words[-1].end, abs=0.3)


def test_with_a_grammar_only_its_words_are_heard(
    ear: VoskRecogniser, listener: Heard, voice: str, said: tuple[np.ndarray, np.ndarray]
) -> None:
    phrases = [*WRITTEN.get(voice, WRITTEN["en"]), "qqqzzz"]
    stream = ear.stream(phrases=phrases)
    stream.feed(row(0.3, said[0], 0.3))
    heard = checked(stream.finish(), 0.0, len(said[0]) / RATE + 0.6)
    told = listener.events[-1]
    assert told["used"] is True
    assert "qqqzzz" in told["unknown"]  # type: ignore[operator]
    listed = "".join(phrases).replace(" ", "")
    assert all(word.text in listed for word in heard.words)
    again = ear.stream(phrases=phrases)
    again.feed(row(0.3, said[0], 0.3))
    assert ratio(again.finish().text, heard.text) > 60
    assert listener.events[-1] is told, "told once"


def test_an_endpoint_of_its_own_loses_nothing(
    ear: VoskRecogniser, voice: str, said: tuple[np.ndarray, np.ndarray]
) -> None:
    """Kaldi ends an utterance after half a second; the stream goes on until it is finished."""
    stream = ear.stream(phrases=WRITTEN.get(voice, WRITTEN["en"]))
    samples = row(0.3, said[0], 3.0, said[1], 0.3)
    stream.feed(samples)
    heard = checked(stream.finish(), 0.0, len(samples) / RATE)
    second = 0.3 + len(said[0]) / RATE + 2.5
    assert any(word.end < second for word in heard.words)
    assert any(word.start > second for word in heard.words)


def test_where_nobody_speaks_no_ghost_words(ear: VoskRecogniser, vad_run: Run) -> None:
    utterances = Utterances(Endpointer(vad_run), ear)
    for name in ("silence", "pink noise", "clicks", "bursts of noise"):
        assert through(utterances, np.clip(not_speech()[name], -1, 1).astype(np.float32)) == [], name


def test_no_sound_hardly_any_and_nonsense_end_well(ear: VoskRecogniser) -> None:
    assert ear.stream().finish().text == ""
    speck = ear.stream()
    speck.feed(np.full(10, 0.5, np.float32))
    assert speck.finish().text == ""
    loud = ear.stream()
    loud.feed(np.sign(tone(RATE, 2.0, pitch=123)).astype(np.float32))
    assert all(0 <= word.start <= word.end <= 2 for word in loud.finish().words)


def test_breaking_off_in_the_middle(ear: VoskRecogniser, said: tuple[np.ndarray, np.ndarray]) -> None:
    for _ in range(5):
        stream = ear.stream()
        stream.feed(row(said[0], 0.2, said[0]))
        stream.close()
    stream = ear.stream()
    stream.feed(row(0.3, said[1], 0.3))
    assert stream.finish().text


def test_streams_at_once_each_hear_their_own(
    ear: VoskRecogniser, voice: str, said: tuple[np.ndarray, np.ndarray]
) -> None:
    phrases = WRITTEN.get(voice, WRITTEN["en"])

    def hear(n: int) -> Transcript:
        stream = ear.stream(phrases=phrases)
        samples = row(0.3, said[n % 2], 0.3)
        for at in range(0, len(samples), 1600):
            stream.feed(samples[at : at + 1600])
        return checked(stream.finish(), 0.0, len(samples) / RATE)

    with ThreadPoolExecutor(4) as pool:
        heard = list(pool.map(hear, range(4)))
    assert [each.seconds for each in heard[:2]] == [pytest.approx(len(s) / RATE + 0.6) for s in said]
    assert ratio(heard[0].text, heard[2].text) >= ratio(heard[0].text, heard[1].text)


def test_sixty_utterances_do_not_grow(ear: VoskRecogniser, voice: str, said: tuple[np.ndarray, np.ndarray]) -> None:
    process = psutil.Process()
    phrases = WRITTEN.get(voice, WRITTEN["en"])
    samples = row(0.2, said[1], 0.2)

    def hear(times: int) -> None:
        for _ in range(times):
            stream = ear.stream(phrases=phrases)
            stream.feed(samples)
            stream.finish()

    hear(10)
    before = process.memory_info().rss
    hear(60)
    assert process.memory_info().rss - before < 16_000_000
