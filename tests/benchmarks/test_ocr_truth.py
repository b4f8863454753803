"""Where the truth of an image comes from, and what is refused."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

from benchmarks.ocr.truth import TRUTH, Truth, images, sroie, transcriptions

CASES = Path(__file__).parent.parent.parent / "models" / "pp-ocrv6-small" / "cases"


def test_every_transcription_is_whole():
    found = transcriptions(TRUTH)
    files = sorted(TRUTH.glob("*.json"))
    assert len(files) == len(found) == 15
    for path in files:
        loaded = json.loads(path.read_text("utf-8"))
        assert re.fullmatch("[0-9a-f]{64}", loaded["sha256"])
        assert path.stem == loaded["sha256"][:16]
        assert "by eye" in loaded["how"]
        for line in loaded["lines"]:
            assert set(line) == {"text", "legible", "note"}
            assert line["text"].strip() or not line["legible"]
        assert found[loaded["sha256"]].lines


def test_a_second_transcription_of_an_image_is_refused(tmp_path: Path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.json").write_text(json.dumps({"file": "x.png", "sha256": "0" * 64, "lines": []}))
    with pytest.raises(SystemExit, match=r"b\.json: expected one transcription for each image, got a second of x\.png"):
        transcriptions(tmp_path)


def test_transcriptions_are_found_by_the_images_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "truth").mkdir()
    lines = [
        {"text": "登记栏", "legible": True, "note": ""},
        {"text": "机动车", "legible": False, "note": "faint"},
        {"text": "", "legible": False, "note": "masked"},
    ]
    digest = hashlib.sha256(b"pixels").hexdigest()
    (tmp_path / "truth" / "a.json").write_text(json.dumps({"file": "other.png", "sha256": digest, "lines": lines}))
    monkeypatch.setattr("benchmarks.ocr.truth.TRUTH", tmp_path / "truth")
    (tmp_path / "renamed.PNG").write_bytes(b"pixels")
    (tmp_path / "unknown.jpg").write_bytes(b"other pixels")
    (tmp_path / "notes.txt").write_bytes(b"pixels")
    known, unknown = images(tmp_path)
    assert (known.name, known.sha256) == ("renamed.PNG", digest)
    assert known.truth == Truth(("登记栏",), ("机动车",), "eye")
    assert (unknown.name, unknown.truth) == ("unknown.jpg", None)


def test_sroie_labels_keep_their_commas():
    found = sroie("72,25,326,25,326,64,72,64,TAMAN DAYA,\n\n50,82,440,82,440,121,50,121,NO.53 55,57 & 59, SAGU 18,\n")
    assert found == Truth(("TAMAN DAYA,", "NO.53 55,57 & 59, SAGU 18,"), (), "sroie", caseless=True)


@pytest.mark.parametrize("row", ["1,2,3,4,5,6,7,8", "a,2,3,4,5,6,7,8,text", "text"])
def test_other_labels_are_refused(row: str):
    with pytest.raises(SystemExit, match="line 2: expected x1,y1"):
        sroie(f"1,2,3,4,5,6,7,8,text\n{row}\n")


def test_labels_beside_an_image(tmp_path: Path):
    (tmp_path / "one.jpg").write_bytes(b"pixels")
    (tmp_path / "one.csv").write_text("1,2,3,4,5,6,7,8,TOTAL, RM\n", "utf-8")
    (image,) = images(tmp_path)
    assert image.truth is not None
    assert image.truth.lines == ("TOTAL, RM",)


def test_cases_of_this_project():
    pages = images(CASES, "receipt*")
    assert [image.name for image in pages] == ["receipt-photo.jpg", "receipt.png"]
    assert all(image.truth and "便民生活超市" in image.truth.lines for image in pages)
    (line,) = images(CASES, "line-01.png")
    assert line.truth == Truth(("便民生活超市",), (), "cases")


def test_no_folder_and_no_images(tmp_path: Path):
    with pytest.raises(SystemExit, match="--data: expected a folder of images, got .*nowhere, which is none"):
        images(tmp_path / "nowhere")
    with pytest.raises(SystemExit, match="--data: expected images .* that match \\* in .*, got none of them"):
        images(tmp_path)
