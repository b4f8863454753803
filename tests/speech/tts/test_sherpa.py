"""Voices of sherpa-onnx: the same tests on a fake of the package and, where it is installed, on the real one."""

from __future__ import annotations

import importlib.util
import shutil
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from appliance.errors import InvalidInput, ModelCorrupt, ModelMissing, Unavailable
from appliance.speech.tts.sherpa import SherpaVoice, layout_of
from tests.conftest import REPOSITORY
from tests.speech.tts.voices import RATE, vits_folder

INSTALLED = importlib.util.find_spec("sherpa_onnx") is not None


@pytest.fixture(params=["fake", "real"])
def package(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "real":
        if not INSTALLED:
            pytest.skip("sherpa-onnx is not installed: pip install sherpa-onnx")
        return
    monkeypatch.syspath_prepend(REPOSITORY / "tests/speech/fakes")
    monkeypatch.delitem(sys.modules, "sherpa_onnx", raising=False)


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return vits_folder(tmp_path_factory.mktemp("voices") / "vits-tones")


@pytest.fixture
def folder(shipped: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(shipped, tmp_path / shipped.name))


@pytest.mark.usefixtures("package")
def test_it_speaks(folder: Path) -> None:
    voice = SherpaVoice(folder)
    voice.probe()
    assert voice.name == "sherpa-onnx:vits-tones"
    short, long = (voice.say(text, "zh") for text in ("你好。", "你好，你好，你好。"))
    assert short.rate == RATE
    assert short.samples.dtype == np.float32
    assert 0.05 < np.abs(short.samples).max() <= 1
    assert long.seconds > short.seconds + 0.3
    assert len(voice.say("😀", "zh").samples) == 0
    voice.close()
    assert voice.say("你好", "zh").seconds > 0, "it loads again"


@pytest.mark.usefixtures("package")
def test_figures_are_read_before(folder: Path) -> None:
    voice = SherpaVoice(folder, rehearsed=True)
    assert voice.say("2.1", "zh").seconds == pytest.approx(voice.say("二点一", "zh").seconds)


@pytest.mark.usefixtures("package")
def test_stop_breaks_off(folder: Path) -> None:
    voice = SherpaVoice(folder, rehearsed=True)
    voice.probe()
    real = voice._tts.generate
    given: list[int] = []

    class Slow:
        num_speakers = 1

        def generate(self, text: str, *, sid: int, speed: float, callback: object) -> object:
            voice.stop()
            made = real(text, sid=sid, speed=speed, callback=callback)
            given.append(len(made.samples))
            return made

    voice._tts = Slow()
    with pytest.raises(Unavailable, match="got stopped"):
        voice.say("你好。你好。你好。你好。", "zh")
    whole = len(real("你好。你好。你好。你好。", sid=0, speed=1.0).samples)
    assert given[0] < whole, "what follows the first piece was not made"


@pytest.mark.usefixtures("package")
def test_two_threads(folder: Path) -> None:
    voice = SherpaVoice(folder, rehearsed=True)
    said: list[float] = []
    threads = [threading.Thread(target=lambda: said.append(voice.say("你好", "zh").seconds)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(set(said)) == 1


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize("damage", ["truncated", "no metadata", "another file"])
def test_a_damaged_voice_is_refused_and_the_process_lives(folder: Path, damage: str) -> None:
    model = folder / "model.onnx"
    data = model.read_bytes()
    broken = {"truncated": data[:300], "no metadata": data.replace(b"n_speakers", b"n_speakerz"), "another file": b"x"}
    model.write_bytes(broken[damage])
    with pytest.raises(ModelCorrupt, match="expected it to speak"):
        SherpaVoice(folder).probe()


@pytest.mark.usefixtures("package")
def test_a_speaker_that_it_does_not_have(folder: Path) -> None:
    with pytest.raises(Unavailable, match="speaker below 1"):
        SherpaVoice(folder, speaker=7, rehearsed=True).probe()


@pytest.mark.skipif(INSTALLED, reason="the package is installed")
def test_without_the_package(folder: Path) -> None:
    with pytest.raises(Unavailable, match="expected the package sherpa-onnx") as refusal:
        SherpaVoice(folder).probe()
    assert "pip install sherpa-onnx" in refusal.value.remedy


def test_a_language_that_it_does_not_speak(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="to speak 'en'"):
        SherpaVoice(tmp_path).say("hello", "en")


def test_a_speed_beyond_its_range(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        SherpaVoice(tmp_path, speed=5)


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        if name.endswith("/"):
            path.mkdir(parents=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
    return folder


def test_layouts(tmp_path: Path) -> None:
    melo = touch(
        tmp_path / "melo", "model.onnx", "tokens.txt", "lexicon.txt", "dict/", "number.fst", "new_heteronym.fst"
    )
    found = layout_of(melo)
    assert found.kind == "vits"
    assert found.files == {
        "model": str(melo / "model.onnx"),
        "tokens": str(melo / "tokens.txt"),
        "lexicon": str(melo / "lexicon.txt"),
        "dict_dir": str(melo / "dict"),
        "rule_fsts": str(melo / "new_heteronym.fst"),
    }
    piper = layout_of(touch(tmp_path / "piper", "zh_CN-huayan-medium.onnx", "tokens.txt", "espeak-ng-data/"))
    assert (piper.kind, "data_dir" in piper.files) == ("vits", True)
    matcha = layout_of(touch(tmp_path / "matcha", "model-steps-3.onnx", "vocos-22khz-univ.onnx", "tokens.txt"))
    assert matcha.kind == "matcha"
    assert matcha.files["vocoder"].endswith("vocos-22khz-univ.onnx")
    assert matcha.files["acoustic_model"].endswith("model-steps-3.onnx")
    kokoro = layout_of(
        touch(
            tmp_path / "kokoro",
            *("model.onnx", "model.int8.onnx", "voices.bin", "tokens.txt", "lexicon-us-en.txt", "lexicon-zh.txt"),
        )
    )
    assert kokoro.kind == "kokoro"
    assert kokoro.files["model"].endswith("model.onnx")
    assert kokoro.files["lexicon"].count(",") == 1


def test_what_is_no_voice(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing):
        layout_of(tmp_path / "nowhere")
    with pytest.raises(ModelCorrupt, match="got nothing"):
        layout_of(touch(tmp_path, "none/") / "none")
    with pytest.raises(ModelCorrupt, match=r"got model\.onnx"):
        layout_of(touch(tmp_path / "no-tokens", "model.onnx"))
