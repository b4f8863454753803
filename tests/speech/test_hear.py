"""From the bytes of a recording to words."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sounds import chunk, fmt, riff, spoken, tone, wav

from appliance.artifacts.manifest import load_manifests, shipped_root
from appliance.device.bill import OTHER, paying
from appliance.errors import DeadlineExceeded, InvalidInput, TooLarge, Unavailable, UnsupportedMedia
from appliance.speech.asr import Recogniser, transcript
from appliance.speech.hear import MODELS, Hearing, Limits
from appliance.speech.vad import Vad
from appliance.values import Audio, Segment, Transcript, Word
from tests.device.test_bill import Desk


class FakeRecogniser:
    """Hears 在 in every segment and keeps what it was given."""

    def __init__(self, language: str = "zh") -> None:
        self.name = f"fake:{language}"
        self.language = language
        self.given: list[tuple[Audio, tuple[Segment, ...], float | None]] = []

    def transcribe(self, audio: Audio, segments: Sequence[Segment], *, deadline: float | None = None) -> Transcript:
        self.given.append((audio, tuple(segments), deadline))
        words = [Word("在", segment.start, segment.end, 0.8) for segment in segments]
        return transcript(words, language=self.language, engine=self.name, seconds=audio.seconds)

    def close(self) -> None:
        self.given.clear()


LIMITS = Limits(max_seconds=20, max_bytes=2_000_000)


def hearing(vad: Vad | None, *recognisers: Recogniser, limits: Limits = LIMITS) -> Hearing:
    return Hearing(vad, {recogniser.language: recogniser for recogniser in recognisers}, limits=limits)


def test_speech_goes_through_every_stage(vad: Vad, espeak: str) -> None:
    ear = FakeRecogniser()
    deadline = time.monotonic() + 60
    data = spoken(espeak, "xi3 yi1 ye4 zai4 na3 li3")
    heard = hearing(vad, ear).transcribe(data, "zh", deadline=deadline)
    ((audio, segments, passed),) = ear.given
    assert audio.rate == 16000
    assert len(segments) == 1
    assert passed == deadline
    assert (heard.text, heard.engine, heard.language) == ("在", "fake:zh", "zh")
    assert heard.confidence == pytest.approx(0.8)
    assert heard.seconds == pytest.approx((len(data) - 44) / 2 / 22050)
    assert list(heard.timings_ms) == ["decode", "resample", "level", "vad", "asr"]
    assert all(milliseconds >= 0 for milliseconds in heard.timings_ms.values())


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
def test_where_nobody_speaks_nothing_is_heard(vad: Vad, rate: int) -> None:
    ear = FakeRecogniser()
    for sound in (np.zeros(rate * 2), 0.05 * np.random.default_rng(3).standard_normal(rate * 2)):
        heard = hearing(vad, ear).transcribe(wav(sound, rate), "zh")
        assert (heard.text, heard.confidence, heard.words) == ("", 0.0, ())
        assert (heard.seconds, heard.engine, heard.language) == (2.0, "fake:zh", "zh")
        assert list(heard.timings_ms) == ["decode", "resample", "level", "vad"]
    assert ear.given == [], "no ghost words: the recogniser is not even asked"


def test_the_stages_that_are_timed_are_those_that_pay() -> None:
    desk = Desk()
    bill = desk.open("hear")
    with paying(bill):
        heard = hearing(None, FakeRecogniser()).transcribe(wav(tone(16000, 1.0), 16000), "zh")
    bill.close()
    assert set(bill.known().stages) - {OTHER} == set(heard.timings_ms) == {"decode", "resample", "level", "asr"}


def test_without_voice_activity_detection_all_counts_as_speech() -> None:
    ear = FakeRecogniser()
    heard = hearing(None, ear).transcribe(wav(tone(48000, 1.0), 48000), "zh")
    assert ear.given[0][1] == (Segment(0.0, 1.0),)
    assert list(heard.timings_ms) == ["decode", "resample", "level", "asr"]


def test_each_language_has_its_recogniser(vad: Vad, espeak: str) -> None:
    ears = hearing(vad, FakeRecogniser("zh"), FakeRecogniser("en"))
    data = spoken(espeak, "where is the milk", "en")
    assert ears.transcribe(data, "en").engine == "fake:en"
    assert ears.transcribe(data, "zh").engine == "fake:zh"


@pytest.mark.parametrize("language", MODELS)
def test_no_recogniser_names_the_command(vad: Vad, language: str) -> None:
    with pytest.raises(Unavailable) as caught:
        hearing(vad).transcribe(wav(tone(16000, 0.5)), language)
    error = caught.value
    assert f"appliance models pull {MODELS[language]}" in error.remedy
    assert error.retry_after == 60
    assert error.status == 503
    assert "got none" in error.detail


def test_another_language_is_not_guessed(vad: Vad) -> None:
    with pytest.raises(Unavailable, match="expected a recogniser for 'fr', got zh") as caught:
        hearing(vad, FakeRecogniser()).transcribe(wav(tone(16000, 0.5)), "fr")
    assert "appliance models list" in caught.value.remedy


def test_the_models_named_are_shipped() -> None:
    manifests = load_manifests(shipped_root())
    assert {manifests[name].kind for name in MODELS.values()} == {"asr"}


@pytest.mark.parametrize(
    "data, error",
    [
        (b"OggS" + bytes(100), UnsupportedMedia),
        (wav(np.zeros(0)), InvalidInput),
        (riff(fmt(channels=33), chunk(b"data", bytes(640))), InvalidInput),
        (riff(fmt(bits=12), chunk(b"data", bytes(640))), InvalidInput),
        (riff(fmt(rate=96001), chunk(b"data", bytes(640))), InvalidInput),
        (wav(np.zeros(16000 * 21)), TooLarge),
        (wav(np.zeros(16000 * 70)), TooLarge),
    ],
    ids=["ogg", "empty", "channels", "bits", "rate", "long", "large"],
)
def test_what_is_wrong_with_the_recording_comes_first(data: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        hearing(None).transcribe(data, "zh")


def test_a_deadline_in_the_network_ends_it(espeak: str) -> None:
    def late(inputs: object, /, *, deadline: float | None = None) -> dict[str, np.ndarray]:
        raise DeadlineExceeded(f"expected to run before {deadline}")

    ear = FakeRecogniser()
    with pytest.raises(DeadlineExceeded, match=r"before 1\.5"):
        hearing(Vad(late), ear).transcribe(spoken(espeak, "ni3 hao3"), "zh", deadline=1.5)
    assert ear.given == []


@given(st.binary(max_size=60), st.integers(0, 60))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_hostile_recordings_are_refused_or_heard(vad: Vad, noise: bytes, at: int) -> None:
    good = wav(tone(22050, 0.1), 22050)
    try:
        heard = hearing(vad, FakeRecogniser()).transcribe(good[:at] + noise + good[at + len(noise) :], "zh")
    except (InvalidInput, TooLarge, UnsupportedMedia):
        return
    assert heard.seconds > 0
