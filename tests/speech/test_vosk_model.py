"""The real Vosk with a real model: `make hear-test`. Plumbing, not accuracy: espeak-ng is no fair speaker."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest
import soxr
from rapidfuzz.fuzz import ratio
from sounds import not_speech, spoken, tone, wav

from appliance.errors import DeadlineExceeded, Unavailable
from appliance.speech.hear import Hearing, Limits
from appliance.speech.resample import RATE, to_16k
from appliance.speech.vad import Vad
from appliance.speech.vosk import VoskRecogniser
from appliance.speech.wav import decode
from appliance.values import Audio, Segment, Transcript

pytestmark = [pytest.mark.vosk, pytest.mark.timeout(600)]

VOICES = {"cn": "cmn-latn-pinyin", "en": "en", "de": "de", "fr": "fr"}
SENTENCES = {
    "ko": ("화장실이 어디에 있어요", "우유 얼마예요"),
    "cmn-latn-pinyin": ("xi3 shou3 jian1 zai4 na3 li3", "niu2 nai3 duo1 shao3 qian2"),
    "en": ("where is the toilet please", "how much is the milk"),
}
LIMITS = Limits(max_seconds=60, max_bytes=1 << 25)


@pytest.fixture(scope="module")
def ear(vosk_model: Path) -> Iterator[VoskRecogniser]:
    """The model, loaded once."""
    loaded = VoskRecogniser(vosk_model, language="zh", name="test", rehearsed=True)
    loaded.load()
    yield loaded
    loaded.close()


@pytest.fixture(scope="module")
def said(vosk_model: Path, espeak: str) -> tuple[Audio, Audio]:
    """Two sentences in the model's language as far as its folder's name tells; Korean otherwise."""
    parts = vosk_model.resolve().as_posix().replace("_", "-").replace("/", "-").split("-")
    voice = next((VOICES[part] for part in parts if part in VOICES), "ko")
    first, second = SENTENCES.get(voice, SENTENCES["en"])
    return recorded(spoken(espeak, first, voice)), recorded(spoken(espeak, second, voice))


def recorded(data: bytes) -> Audio:
    """As 16 kHz, without the silence that espeak-ng puts around it, so that its onset is known."""
    audio = to_16k(decode(data, max_seconds=60, max_bytes=1 << 25))
    loud = np.flatnonzero(np.abs(audio.samples) > 0.02)
    return Audio(audio.samples[loud[0] : loud[-1] + 1], RATE)


def row(*parts: Audio | float) -> Audio:
    """Sounds and quiet (in seconds) one after the other."""
    rng = np.random.default_rng(1)
    pieces = [
        1e-4 * rng.standard_normal(round(p * RATE)) if isinstance(p, float) else p.samples * np.float32(0.5)
        for p in parts
    ]
    return Audio(np.concatenate(pieces).astype(np.float32), RATE)


def hear(vad: Vad, ear: VoskRecogniser, data: bytes) -> Transcript:
    return Hearing(vad, {"zh": ear}, limits=LIMITS).transcribe(data, "zh", deadline=time.monotonic() + 240)


def checked(heard: Transcript) -> Transcript:
    """`heard`, whose words must lie in order, inside its segments, and be as sure as it says."""
    assert heard.text
    assert all(0 <= word.confidence <= 1 for word in heard.words)
    assert heard.confidence == pytest.approx(np.mean([word.confidence for word in heard.words]))
    before = 0.0
    for word in heard.words:
        assert before <= word.start <= word.end
        assert any(s.start <= word.start and word.end <= s.end for s in heard.segments), (word, heard.segments)
        before = word.start
    return heard


def test_a_recording_in_one_piece(vad: Vad, ear: VoskRecogniser, said: tuple[Audio, Audio]) -> None:
    sound = row(0.5, said[0], 0.5)
    heard = checked(hear(vad, ear, wav(sound.samples)))
    assert (heard.engine, heard.language, heard.seconds) == ("vosk:test", "zh", pytest.approx(sound.seconds))
    assert list(heard.timings_ms) == ["decode", "resample", "level", "vad", "asr"]
    (segment,) = heard.segments
    assert segment.start <= 0.5, "the first syllable is inside"
    assert segment.end >= 0.5 + said[0].seconds, "and so is the last"
    assert heard.words[0].start == pytest.approx(0.5, abs=0.35)
    assert heard.words[-1].end == pytest.approx(0.5 + said[0].seconds, abs=0.45)


@pytest.mark.parametrize("rate, kind", [(48000, "f32"), (44100, "s24"), (8000, "s16")])
def test_segments_with_times_of_the_recording(
    vad: Vad, ear: VoskRecogniser, said: tuple[Audio, Audio], rate: int, kind: str
) -> None:
    at = 1.0, 1.0 + said[0].seconds + 3.0
    sound = row(1.0, said[0], 3.0, said[1], 1.0)
    there = np.clip(soxr.resample(sound.samples, RATE, rate), -1, 1)
    heard = checked(hear(vad, ear, wav(np.stack([there, np.zeros(len(there))], axis=1), rate, kind)))
    assert len(heard.segments) == 2
    for onset, segment, sentence in zip(at, heard.segments, said, strict=True):
        assert segment.start < onset + 0.02
        assert segment.end > onset + sentence.seconds - 0.02
        words = [word for word in heard.words if segment.start <= word.start <= segment.end]
        assert words, "each sentence has words"
        if rate > RATE:  # at 8 kHz half of what the model listens for is missing
            assert words[0].start == pytest.approx(onset, abs=0.35)


def test_the_same_sentence_later_has_the_same_times_later(
    vad: Vad, ear: VoskRecogniser, said: tuple[Audio, Audio]
) -> None:
    """The recogniser's clock runs through segments and their tails; the transcript's must not."""
    early = checked(hear(vad, ear, wav(row(0.5, said[0], 0.5).samples)))
    late = checked(hear(vad, ear, wav(row(0.5, said[1], 9.0, said[0], 0.5).samples)))
    shift = said[1].seconds + 9.0
    assert late.segments[-1].start - early.segments[0].start == pytest.approx(shift, abs=0.1)
    assert late.words[-1].end - early.words[-1].end == pytest.approx(shift, abs=0.25)


def test_a_far_too_quiet_recording_is_heard_like_a_good_one(
    vad: Vad, ear: VoskRecogniser, said: tuple[Audio, Audio]
) -> None:
    sound = row(0.5, said[0], 0.5).samples
    usual, quiet = (checked(hear(vad, ear, wav(sound * level))) for level in (1.0, 0.03))
    # Not the same words: at 50 steps of 16 bits, rounding is noise. Without levelling not one was heard.
    assert len(quiet.text) > len(usual.text) / 2
    assert quiet.segments[0].start == pytest.approx(usual.segments[0].start, abs=0.1)


def test_where_nobody_speaks_no_ghost_words(vad: Vad, ear: VoskRecogniser) -> None:
    for name, sound in not_speech().items():
        heard = hear(vad, ear, wav(np.clip(sound, -1, 1)))
        assert (heard.text, heard.words, heard.segments) == ("", (), ()), name


def test_no_sound_and_hardly_any(ear: VoskRecogniser) -> None:
    nothing = Audio(np.zeros(0, np.float32), RATE)
    assert ear.transcribe(nothing, ()).text == ""
    assert ear.transcribe(nothing, (Segment(0.0, 0.0),)).text == ""
    speck = Audio(np.full(10, 0.5, np.float32), RATE)
    assert ear.transcribe(speck, (Segment(0.0, speck.seconds),)).text == ""
    silence = Audio(np.zeros(RATE, np.float32), RATE)
    assert ear.transcribe(silence, (Segment(0.0, 1.0),)).text == ""


def test_loud_nonsense_ends_well(ear: VoskRecogniser) -> None:
    square = Audio(np.sign(tone(RATE, 5.0, pitch=123)).astype(np.float32), RATE)
    heard = ear.transcribe(square, (Segment(0.0, 5.0),), deadline=time.monotonic() + 120)
    assert all(0 <= word.start <= word.end <= 5 for word in heard.words)


def test_a_deadline_is_kept_between_chunks_and_does_no_harm(ear: VoskRecogniser, said: tuple[Audio, Audio]) -> None:
    long = row(*[part for _ in range(12) for part in (said[0], 0.2)])
    segments = (Segment(0.0, long.seconds / 2), Segment(long.seconds / 2, long.seconds))
    with pytest.raises(DeadlineExceeded, match=r"expected an end before the deadline, got \d+\.\d s in") as caught:
        ear.transcribe(long, segments, deadline=time.monotonic() + 0.5)
    reached = float(str(caught.value.detail).rsplit("got ", 1)[1].split(" s")[0])
    assert 0 < reached < long.seconds
    again = row(0.3, said[0], 0.3)
    assert ear.transcribe(again, (Segment(0.0, again.seconds),)).text


def test_thirty_recordings_in_a_row_do_not_grow(ear: VoskRecogniser, said: tuple[Audio, Audio]) -> None:
    process = psutil.Process()
    sound = Audio(said[1].samples[: RATE * 3 // 4], RATE)
    for _ in range(5):
        ear.transcribe(sound, (Segment(0.0, sound.seconds),))
    before = process.memory_info().rss
    for _ in range(30):
        assert ear.transcribe(sound, (Segment(0.0, sound.seconds),)).words
    assert process.memory_info().rss - before < 16_000_000


def test_callers_at_once_each_hear_their_own(vad: Vad, ear: VoskRecogniser, said: tuple[Audio, Audio]) -> None:
    sounds = [row(0.3, said[n % 2], 0.3) for n in range(4)]
    with ThreadPoolExecutor(4) as pool:
        heard = list(pool.map(lambda sound: checked(hear(vad, ear, wav(sound.samples))), sounds))
    assert [each.seconds for each in heard] == [pytest.approx(sound.seconds) for sound in sounds]
    assert ratio(heard[0].text, heard[2].text) > ratio(heard[0].text, heard[1].text)
    assert ratio(heard[1].text, heard[3].text) > ratio(heard[1].text, heard[2].text)


def test_two_languages_side_by_side_and_the_end(vosk_model: Path, vad: Vad, said: tuple[Audio, Audio]) -> None:
    ears = {
        language: VoskRecogniser(vosk_model, language=language, name=f"test-{language}", rehearsed=True)
        for language in ("zh", "en")
    }
    for ear in ears.values():
        ear.load()
    hearing = Hearing(vad, ears, limits=LIMITS)
    data = wav(row(0.3, said[0], 0.3).samples)
    heard: dict[str, Transcript] = {}
    threads = [
        threading.Thread(target=lambda code=code: heard.__setitem__(code, hearing.transcribe(data, code)))
        for code in ears
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(240)
    assert {code: each.engine for code, each in heard.items()} == {"zh": "vosk:test-zh", "en": "vosk:test-en"}
    assert all(checked(each).language == code for code, each in heard.items())
    ears["en"].close()
    with pytest.raises(Unavailable, match="expected a loaded model, got none"):
        hearing.transcribe(data, "en")
    assert hearing.transcribe(data, "zh").text, "the other goes on"
    ears["en"].load()
    assert hearing.transcribe(data, "en").text
    for ear in ears.values():
        ear.close()
        ear.close()
