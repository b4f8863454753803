"""A model file removed, truncated or swapped: the right fallback or refusal, named, and everything else works."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.app.appliance import Appliance
from appliance.app.build import build
from appliance.artifacts.cases import Case
from appliance.errors import Unavailable
from appliance.settings import Settings
from appliance.values import Turn
from tests.e2e.conftest import copy_models


@pytest.fixture
def data(tmp_path: Path) -> Path:
    copy_models(tmp_path)
    return tmp_path


def model_file(data: Path, model: str, name: str) -> Path:
    (found,) = (data / "models" / model).rglob(name)
    return found


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.fixture
def started(data: Path) -> Iterator[list[Appliance]]:
    """Appliances to close at the end."""
    opened: list[Appliance] = []
    yield opened
    for appliance in opened:
        appliance.close()


def start(data: Path, started: list[Appliance]) -> Appliance:
    appliance = build(Settings(data_dir=str(data)))
    started.append(appliance)
    return appliance


def feature(appliance: Appliance, name: str):
    return next(f for f in appliance.features() if f.name == name)


def talks(appliance: Appliance) -> None:
    assert appliance.ready()
    assert appliance.turn(Turn("厕所在哪里")).parse.intent.name == "facility_location"


# Each file and each harm once: what a harm does to a file, tests/artifacts asks for every one of them.
@pytest.mark.parametrize(
    "name, harm",
    [
        ("detector.onnx", truncate),
        ("recogniser.onnx", flip),
        ("recogniser.topk.onnx", flip),
        ("characters.txt", Path.unlink),
    ],
)
def test_tesseract_reads_when_an_ocr_file_is_harmed(
    data: Path, started: list[Appliance], pages: dict[str, Case], tesseract: str, name: str, harm
) -> None:
    harm(model_file(data, "pp-ocrv6-small", name))
    appliance = start(data, started)
    ocr = feature(appliance, "ocr")
    assert (ocr.state, ocr.backend) == ("fallback", "tesseract")
    assert name in ocr.reason
    assert "appliance models pull" in ocr.reason
    result = appliance.read(pages["notice.png"].path.read_bytes())
    assert result.engine.startswith("tesseract")
    assert result.lines
    talks(appliance)


def test_a_swapped_model_is_refused_by_its_hash(data: Path, started: list[Appliance], tesseract: str) -> None:
    recogniser = model_file(data, "pp-ocrv6-small", "recogniser.onnx")
    shutil.copyfile(model_file(data, "pp-ocrv6-small", "detector.onnx"), recogniser)
    appliance = start(data, started)
    ocr = feature(appliance, "ocr")
    assert ocr.backend == "tesseract"
    assert "recogniser.onnx" in ocr.reason
    assert "sha256" in ocr.reason.lower() or "bytes" in ocr.reason
    talks(appliance)


def test_without_the_orientation_network_lines_are_still_read(
    data: Path, started: list[Appliance], pages: dict[str, Case]
) -> None:
    model_file(data, "pp-ocrv6-small", "orientation.onnx").unlink()
    appliance = start(data, started)
    ocr = feature(appliance, "ocr")
    assert (ocr.state, ocr.backend) == ("fallback", "onnxruntime-cpu")
    assert "orientation" in ocr.reason
    assert appliance.read(pages["notice.png"].path.read_bytes()).lines
    talks(appliance)


def test_without_any_reader_reading_is_off_and_says_so(
    data: Path, started: list[Appliance], pages: dict[str, Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(data / "models" / "pp-ocrv6-small")
    monkeypatch.setenv("PATH", str(data))
    appliance = start(data, started)
    ocr = feature(appliance, "ocr")
    assert (ocr.state, ocr.backend) == ("off", "none")
    assert "tesseract" in ocr.reason
    with pytest.raises(Unavailable, match="reading is off"):
        appliance.read(pages["notice.png"].path.read_bytes())
    talks(appliance)


def test_a_harmed_vad_is_named_and_reading_goes_on(
    data: Path, started: list[Appliance], pages: dict[str, Case]
) -> None:
    flip(model_file(data, "silero-vad", "vad.onnx"))
    appliance = start(data, started)
    vad = feature(appliance, "vad")
    assert vad.state in ("off", "failed")
    assert "appliance models pull" in vad.reason
    assert feature(appliance, "ocr").state == "ready"
    assert appliance.read(pages["notice.png"].path.read_bytes()).lines
    talks(appliance)
