"""`appliance mic list | test | record` as a user runs them, on a virtual sound card and on a machine without one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from appliance.cli.exits import Exit
from appliance.speech.wav import decode
from tests.soundcard import SoundCard
from tests.speech.sounds import tone, wav

RATE = 16_000


@pytest.fixture
def card() -> Iterator[SoundCard]:
    with SoundCard() as card:
        yield card


def mic(card: SoundCard, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "appliance.cli", "mic", *arguments]
    return subprocess.run(command, env=card.environ, capture_output=True, text=True, timeout=90, check=False)


def hum(card: SoundCard, folder: Path, *, level: float) -> None:
    """Let a tone sound into the microphone for a minute."""
    (folder / "hum.wav").write_bytes(wav(tone(RATE, 60, level=level)))
    card.speak(folder / "hum.wav")


def test_the_devices(card: SoundCard) -> None:
    told = mic(card, "list")
    assert told.returncode == Exit.OK, told.stderr
    for line in ("输入 / inputs", "输出 / outputs", "  * default  (ALSA, 32 ch, 44100 Hz)"):
        assert line in told.stdout.splitlines()
    both = json.loads(mic(card, "list", "--json").stdout)
    for side in ("inputs", "outputs"):
        assert [found["name"] for found in both[side] if found["default"]] == ["default"]


def test_a_machine_without_a_sound_card(card: SoundCard, tmp_path: Path) -> None:
    card.kill()
    told = mic(card, "list")
    assert told.returncode == Exit.OK
    assert "输入 / inputs: 无 / none" in told.stdout
    for command in (["test"], ["record", str(tmp_path / "x.wav")]):
        told = mic(card, *command)
        assert told.returncode == Exit.UNAVAILABLE
        assert "没有找到声音设备" in told.stderr
        assert "  → " in told.stderr
    assert not [*tmp_path.iterdir()]


def test_what_is_recorded_is_what_sounds(card: SoundCard, tmp_path: Path) -> None:
    hum(card, tmp_path, level=0.25)
    file = tmp_path / "heard.wav"
    told = mic(card, "record", str(file), "--seconds", "1.5", "--device", "pulse")
    assert told.returncode == Exit.OK, told.stderr
    assert f"{file}: 1.5 s" in told.stdout
    heard = decode(file.read_bytes(), max_seconds=2, max_bytes=10**6)
    assert (heard.rate, len(heard.samples)) == (RATE, 24_000)
    loud = heard.samples[8000:]
    assert np.sqrt(np.mean(loud**2)) == pytest.approx(0.25 / np.sqrt(2), rel=0.05)
    assert np.abs(np.fft.rfft(loud)).argmax() == 440 * len(loud) // RATE
    assert [path.name for path in tmp_path.iterdir() if path.name not in ("hum.wav", "heard.wav")] == []


@pytest.mark.parametrize(
    ("level", "code", "said"),
    [
        (0.3, Exit.OK, "正常 / it hears well"),
        (1.0, Exit.NOT_READY, "Clipped: turn the capture level down"),
        (0.001, Exit.NOT_READY, "Too quiet"),
    ],
)
def test_the_microphone_tried_out(card: SoundCard, tmp_path: Path, level: float, code: Exit, said: str) -> None:
    hum(card, tmp_path, level=level)
    told = mic(card, "test", "--seconds", "1.2")
    assert told.returncode == code, told.stdout + told.stderr
    assert said in told.stdout
    assert "default: 48000 Hz, 2 ch" in told.stdout
    assert len([line for line in told.stdout.splitlines() if " dB" in line and "·" in line]) >= 2 or level == 1.0


def test_a_muted_microphone_tried_out(card: SoundCard) -> None:
    card.mute()
    told = mic(card, "test", "--seconds", "4")
    assert told.returncode == Exit.NOT_READY
    assert "麦克风已静音" in told.stdout


def test_a_device_that_is_not_there_is_named_beside_those_that_are(card: SoundCard) -> None:
    told = mic(card, "test", "--device", "webcam")
    assert told.returncode == Exit.UNAVAILABLE
    assert "'webcam'" in told.stderr
    assert "'default'" in told.stderr


def test_a_folder_that_is_not_there(card: SoundCard, tmp_path: Path) -> None:
    told = mic(card, "record", str(tmp_path / "none" / "x.wav"))
    assert told.returncode == Exit.USAGE
    assert "expected a folder" in told.stderr
