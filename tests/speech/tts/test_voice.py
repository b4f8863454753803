"""Choosing a voice, sentence by sentence, pauses, WAV files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from appliance.errors import Unavailable
from appliance.speech.encode import wav
from appliance.speech.tts.engines import candidates, spoken_by
from appliance.speech.tts.espeak import EspeakVoice
from appliance.speech.tts.sherpa import SherpaVoice
from appliance.speech.tts.voice import chosen, joined, sentences, trimmed
from appliance.speech.wav import decode
from appliance.values import Audio
from tests.speech.tts.speakers import FakeVoice


def tone(seconds: float, rate: int = 16_000, quiet: float = 0.0) -> Audio:
    at = np.arange(round(seconds * rate)) / rate
    edge = np.zeros(round(quiet * rate), np.float32)
    return Audio(np.concatenate([edge, 0.5 * np.sin(2 * np.pi * 300 * at).astype(np.float32), edge]), rate)


def test_the_first_that_speaks_the_language() -> None:
    missing, english, both = FakeVoice(missing="not installed"), FakeVoice(languages=("en",)), FakeVoice()
    assert chosen([missing, english, both], "zh") is both
    assert chosen([missing, english, both], "en") is english


def test_where_none_speaks_all_reasons_are_told() -> None:
    with pytest.raises(Unavailable) as refusal:
        chosen([FakeVoice(missing="not installed"), FakeVoice(languages=("en",))], "zh")
    assert "not installed" in refusal.value.detail
    assert "('en',)" in refusal.value.detail
    assert refusal.value.remedy == "请安装 / Install it"
    with pytest.raises(Unavailable, match="no engine"):
        chosen([], "zh")


def test_sentences_are_made_one_by_one() -> None:
    voice = FakeVoice()
    made = sentences(voice, "您好！请坐。😀。谢谢", "zh")
    assert next(made).seconds > 0
    assert voice.said == ["您好!"]
    assert len(list(made)) == 2


def test_pauses_between() -> None:
    comma, stop, none = (joined([(text, tone(0.5)), ("x", tone(0.5))]).seconds for text in ("好，", "好。", "好"))
    assert stop > comma > none > 1.0
    assert joined([]).seconds == 0


def test_silence_at_the_edges_is_cut() -> None:
    cut = trimmed(tone(0.5, quiet=1.0).samples, 16_000)
    assert 0.5 <= len(cut) / 16_000 < 0.53
    assert len(trimmed(np.zeros(100, np.float32), 16_000)) == 0


def test_a_wav_file_is_read_again() -> None:
    audio = Audio(np.float32([0, 0.5, -0.5, 1.5, -2.0]), 22_050)
    read = decode(wav(audio), max_seconds=1, max_bytes=1000)
    assert read.rate == 22_050
    np.testing.assert_allclose(read.samples, [0, 0.5, -0.5, 1, -1], atol=1e-4)


def test_candidates(tmp_path: Path) -> None:
    folder = str(tmp_path / "vits-melo-tts-zh_en")
    neural, espeak = candidates("auto", folder)
    assert isinstance(neural, SherpaVoice)
    assert neural.languages == ("zh", "en")
    assert isinstance(espeak, EspeakVoice)
    assert [type(voice) for voice in candidates("auto")] == [EspeakVoice]
    assert [type(voice) for voice in candidates("espeak", folder)] == [EspeakVoice]
    assert [type(voice) for voice in candidates("sherpa", folder)] == [SherpaVoice]
    assert candidates("sherpa") == candidates("off", folder) == ()


def test_a_neural_voice_that_is_not_there_gives_way(tmp_path: Path, espeak: str) -> None:
    assert isinstance(chosen(candidates("auto", str(tmp_path / "nowhere-zh")), "zh"), EspeakVoice)


@pytest.mark.parametrize(
    ("name", "languages"),
    [
        ("vits-melo-tts-zh_en", ("zh", "en")),
        ("kokoro-multi-lang-v1_0", ("zh", "en")),
        ("vits-zh-aishell3", ("zh",)),
        ("mine", ("zh",)),
    ],
)
def test_languages_of_a_folder(name: str, languages: tuple[str, ...]) -> None:
    assert spoken_by(name) == languages
