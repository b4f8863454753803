from __future__ import annotations

import os
import stat
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
from pictures import kept

from appliance.errors import BackendFailed, DeadlineExceeded, Unavailable
from appliance.vision.image import Pixels
from appliance.vision.tesseract import TesseractReader, without_spaces_in_chinese

BLANK = np.full((60, 80, 3), 255, np.uint8)


@pytest.mark.parametrize(
    "spaced, joined",
    [
        ("收 件 人 : 李 明 月", "收件人 : 李明月"),
        ("营业 时 间 ： 周 一 9:00 - 21:00", "营业时间：周一 9:00 - 21:00"),
        ("SERVICE COUNTER", "SERVICE COUNTER"),
        ("你好 ， world 。 再 见", "你好，world。再见"),
        (" 12 元 ", "12 元"),
    ],
)
def test_spaces_go_between_chinese_characters_only(spaced: str, joined: str) -> None:
    assert without_spaces_in_chinese(spaced) == joined


def test_reads_a_page(tesseract: str, pages: dict[str, tuple[Pixels, list[str]]]) -> None:
    image, truth = pages["notice"]
    result = TesseractReader().read(image)
    assert kept("".join(truth), result.text) >= 0.85
    assert (result.width, result.height, result.engine) == (image.shape[1], image.shape[0], "tesseract")
    assert set(result.timings_ms) == {"recognise"}
    for line in result.lines:
        assert 0.5 <= line.confidence <= 1
        (left, top), (right, _), (_, bottom), _ = line.box
        assert 0 <= left < right <= image.shape[1]
        assert 0 <= top < bottom <= image.shape[0]
    assert any("SERVICE COUNTER" in line.text for line in result.lines)
    assert any("服务台" in line.text for line in result.lines)


def test_a_large_photo_is_shown_smaller_and_its_boxes_are_not(
    tesseract: str, pages: dict[str, tuple[Pixels, list[str]]]
) -> None:
    image = pages["notice"][0]
    large = np.repeat(np.repeat(image, 4, axis=0), 4, axis=1)
    plain = TesseractReader(max_side=820).read(image)
    shown = TesseractReader(max_side=820).read(large, size=(large.shape[1], large.shape[0]))
    assert (shown.width, shown.height) == (large.shape[1], large.shape[0])
    assert shown.lines[0].text == plain.lines[0].text
    assert shown.lines[0].box[2] == pytest.approx([4 * side for side in plain.lines[0].box[2]], abs=8)


def test_an_empty_sheet_has_no_lines(tesseract: str) -> None:
    assert TesseractReader().read(BLANK).lines == ()


def test_probe_names_version_and_languages(tesseract: str) -> None:
    assert TesseractReader().probe().startswith("tesseract ")
    assert "(chi_sim+eng)" in TesseractReader().probe()


def test_probe_names_the_missing_language_and_its_package(tesseract: str) -> None:
    with pytest.raises(Unavailable, match="language chi_xyz") as raised:
        TesseractReader("eng+chi_xyz").probe()
    assert "apt-get install tesseract-ocr-chi-xyz" in raised.value.remedy


def stand_in(folder: Path, script: str) -> Path:
    """A program that stands in for tesseract."""
    program = folder / "tesseract"
    program.write_text(f"#!/bin/sh\nif [ \"$1\" = --version ]; then echo 'tesseract 5.3.0'; exit 0; fi\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    import pytesseract

    def replace(script: str) -> None:
        monkeypatch.setattr(pytesseract.pytesseract, "tesseract_cmd", str(stand_in(tmp_path, script)))

    # The version is asked once and remembered: the stand-ins have the version of the real thing.
    return replace


def test_probe_names_the_missing_program_and_its_packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import pytesseract

    monkeypatch.setattr(pytesseract.pytesseract, "tesseract_cmd", str(tmp_path / "absent"))
    with pytest.raises(Unavailable, match="the program tesseract") as raised:
        TesseractReader().probe()
    assert "apt-get install tesseract-ocr tesseract-ocr-chi-sim tesseract-ocr-eng" in raised.value.remedy
    with pytest.raises(Unavailable):
        TesseractReader().read(BLANK)


def test_a_child_that_hangs_is_killed(program: Callable[[str], None], tmp_path: Path) -> None:
    program(f"echo $$ > {tmp_path}/pid; exec sleep 60")
    with pytest.raises(DeadlineExceeded, match=r"in 0\.5 s"):
        TesseractReader(timeout=0.5).read(BLANK)
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


def test_the_deadline_wins_over_the_timeout(program: Callable[[str], None]) -> None:
    program("exec sleep 60")
    with pytest.raises(DeadlineExceeded):
        TesseractReader(timeout=50).read(BLANK, deadline=time.monotonic() + 0.3)
    with pytest.raises(DeadlineExceeded, match="a deadline"):
        TesseractReader().read(BLANK, deadline=time.monotonic() - 1)


def test_a_child_that_fails_says_why(program: Callable[[str], None]) -> None:
    program("echo out of paper >&2; exit 3")
    with pytest.raises(BackendFailed, match="got 3: out of paper"):
        TesseractReader().read(BLANK)


def test_a_program_that_cannot_start_is_a_failure(program: Callable[[str], None], tmp_path: Path) -> None:
    program("")
    (tmp_path / "tesseract").chmod(0o644)
    with pytest.raises(BackendFailed, match="a program that starts"):
        TesseractReader().read(BLANK)


@pytest.mark.parametrize("said, limit", [(None, "1"), ("3", "3")])
def test_threads_of_the_child_are_limited_unless_said_otherwise(
    program: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: str | None, limit: str
) -> None:
    if said is None:
        monkeypatch.delenv("OMP_THREAD_LIMIT", raising=False)
    else:
        monkeypatch.setenv("OMP_THREAD_LIMIT", said)
    before = dict(os.environ)
    program(f'echo "$OMP_THREAD_LIMIT" > {tmp_path}/limit; cat > {tmp_path}/shown')
    TesseractReader().read(BLANK)
    assert (tmp_path / "limit").read_text().strip() == limit
    assert (tmp_path / "shown").read_bytes().startswith(b"\x89PNG")
    assert dict(os.environ) == before


def test_a_photo_never_reaches_the_disk(
    tesseract: str, pages: dict[str, tuple[Pixels, list[str]]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    # Whatever makes or removes an entry of a folder changes the folder's time, so nothing can come and go unseen.
    os.utime(tmp_path, (0, 0))
    assert TesseractReader().read(pages["notice"][0]).lines
    assert tmp_path.stat().st_mtime == 0
    assert list(tmp_path.iterdir()) == []
