"""Shards: made once, whole or not at all; what is in them is what was asked for; recordings of a user's own."""

from __future__ import annotations

import shutil
import wave
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("kaldi_native_fbank")

from appliance.speech.ctc.bank import BANDS  # noqa: E402
from export.train.asr import distort, recordings, shards, speak  # noqa: E402
from export.train.asr.text import Line  # noqa: E402

LINES = tuple(
    Line(text, "written", "find_product") for text in ("洗衣液在哪", "我要退货", "寄快递，多少钱", "A区怎么走")
)


@pytest.mark.usefixtures("espeak")
def test_a_shard_is_made_once_and_holds_every_line(tmp_path: Path) -> None:
    planned = shards.tasks("test", LINES, tmp_path, chances=distort.COUNTER, seed=3, keep=True)
    assert [path.name for path in shards.make(planned)] == ["test-0000"]
    assert list(shards.make(planned)) == []
    clips, blocks = shards.read(tmp_path, "test")
    assert sorted(clip.text for clip in clips) == sorted(line.bare for line in LINES)
    for number, (clip, block) in enumerate(zip(clips, blocks, strict=True)):
        assert clip.voice in speak.RANGES["test"].voices
        assert block.shape == (clip.end - clip.begin, BANDS)
        assert len(clip.middles) == len(clip.text)
        assert all(0 < a < b < len(block) for a, b in zip(clip.middles, clip.middles[1:], strict=False))
        with wave.open(str(tmp_path / f"test-0000-{number:04d}.wav")) as file:
            assert (file.getnframes() - 400) // 160 + 1 == len(block)
    first = (tmp_path / "test-0000.npy").read_bytes()
    (tmp_path / "test-0000.json").unlink()
    list(shards.make(planned))
    assert (tmp_path / "test-0000.npy").read_bytes() == first, "the same seed gives the same sound"


def test_middles_lie_in_what_is_loud() -> None:
    sound = np.zeros(16000, np.float32)
    sound[1600:4800] = sound[11200:14400] = 0.5
    found = shards.middles_of(sound, 4)
    assert [10 <= at < 30 or 70 <= at < 90 for at in found] == [True] * 4
    assert [at < 40 for at in found] == [True, True, False, False]
    assert shards.middles_of(np.zeros(1600, np.float32), 2) == () or len(shards.middles_of(np.zeros(1600), 2)) == 2
    assert shards.middles_of(sound, 0) == ()


def _wav(path: Path, seconds: float = 1.0) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes((np.sin(np.arange(int(8000 * seconds)) / 9) * 9000).astype("<i2").tobytes())


def test_recordings_are_found_with_their_text(tmp_path: Path) -> None:
    for name in ("a", "b", "c", "d"):
        _wav(tmp_path / f"{name}.wav")
    (tmp_path / "a.txt").write_text("你好，2瓶\n", "utf-8")
    (tmp_path / "b.txt").write_text("hello", "utf-8")
    (tmp_path / "list.tsv").write_text("file\ttranscript\nc.wav\t我要退货\nmissing.wav\t没有\n", "utf-8")
    found = recordings.find(tmp_path)
    assert {one.path.name: one.text for one in found} == {"a.wav": "你好两瓶", "c.wav": "我要退货"}
    assert recordings.audio(found[0]).rate == 16000
    shutil.rmtree(tmp_path / "none", ignore_errors=True)
    (tmp_path / "none").mkdir()
    with pytest.raises(recordings.RecordingsInvalid, match="expected WAV"):
        recordings.find(tmp_path / "none")


def test_recordings_become_shards_once(tmp_path: Path) -> None:
    source, out = tmp_path / "own", tmp_path / "out"
    source.mkdir()
    out.mkdir()
    for number in range(12):
        _wav(source / f"{number}.wav", 0.5 + number / 20)
        (source / f"{number}.txt").write_text("一二三四五六七八九十你好"[number] + "退货", "utf-8")
    found = recordings.find(source)
    recordings.shard(found, out, times=3, seed=1)
    clips, blocks = shards.read(out, "train")
    held, _ = shards.read(out, "dev")
    assert len(clips) == 3 * (12 - len(held))
    assert {clip.text for clip in clips} | {clip.text for clip in held} == {one.text for one in found}
    assert not np.array_equal(np.asarray(blocks[0]), np.asarray(blocks[1])[: len(blocks[0])])
    before = (out / "train-own.npy").stat().st_mtime_ns
    recordings.shard(found, out, times=3, seed=1)
    assert (out / "train-own.npy").stat().st_mtime_ns == before
