"""Recognisers that are installed, mended or spoilt while the appliance serves."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from appliance.app import hearers, recognisers
from appliance.app.appliance import Appliance
from appliance.app.build import build
from appliance.app.recognisers import Recognisers
from appliance.device.ladder import Rung
from appliance.errors import Unavailable
from appliance.settings import Settings
from appliance.speech.ctc.install import bring
from appliance.speech.encode import wav
from appliance.values import Audio, Feature

sys.path.insert(0, str(Path(__file__).parent.parent / "speech" / "ctc"))
import tone_networks

TUNE = wav(Audio(tone_networks.melody((0, 0.3), (1, 0.3), (4, 0.3)).astype(np.float32), tone_networks.RATE))


@pytest.fixture
def serving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Appliance, Path]]:
    """An appliance on an empty data folder that looks often, and its folder of models."""
    monkeypatch.setattr(recognisers, "LOOK_S", 0.05)
    with build(Settings(data_dir=str(tmp_path / "data")), senses=("asr",)) as appliance:
        yield appliance, tmp_path / "data" / "models"


def hearing(appliance: Appliance) -> Feature:
    return next(feature for feature in appliance.features() if feature.name == "asr")


def until(true: Callable[[], object], what: str) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end, f"expected that {what}"
        time.sleep(0.05)


def test_one_that_is_imported_while_the_appliance_serves_hears_without_a_restart(
    serving: tuple[Appliance, Path], tmp_path: Path
) -> None:
    appliance, models = serving
    assert hearing(appliance).state == "off"
    with pytest.raises(Unavailable):
        appliance.hear(TUNE)
    bring(models, tone_networks.sensevoice_folder(tmp_path / "SenseVoice Small"))
    until(lambda: "loaded" in hearing(appliance).reason, "it hears")
    asr = hearing(appliance)
    assert (asr.backend, asr.languages) == ("sensevoice", ("zh", "en"))
    assert asr.models[0].startswith("sensevoice-small@")
    assert "sensevoice-small 已加载" in asr.reason
    assert "vosk-small-cn" not in asr.reason, "what is heard already is not missed"
    reply = appliance.hear(TUNE)
    assert reply.transcript is not None
    assert reply.transcript.text


def test_one_that_is_corrupt_is_shown_and_hears_again_once_it_is_installed_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recognisers, "LOOK_S", 0.05)
    folder = tone_networks.sensevoice_folder(tmp_path / "SenseVoice Small")
    models = tmp_path / "data" / "models"
    bring(models, folder)
    (network,) = models.rglob("model.onnx")
    network.chmod(0o644)
    network.write_bytes(network.read_bytes()[:-100])
    with build(Settings(data_dir=str(tmp_path / "data")), senses=("asr",)) as appliance:
        asr = hearing(appliance)
        assert asr.state == "off"
        assert "sensevoice-small" in asr.reason
        bring(models, folder)
        until(lambda: hearing(appliance).state == "ready", "it hears again")
        reply = appliance.hear(TUNE)
        assert reply.transcript is not None
        assert reply.transcript.text


def test_a_look_that_fails_is_told_and_the_next_one_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, dict[str, Any]]] = []
    looked: list[int] = []

    class Failing(Recognisers):
        def look(self) -> None:
            looked.append(1)
            raise RuntimeError("a defect")

    monkeypatch.setattr(recognisers, "LOOK_S", 0.01)
    watched = Failing(None, None, {}, None, lambda event, /, **more: told.append((event, more)))  # type: ignore[arg-type]
    watched.start()
    until(lambda: len(looked) > 2, "it looks again")
    watched.close()
    watched.close()
    assert told[0][0] == "recognisers_look_failed"
    assert "RuntimeError" in told[0][1]["reason"]
    assert "a defect" not in told[0][1]["reason"], "a message may hold anything"


def test_nothing_is_loaded_anew_while_nothing_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with build(Settings(data_dir=str(tmp_path / "data")), senses=("asr",)) as appliance:
        assert hearing(appliance).state == "off"
        loads: list[int] = []
        monkeypatch.setattr(Recognisers, "load", lambda self: loads.append(1))
        monkeypatch.setattr(recognisers, "LOOK_S", 0.01)
        time.sleep(0.2)
        assert loads == []


class FakeVosk:
    """Stands for a Vosk recogniser, whose model is not on PyPI in Chinese."""

    def __init__(self, folder: Path, **more: Any) -> None:
        self.name, self.closed = f"vosk:{more['name']}", False

    def load(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


def test_a_lighter_recogniser_hears_while_that_is_wanted_and_the_best_again_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearers, "VoskRecogniser", FakeVosk)
    bring(tmp_path / "data" / "models", tone_networks.sensevoice_folder(tmp_path / "SenseVoice Small"))
    with build(Settings(data_dir=str(tmp_path / "data")), senses=("asr",)) as appliance:
        ears = next(knob for knob in appliance._rooms.governing._knobs if knob.name == "recogniser")
        hears = appliance._rooms.hearing
        best = hears.recogniser("zh")
        assert "no lighter recogniser installed" in ears.turn(Rung(light=True))
        own = _recognisers(appliance)
        monkeypatch.setitem(own._manifests, "vosk-small-cn", SimpleNamespace(size=10))
        monkeypatch.setattr(own._store, "folder", lambda model: tmp_path)
        assert ears.turn(Rung(light=True)).count("no lighter") == 1, "English has none installed"
        light = hears.recogniser("zh")
        assert isinstance(light, FakeVosk)
        assert hears.recogniser("en") is not light
        ears.turn(Rung(light=True))
        assert hears.recogniser("zh") is light, "once is enough"
        ears.turn(Rung())
        assert hears.recogniser("zh") is best
        ears.turn(Rung(light=True))
        assert hears.recogniser("zh") is light, "and not loaded again"
        newer: Any = FakeVosk(tmp_path, name="a newer best")
        own._serve("zh", "sensevoice-small", 2, newer)
        assert hears.recogniser("zh") is light, "what is installed meanwhile waits for its turn"
        ears.turn(Rung())
        assert hears.recogniser("zh") is newer
        monkeypatch.setitem(own._manifests, "vosk-small-cn", SimpleNamespace(size=1 << 40))
        ears.turn(Rung())
        assert ears.turn(Rung(light=True)).count("no lighter") == 2, "a larger one is no lighter one"
    assert light.closed


def _recognisers(appliance: Appliance) -> Recognisers:
    knob = next(knob for knob in appliance._rooms.governing._knobs if knob.name == "recogniser")
    for cell in knob.turn.__closure__ or ():
        owner = getattr(cell.cell_contents, "__self__", None)
        if isinstance(owner, Recognisers):
            return owner
    raise AssertionError("expected the knob to turn the recognisers")
