"""`appliance hear` as a user runs it: what it prints of a recording, and how it refuses."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from appliance.app import bundled
from appliance.artifacts.manifest import load_manifests
from appliance.artifacts.pull import Puller
from appliance.artifacts.store import ModelStore
from appliance.cli.exits import Exit
from tests.cli.conftest import Command
from tests.conftest import REPOSITORY
from tests.e2e.conftest import copy_models
from tests.e2e.voice import write_manifests
from tests.speech.sounds import spoken, vosk_folder, wav

SPEECH = REPOSITORY / "models/silero-vad/cases"


@pytest.fixture
def voice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Before `command`: the fake vosk with an installed model for it, the real speech detection. A data folder."""
    monkeypatch.syspath_prepend(REPOSITORY / "tests/speech/fakes")
    monkeypatch.delitem(sys.modules, "vosk", raising=False)
    manifests, packed = write_manifests(tmp_path, vosk_folder(tmp_path / "model"))
    monkeypatch.setattr(bundled, "shipped_root", lambda: manifests)
    store = ModelStore(copy_models(tmp_path / "data"), load_manifests(manifests))
    (outcome,) = Puller(store).bring(packed)
    assert outcome.result == "installed", outcome.error
    return tmp_path / "data"


@pytest.fixture
def hears(command: Command, voice: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """`appliance ...` on an installation that hears."""
    monkeypatch.setenv("APPLIANCE_DATA_DIR", str(voice))
    return command


@pytest.fixture
def recording(espeak: str, tmp_path: Path) -> Path:
    """Two sentences with a pause of two seconds between them."""
    parts = [np.frombuffer(spoken(espeak, text)[44:], "<i2") / 32768 for text in ("ni3 hao3", "zai4 jian4")]
    path = tmp_path / "recording.wav"
    path.write_bytes(wav(np.concatenate([parts[0], np.zeros(2 * 22050), parts[1], np.zeros(22050)]), 22050))
    return path


def test_a_line_for_each_stretch_of_speech_and_the_answer(hears: Command, recording: Path) -> None:
    told = hears("hear", str(recording))
    assert told.code == Exit.OK, told.err
    first, second, answer = told.out.splitlines()
    assert " s  " in first
    assert " 50%  " in first
    assert float(second.split()[0]) > float(first.split()[2]), "one after the other"
    assert answer.startswith("→ ")
    assert len(answer) > 4


def test_as_json(hears: Command, recording: Path) -> None:
    told = hears("hear", str(recording), "--json").json
    assert told["text"]
    assert len(told["segments"]) == 2
    for segment in told["segments"]:
        assert segment["words"]
        assert segment["text"] in told["text"]
        assert all(segment["start"] <= word["start"] <= word["end"] <= segment["end"] for word in segment["words"])
        assert all(word["confidence"] == 0.5 for word in segment["words"])
    assert (told["engine"], told["language"], told["confidence"]) == ("vosk:vosk-small-cn", "zh", 0.5)
    assert told["seconds"] > 3
    assert told["intent"]
    assert told["answer"]
    assert "vad" in told["timings_ms"]


def test_where_nobody_speaks_only_the_answer_is_printed(hears: Command, tmp_path: Path) -> None:
    path = tmp_path / "quiet.wav"
    path.write_bytes(wav(np.zeros(32000)))
    told = hears("hear", str(path))
    assert told.code == Exit.OK
    (answer,) = told.out.splitlines()
    assert "没有听" in answer
    assert hears("hear", str(path), "--json").json["segments"] == []


def test_without_speech_detection_it_says_so(hears: Command, voice: Path, recording: Path) -> None:
    shutil.rmtree(voice / "models" / "silero-vad")
    told = hears("hear", str(recording))
    assert told.code == Exit.OK
    assert "appliance models pull silero-vad" in told.err
    assert told.out.splitlines()[0].split()[0] == "0.00"


def test_another_language_is_unavailable(hears: Command, recording: Path) -> None:
    told = hears("hear", str(recording), "--language", "en")
    assert told.code == Exit.UNAVAILABLE
    assert "appliance models pull vosk-small-en" in told.err


def test_without_a_model_it_names_the_command(command: Command) -> None:
    clip = next(path for path in sorted(SPEECH.iterdir()) if path.suffix == ".wav")
    told = command("hear", str(clip))
    assert (told.code, told.out) == (Exit.UNAVAILABLE, "")
    assert "appliance models pull vosk-small-cn" in told.err


@pytest.mark.parametrize("kind", ["absent", "a folder", "a text", "too large", "no end"])
def test_what_is_no_recording_is_refused(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path = tmp_path / "recording.wav"
    if kind == "a folder":
        path.mkdir()
    elif kind == "a text":
        path.write_text("not a recording")
    elif kind == "too large":
        monkeypatch.setenv("APPLIANCE_MAX_AUDIO_BYTES", "2000")
        path.write_bytes(wav(np.zeros(1600)))
    elif kind == "no end":
        path.symlink_to("/dev/zero")
    told = command("hear", str(path))
    assert (told.code, told.out) == (Exit.USAGE, "")
    assert " / " in told.err.splitlines()[0]
    assert "→" in told.err
