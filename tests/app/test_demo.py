"""Where nothing better is installed, the recogniser that was trained here hears, and is named for what it is."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("kaldi_native_fbank")

from appliance.app.build import build
from appliance.artifacts.manifest import load_manifests, shipped_root
from appliance.artifacts.store import ModelStore
from appliance.errors import Unavailable
from appliance.settings import Settings
from appliance.speech.ctc.accuracy import edits
from appliance.speech.ctc.install import bring
from appliance.speech.encode import wav
from appliance.speech.hear import DEMO
from appliance.speech.wav import decode
from appliance.values import Audio, Feature

sys.path.insert(0, str(Path(__file__).parent.parent / "speech" / "ctc"))
import tone_networks

MANIFESTS = load_manifests(shipped_root())
TUNE = Audio(tone_networks.melody((0, 0.3), (1, 0.3), (4, 0.3)).astype(np.float32), tone_networks.RATE)
SOUND = wav(Audio(np.zeros(16_000, np.float32), 16_000))


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """A data folder with nothing but the demo's recogniser."""
    home = ModelStore(tmp_path / "models", MANIFESTS).home(DEMO)
    home.mkdir(parents=True)
    for entry in MANIFESTS[DEMO].files:
        shutil.copyfile(MANIFESTS[DEMO].home / entry.path, home / entry.path)
    return tmp_path


def hearing(features: tuple[Feature, ...]) -> Feature:
    (found,) = (feature for feature in features if feature.name == "asr")
    return found


def test_it_hears_a_sentence_and_says_what_it_is_and_what_to_install(fresh: Path) -> None:
    case = next(case for case in MANIFESTS[DEMO].cases() if case.kind == "utterance")
    with build(Settings(data_dir=str(fresh)), senses=("asr",)) as appliance:
        asr = hearing(appliance.features())
        assert (asr.state, asr.backend, asr.languages) == ("fallback", "ctc", ("zh",))
        assert asr.models[0].startswith(f"{DEMO}@")
        for part in (
            "演示用识别",
            "synthetic speech",
            "appliance models pull vosk-small-cn",
            "appliance models import",
        ):
            assert part in asr.reason
        reply = appliance.hear(case.path.read_bytes())
        assert reply.transcript is not None
        assert reply.transcript.engine == f"ctc:{DEMO}"
        said = str(case.truth["text"])
        assert edits(said, reply.transcript.text) <= 0.3 * len(said), reply.transcript.text
        words = reply.transcript.words
        first, *_, last = case.truth["speech"][0]
        assert words[0].start == pytest.approx(first, abs=0.12), "less than the silence that goes before"
        assert words[-1].end == pytest.approx(last, abs=0.3)
        with pytest.raises(Unavailable) as refused:
            appliance.hear(SOUND, language="en")
        assert "vosk-small-en" in refused.value.account


@pytest.mark.parametrize("around", [0, 8000])
def test_the_first_and_the_last_word_are_heard_out_of_digital_silence_and_without_any(fresh: Path, around: int) -> None:
    case = next(case for case in MANIFESTS[DEMO].cases() if case.path.name.startswith("clean"))
    begin, end = (round(at * 16_000) for at in case.truth["speech"][0])
    spoken = decode(case.path.read_bytes(), max_seconds=60, max_bytes=1 << 24).samples[begin:end]
    silence = np.zeros(around, np.float32)
    with build(Settings(data_dir=str(fresh)), senses=("asr",)) as appliance:
        reply = appliance.hear(wav(Audio(np.concatenate((silence, spoken, silence)), 16_000)))
    assert reply.transcript is not None
    said, heard = str(case.truth["text"]), reply.transcript.text
    assert (heard[:1], heard[-1:]) == (said[0], said[-1]), heard


def test_one_that_was_imported_goes_before_it(fresh: Path) -> None:
    bring(fresh / "models", tone_networks.sensevoice_folder(fresh / "SenseVoice Small"))
    with build(Settings(data_dir=str(fresh)), senses=("asr",)) as appliance:
        asr = hearing(appliance.features())
        assert (asr.state, asr.backend) == ("ready", "sensevoice")
        assert DEMO not in asr.reason
        reply = appliance.hear(wav(TUNE))
        assert reply.transcript is not None
        assert reply.transcript.engine.startswith("sensevoice:")


@pytest.mark.parametrize("file", ["acoustic.onnx", "acoustic.json", "characters.npz"])
def test_a_damaged_file_of_it_is_named_and_whoever_types_is_answered(fresh: Path, file: str) -> None:
    (path,) = (fresh / "models").rglob(file)
    path.write_bytes(path.read_bytes()[:-20])
    with build(Settings(data_dir=str(fresh)), senses=("asr",)) as appliance:
        asr = hearing(appliance.features())
        assert asr.state == "off"
        assert file in asr.reason
        assert "appliance models pull" in asr.reason
        assert appliance.ready()
        with pytest.raises(Unavailable):
            appliance.hear(SOUND)


def test_without_it_nothing_hears_and_that_is_said(tmp_path: Path) -> None:
    with build(Settings(data_dir=str(tmp_path)), senses=("asr",)) as appliance:
        asr = hearing(appliance.features())
        assert asr.state == "off"
        assert DEMO in asr.reason
        assert "appliance models pull" in asr.reason
