"""`appliance say` as a user runs it: into a file, out of the loudspeaker, and how it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from appliance.cli.exits import Exit
from appliance.speech.wav import decode
from tests.cli.conftest import Command
from tests.soundcard import SPEAKER_RATE, SoundCard


@pytest.mark.usefixtures("espeak")
def test_into_a_file(command: Command, tmp_path: Path) -> None:
    told = command("say", "一共¥128.50，谢谢！", "--out", str(tmp_path / "said.wav"))
    assert told.code == Exit.OK, told.err
    assert "一共一百二十八元五角，谢谢！" in told.err
    assert "espeak-ng:cmn-latn-pinyin" in told.err
    audio = decode((tmp_path / "said.wav").read_bytes(), max_seconds=60, max_bytes=1 << 24)
    assert audio.rate == 22_050
    assert 1.5 < audio.seconds < 8
    assert np.abs(audio.samples).max() > 0.2


@pytest.mark.usefixtures("espeak")
def test_in_english(command: Command, tmp_path: Path) -> None:
    told = command("say", "Open 9:00-21:00.", "--language", "en", "-o", str(tmp_path / "said.wav"))
    assert told.code == Exit.OK, told.err
    assert "Open 9 A.M to 9 P.M." in told.err


@pytest.mark.usefixtures("espeak")
def test_out_of_the_loudspeaker(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    with SoundCard() as card:
        card.adopt(monkeypatch)
        with card.heard() as heard:
            told = command("say", "您好，请取件。", "--device", "default")
        assert told.code == Exit.OK, told.err
        assert np.count_nonzero(np.abs(heard.samples) > 0.05) > SPEAKER_RATE // 10


@pytest.mark.usefixtures("espeak")
def test_a_loudspeaker_that_is_not_there(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    with SoundCard() as card:
        card.adopt(monkeypatch)
        told = command("say", "您好", "--device", "no such thing")
    assert told.code == Exit.UNAVAILABLE
    assert "no such thing" in told.err


@pytest.mark.usefixtures("espeak")
def test_a_file_that_cannot_be_written(command: Command, tmp_path: Path) -> None:
    told = command("say", "您好", "--out", str(tmp_path / "nowhere" / "said.wav"))
    assert told.code == Exit.FAILED
    assert "nowhere" in told.err


def test_nothing_to_say(command: Command) -> None:
    told = command("say", "😀")
    assert told.code == Exit.USAGE


def test_turned_off(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPLIANCE_SPEECH_ENGINE", "off")
    told = command("say", "您好")
    assert told.code == Exit.UNAVAILABLE
    assert "no engine" in told.err


def test_without_the_program(command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    told = command("say", "您好")
    assert told.code == Exit.UNAVAILABLE
    assert "apt-get install espeak-ng" in told.err
