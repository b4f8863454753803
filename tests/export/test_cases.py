"""The recorded cases are what export/cases.py makes."""

from __future__ import annotations

import json
import wave
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from export import cases

MODELS = Path(__file__).parent.parent.parent / "models"


def read(folder: Path) -> list[dict[str, object]]:
    loaded: list[dict[str, object]] = json.loads((folder / "cases.json").read_text("utf-8"))
    return loaded


def test_pages_can_be_made_again(tmp_path: Path, chinese_font: Path) -> None:
    if chinese_font != cases.FONT:
        pytest.skip("the cases are drawn with WenQuanYi Micro Hei: apt-get install fonts-wqy-microhei")
    cases.make_pages(tmp_path)
    shipped = MODELS / "pp-ocrv6-small" / "cases"
    assert [row["file"] for row in read(tmp_path)] == [row["file"] for row in read(shipped)]
    for row in read(shipped):
        with Image.open(tmp_path / str(row["file"])) as new, Image.open(shipped / str(row["file"])) as old:
            assert new.size == old.size
            difference = np.abs(np.asarray(new.convert("L"), np.float32) - np.asarray(old.convert("L"), np.float32))
        assert difference.mean() < 3, row["file"]


def test_clips_can_be_made_again(tmp_path: Path, espeak: str) -> None:
    cases.make_clips(tmp_path)
    shipped = MODELS / "silero-vad" / "cases"
    for new, old in zip(read(tmp_path), read(shipped), strict=True):
        assert new["file"] == old["file"]
        a, b = new["truth"], old["truth"]
        assert isinstance(a, dict)
        assert isinstance(b, dict)
        assert np.allclose(a["speech"], b["speech"], atol=0.25)


def test_clips_are_quiet_where_nobody_speaks() -> None:
    folder = MODELS / "silero-vad" / "cases"
    for row in read(folder):
        truth = row["truth"]
        assert isinstance(truth, dict)
        with wave.open(str(folder / str(row["file"]))) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16_000, 1, 2)
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768
        assert len(samples) / 16_000 == pytest.approx(truth["seconds"], abs=0.001)
        spoken = np.zeros(len(samples), bool)
        for start, end in truth["speech"]:
            spoken[round(start * 16_000) : round(end * 16_000)] = True
        assert np.abs(samples[~spoken]).max() < 0.02
        if spoken.any():
            assert np.sqrt((samples[spoken] ** 2).mean()) > 0.05


def test_photograph_moves_pixels_and_truth_together() -> None:
    page = cases.Page(Image.new("RGB", (400, 300), "white"))
    page.image.paste((0, 0, 0), (100, 80, 180, 120))
    page.lines.append({"text": "black", "box": [[100, 80], [180, 80], [180, 120], [100, 120]]})
    shot = cases.photograph(page, 1)
    x, y = np.array(shot.lines[0]["box"]).mean(axis=0)
    pixels = np.asarray(shot.image.convert("L"))
    assert pixels[int(y), int(x)] < 40
    assert pixels[int(y), int(x) + 60] > 100
