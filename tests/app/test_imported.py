"""A recogniser that was imported hears in the appliance; one that was damaged since is named, and all else serves."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from appliance.app.build import build
from appliance.errors import Unavailable
from appliance.settings import Settings
from appliance.speech.ctc.install import bring
from appliance.speech.encode import wav
from appliance.values import Audio

sys.path.insert(0, str(Path(__file__).parent.parent / "speech" / "ctc"))
import tone_networks

TUNE = Audio(tone_networks.melody((0, 0.3), (1, 0.3), (4, 0.3)).astype(np.float32), tone_networks.RATE)


@pytest.fixture
def brought(tmp_path: Path) -> Path:
    """A data folder with a recogniser that hears tunes."""
    folder = tone_networks.sensevoice_folder(tmp_path / "SenseVoice Small")
    bring(tmp_path / "data" / "models", folder)
    return tmp_path / "data"


def test_it_hears_in_its_languages_and_its_name_is_shown(brought: Path) -> None:
    with build(Settings(data_dir=str(brought)), senses=("asr",)) as appliance:
        (asr,) = (feature for feature in appliance.features() if feature.name == "asr")
        assert (asr.state, asr.backend, asr.languages) == ("ready", "sensevoice", ("zh", "en"))
        assert asr.models[0].startswith("sensevoice-small@")
        assert "sensevoice-small 已加载" in asr.reason
        reply = appliance.hear(wav(TUNE))
        assert reply.transcript is not None
        assert reply.transcript.engine == "sensevoice:sensevoice-small"
        assert reply.transcript.text
        assert reply.turn.source == "audio"


def test_a_damaged_one_is_named_with_what_to_do_and_the_rest_serves(brought: Path) -> None:
    (network,) = (brought / "models").rglob("model.onnx")
    network.chmod(0o644)
    network.write_bytes(network.read_bytes()[:-100])
    with build(Settings(data_dir=str(brought)), senses=("asr",)) as appliance:
        (asr,) = (feature for feature in appliance.features() if feature.name == "asr")
        assert asr.state == "off"
        assert "sensevoice-small" in asr.reason
        assert appliance.ready(), "who types is answered"
        with pytest.raises(Unavailable):
            appliance.hear(wav(TUNE))


def test_a_manifest_that_cannot_be_read_is_named(brought: Path) -> None:
    (brought / "models" / "sensevoice-small" / "manifest.yaml").write_text("no: [manifest")
    with build(Settings(data_dir=str(brought)), senses=("asr",)) as appliance:
        (asr,) = (feature for feature in appliance.features() if feature.name == "asr")
        assert asr.state == "off"
        assert "sensevoice-small" in asr.reason


def test_an_import_that_its_own_loader_would_refuse_leaves_the_good_one_alone(tmp_path: Path) -> None:
    root = tmp_path / "data" / "models"
    folder = tone_networks.sensevoice_folder(tmp_path / "SenseVoice Small")
    bring(root, folder)
    before = (root / "sensevoice-small" / "manifest.yaml").read_bytes()
    (folder / "README.md").write_text("")  # an empty file is a file
    bring(root, folder)
    assert (root / "sensevoice-small" / "manifest.yaml").read_bytes().count(b"sha256") >= before.count(b"sha256")
    with build(Settings(data_dir=str(tmp_path / "data")), senses=("asr",)) as appliance:
        assert next(f for f in appliance.features() if f.name == "asr").state == "ready"
