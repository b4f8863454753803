"""What is spoken: as a reader says it; training, dev and test share no sentence, and the test no template."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from appliance.packs.compile import load_pack
from export.train import corpus, sentences
from export.train.asr import speak, text
from export.train.asr.text import Lines


@pytest.fixture(scope="module")
def lines() -> Lines:
    return text.load(load_pack("store"), each=60, drills=200)


@pytest.mark.parametrize(
    "written, said",
    [
        ("洗衣液在哪？", "洗衣液在哪"),
        ("vip卡，呢", "VIP卡，呢"),
        ("A023号", "A零二三号"),
        ("2瓶可乐", "两瓶可乐"),
        ("iphone充电线", None),
        ("你有冇", None),
        ("……", None),
        ("", None),
    ],
)
def test_spoken(written: str, said: str | None) -> None:
    assert text.spoken(written) == said


def test_parts_share_no_sentence(lines: Lines) -> None:
    parts = [{line.bare for line in part} for part in (lines.train, lines.dev, lines.test)]
    assert all(len(part) > 100 for part in parts)
    assert not parts[0] & parts[1]
    assert not parts[0] & parts[2]
    assert not parts[1] & parts[2]
    assert len(parts[2]) == len(lines.test)


def test_the_test_shares_no_template_with_training(lines: Lines) -> None:
    learnt, held = ({line.key for line in part if line.key} for part in (lines.train, lines.test))
    assert len(held) > 10
    assert not learnt & held


def test_no_test_file_is_learnt_from_and_no_wrong_writing(lines: Lines) -> None:
    wrong = {
        text.spoken(s.text)
        for part in ("train", "test")
        for s in sentences.load(corpus.DATA, part)
        if s.style in text.WRONG
    }
    right = {text.spoken(s.text) for s in sentences.load(corpus.DATA, "train") if s.style not in text.WRONG}
    tested = {text.spoken(s.text) for s in sentences.load(corpus.DATA, "test")} - {None}
    learnt = {line.text for line in lines.train if line.source == "written"}
    assert not learnt & tested
    assert not learnt & (wrong - right)


def test_lines_are_what_they_were(lines: Lines, tmp_path) -> None:  # type: ignore[no-untyped-def]
    text.save(lines, tmp_path)
    assert tuple(text.read(tmp_path, "test")) == lines.test
    assert text.load(load_pack("store"), each=60, drills=200) == lines


def test_low_voices_are_not_lowered_any_more() -> None:
    for part, found in speak.RANGES.items():
        drawn = speak.settings(part, 200, 3)
        assert {one.voice for one in drawn} <= set(found.voices)
        assert {one.pitch for one in drawn if one.voice in found.low} == set(found.low_pitches)
        assert {one.pitch for one in drawn if one.voice in found.high} == set(found.high_pitches)
        assert min(found.low_pitches) > 50, "which is espeak-ng's usual one"


def test_parts_share_no_voice_rate_pitch_or_range() -> None:
    for name in ("voices", "rates", "pitches", "melodies"):
        seen = [set(getattr(speak.RANGES[part], name)) for part in ("train", "dev", "test")]
        assert all(seen)
        assert not (seen[0] & seen[1]) | (seen[0] & seen[2]) | (seen[1] & seen[2]), name


@pytest.mark.usefixtures("espeak")
def test_every_voice_is_there() -> None:
    import subprocess

    listed = subprocess.run(["espeak-ng", "--voices=variant"], capture_output=True, text=True, check=True).stdout
    names = {line.split("!v/")[-1].strip() for line in listed.splitlines() if "!v/" in line}
    wanted = {voice for part in speak.RANGES.values() for voice in part.voices} - {""}
    assert wanted <= names


@pytest.mark.usefixtures("espeak")
def test_a_faster_voice_is_shorter_and_another_one_sounds_otherwise() -> None:
    slow, fast, other = (
        speak.synthesise("洗衣液在哪里", speak.Setting(voice, rate, 50))
        for voice, rate in (("", 120), ("", 240), ("f2", 120))
    )
    assert 1.3 < len(slow) / len(fast) < 3
    assert 0.5 < len(slow) / speak.RATE < 4
    assert abs(slow).max() <= 1
    assert slow.shape != other.shape or not (slow == other).all()


@pytest.fixture
def mortal(espeak: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """espeak-ng that dies of every range of 200 %, as 1.51 does of a few sentences."""
    program = tmp_path / "espeak-ng"
    real = shutil.which(espeak)
    program.write_text(f'#!/bin/bash\nsaid=$(cat)\n[[ $said != *200%* ]] || kill -11 $$\n{real} "$@" <<<"$said"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")


@pytest.mark.usefixtures("mortal")
def test_what_the_program_dies_of_is_said_in_the_voice_s_own_range() -> None:
    wide = speak.Setting("m1", 150, 50, 200)
    with pytest.raises(speak.Crashed, match="200%|-m"):
        speak.synthesise("你好", wide)
    samples, said = speak.spoken("你好", wide)
    assert said == speak.Setting("m1", 150, 50, 100), "and the clip says so"
    assert len(samples) == len(speak.synthesise("你好", said))
    assert speak.spoken("你好", speak.Setting("m1", 150, 50, 180))[1].melody == 180


def test_without_the_program_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(speak.SpeechFailed, match="apt-get install espeak-ng"):
        speak.synthesise("你好", speak.Setting("", 175, 50))
