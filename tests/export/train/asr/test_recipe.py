"""From recordings to a published recogniser, in the small: every stage runs once, the files load and hear."""

from __future__ import annotations

import json
import wave
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("kaldi_native_fbank")

from appliance.app.derive import running  # noqa: E402
from appliance.artifacts.cases import load_cases  # noqa: E402
from appliance.artifacts.manifest import load_manifest  # noqa: E402
from appliance.speech.ctc.accuracy import character_accuracy  # noqa: E402
from export.train import stages  # noqa: E402
from export.train.asr import distort, evaluate, publish, recipe, speak  # noqa: E402

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore::UserWarning")]

SAID = ("洗衣液在哪里", "我要退货", "寄快递多少钱", "帮我叫店员", "厕所怎么走", "有没有优惠", "再说一遍", "谢谢你")


@pytest.fixture
def own(tmp_path: Path, espeak: str) -> Path:
    """Recordings of a user's own."""
    folder = tmp_path / "own"
    folder.mkdir()
    for number, text in enumerate(SAID * 2):
        sound = distort.resampled(speak.synthesise(text, speak.settings("train", 16, 1)[number]))
        with wave.open(str(folder / f"{number}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16000)
            file.writeframes(np.rint(sound * 32767).astype("<i2").tobytes())
        (folder / f"{number}.txt").write_text(text, "utf-8")
    return folder


def test_from_recordings_to_a_published_recogniser(tmp_path: Path, own: Path) -> None:
    work = tmp_path / "work"
    planned = recipe.stages("store", own, synthesis=False, quick=True)
    first = stages.run(planned, work, lambda _: None)
    assert not any(outcome.cached for outcome in first)
    again = stages.run(recipe.stages("store", own, synthesis=False, quick=True), work, lambda _: None)
    assert all(outcome.cached for outcome in again)
    found = recipe.evaluated(work, "store", own)
    assert {"clean", "counter"} == set(found["parts"])
    assert found["recordings"]["count"] == len(SAID) * 2
    assert len(evaluate.missed(found)) >= 1, "an epoch of a minute teaches nothing"
    folder = publish.publish(work, tmp_path / "models")
    manifest = load_manifest(folder / "manifest.yaml")
    spec = manifest.networks["acoustic.onnx"]
    assert spec.gate is not None
    assert spec.gate.metric == "character_accuracy"
    cases = load_cases(folder / "cases")
    assert len(cases) >= 4
    card = (folder / "card.md").read_text("utf-8")
    assert "自备录音训练" in card
    assert "{" not in card
    assert "appliance models import" in card
    assert str(tmp_path) not in card + (folder / "manifest.yaml").read_text("utf-8")
    sizes = json.loads((folder / "acoustic.json").read_text("utf-8"))
    with running(spec, folder / "acoustic.onnx") as run:
        assert 0 <= character_accuracy(run, cases, folder) <= 1
    assert sizes["language"] in evaluate.LANGUAGES
    assert sizes["tone"] in evaluate.TONES


def test_figures_are_those_of_the_definition() -> None:
    pairs = [("你好吗", "你号吗"), ("退货", ""), ("好", "好好")]
    assert evaluate.cer(pairs) == pytest.approx(4 / 6)
    assert evaluate.cer([]) == 0
    low, high = evaluate.interval(pairs * 20)
    assert low < 4 / 6 < high


def test_limits_hold_for_each_condition() -> None:
    good = {"cer": 0.08, "intents": 0.92, "real_time": 0.1}
    assert evaluate.missed({"parts": {"clean": good, "counter": good | {"cer": 0.1, "intents": 0.9}}}) == []
    bad = {"cer": 0.081, "intents": 0.91, "real_time": 0.11}
    missed = evaluate.missed({"parts": {"clean": bad, "counter": bad}})
    assert [line.split(":")[:2] for line in missed] == [
        ["clean", " cer"], ["clean", " intents"], ["clean", " real_time"], ["counter", " real_time"]
    ]  # fmt: skip


def test_something_has_to_be_learnt_from() -> None:
    with pytest.raises(ValueError, match="recordings"):
        recipe.stages("store", None, synthesis=False)
