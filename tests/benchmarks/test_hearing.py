"""What the benchmark of hearing stores, what it counts as found, and that it fails when a limit is missed."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from appliance.speech.wav import decode
from appliance.values import Segment
from benchmarks import hearing


@pytest.mark.parametrize("rate, channels, kind", hearing.FORMS)
def test_every_form_is_a_recording_of_the_sound(rate, channels, kind):
    sound = 0.5 * np.sin(np.arange(rate // 10) / 20)
    audio = decode(hearing.stored(sound, rate, channels, kind), max_seconds=1, max_bytes=1 << 20)
    assert audio.rate == rate
    np.testing.assert_allclose(audio.samples, sound, atol=2**-14)


def test_the_share_of_speech_that_was_found():
    truth = [Segment(1.0, 2.0), Segment(5.0, 6.0)]
    assert hearing.share(truth, (Segment(0.5, 2.5), Segment(4.0, 7.0))) == 1.0
    assert hearing.share(truth, (Segment(1.5, 5.5),)) == 0.5
    assert hearing.share(truth, ()) == 0.0


def test_a_conversation_knows_where_its_speech_is():
    sound, truth = hearing.conversation(0.1)
    assert sound.seconds >= 6
    assert truth
    assert all(0 <= segment.start < segment.end <= sound.seconds for segment in truth)
    loud = np.concatenate([sound.samples[round(s.start * 16000) : round(s.end * 16000)] for s in truth])
    assert loud.std() > 5 * sound.samples[-16000:].std(), "the last second is a pause"


@pytest.mark.parametrize("limit, code", [(1.0, 0), (0.0, 1)])
def test_it_measures_and_fails_over_its_limit(monkeypatch, tmp_path, capsys, limit, code):
    out = tmp_path / "hearing.json"
    monkeypatch.setattr(hearing, "BEFORE_RTF", limit)
    monkeypatch.delenv("VOSK_TEST_MODEL", raising=False)
    arguments = ["hearing", "--check", "--minutes", "0.1", "--rounds", "1", "--json", str(out)]
    monkeypatch.setattr(sys, "argv", arguments)
    assert hearing.main() == code
    assert ("FAIL" in capsys.readouterr().out) is bool(code)
    told = json.loads(out.read_text())
    assert told["asr"] is None
    assert told["machine"]["cores"] >= 1
    assert len(told["forms"]) == len(hearing.FORMS)
    for form in told["forms"].values():
        assert form["found"] > 0.9
        assert form["rtf"] > 0
