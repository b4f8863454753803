"""Fuzzed recordings: read as what they hold, or refused by a typed error; memory stays in proportion."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence

import numpy as np
from hypothesis import HealthCheck, given, settings

from appliance.errors import InvalidInput, TooLarge, UnsupportedMedia
from appliance.speech.asr import transcript
from appliance.speech.hear import Hearing, Limits
from appliance.speech.vad import Vad
from appliance.speech.wav import decode
from appliance.values import Audio, Segment, Transcript
from tests.speech.wavs import Good, good_wavs, hostile_wavs

REFUSALS = (InvalidInput, TooLarge, UnsupportedMedia)


class FakeRecogniser:
    """Hears nothing, and insists on what the contract promises it."""

    name, language = "fake:zh", "zh"

    def transcribe(self, audio: Audio, segments: Sequence[Segment], *, deadline: float | None = None) -> Transcript:
        assert audio.rate == 16000
        assert audio.samples.dtype == np.float32
        assert np.isfinite(audio.samples).all()
        assert np.abs(audio.samples).max(initial=0) <= 1
        assert all(0 <= segment.start < segment.end <= audio.seconds for segment in segments)
        return transcript((), language="zh", engine=self.name, seconds=audio.seconds)

    def close(self) -> None:
        """Nothing to release."""


@given(good_wavs())
@settings(max_examples=150, deadline=None)
def test_good_recordings_are_read_for_what_they_hold(good: Good) -> None:
    audio = decode(good.data, max_seconds=60, max_bytes=1 << 25)
    assert (audio.rate, len(audio.samples)) == (good.rate, good.frames)
    assert np.abs(audio.samples).max() <= 1


@given(hostile_wavs())
@settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_hostile_recordings_are_read_or_refused(data: bytes) -> None:
    audio: Audio | None = None
    refused = ""
    try:
        audio = decode(data, max_seconds=60, max_bytes=1 << 25)
    except REFUSALS as error:
        refused = error.detail
    if audio is None:
        assert 0 < len(refused) < 300, "a refusal gives its reason, and does not repeat what it was sent"
        return
    assert audio.samples.ndim == 1
    assert len(audio.samples) > 0
    assert np.isfinite(audio.samples).all()
    assert np.abs(audio.samples).max() <= 1
    assert 8000 <= audio.rate <= 96000


@given(hostile_wavs())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_memory_stays_in_proportion_to_what_was_sent(data: bytes) -> None:
    tracemalloc.start()
    try:
        decode(data, max_seconds=60, max_bytes=1 << 25)
    except REFUSALS:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 5 * len(data) + 2_500_000


@given(hostile_wavs())
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_hostile_recordings_go_through_every_stage_or_are_refused(vad: Vad, data: bytes) -> None:
    hearing = Hearing(vad, {"zh": FakeRecogniser()}, limits=Limits())
    try:
        heard = hearing.transcribe(data, "zh")
    except REFUSALS:
        return
    assert heard.seconds > 0
    assert all(0 <= segment.start < segment.end <= heard.seconds + 1e-3 for segment in heard.segments)
