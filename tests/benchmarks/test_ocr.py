"""The whole benchmark of reading on two of the project's own pictures; with the peer where `make peer` has been run."""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from appliance.artifacts.manifest import load_manifests, shipped_root
from appliance.artifacts.sources import Wheel
from appliance.artifacts.store import ModelStore
from appliance.errors import ModelMissing
from appliance.settings import data_dir, load_settings
from benchmarks.ocr.measure import turn
from benchmarks.ocr.report import missed
from benchmarks.ocr.sides import PEER_PYTHON, Side, peer, refuse_unequal
from tests.conftest import REPOSITORY

MODEL = "pp-ocrv6-small"
CASES = REPOSITORY / "models" / MODEL / "cases"
PICTURES = ("notice.png", "shelf-tag.png")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pictures with their truth."""
    folder = tmp_path_factory.mktemp("data")
    for name in (*PICTURES, "cases.json"):
        shutil.copy(CASES / name, folder)
    return folder


@pytest.fixture(scope="module")
def models() -> None:
    """The installed networks."""
    try:
        ModelStore(data_dir(load_settings()) / "models", load_manifests(shipped_root())).folder(MODEL)
    except ModelMissing:
        sentence = f"{MODEL} is not installed: run `appliance models pull {MODEL}`"
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.ocr", *map(str, arguments)]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=250, check=False)


@pytest.mark.models
def test_without_a_peer(models: None, data: Path, tmp_path: Path):
    target, pictures = tmp_path / "ocr.json", tmp_path / "pictures"
    done = run("--data", data, "--check", "--repeats", "2", "--json", target, "--plots", pictures)
    assert done.stderr == ""
    result: dict[str, Any] = json.loads(target.read_text("utf-8"))
    assert done.stdout.count("FAIL: ") == len(missed(result))
    assert done.returncode == bool(missed(result))
    assert [image["name"] for image in result["images"]] == sorted(PICTURES)
    assert list(result["sides"]) == ["ours-off", "ours-on"]
    manifest = load_manifests(shipped_root())[MODEL]
    for said in result["sides"].values():
        assert said["weights"]["rec"] == manifest.file("recogniser.onnx").sha256
        assert 50 < said["peak_mb"] < 450
    for of in result["totals"].values():
        assert of["labelled"] == 2
        assert of["recall"] > 0.98
        assert of["surplus"] < 0.02
        assert "cpu_ratio" not in of
    for image in result["images"]:
        assert image["truth"] == "cases"
        assert image["sides"]["ours-on"]["cpu_s"] > 0
        assert image["sides"]["ours-off"]["stable"]
        assert image["sides"]["ours-off"]["stages_ms"]["recognise"] > 0
        kept = image["sides"]["ours-on"]["kept"]
        assert set(kept) == {"90", "180", "270"}
        assert min(kept.values()) >= 0.98
    assert {path.name for path in pictures.iterdir()} == {"ocr-recall.png", "ocr-stages.png", "ocr-turned.png"}


@pytest.mark.models
def test_beside_the_peer(models: None, data: Path, tmp_path: Path):
    if not PEER_PYTHON.is_file():
        pytest.skip("rapidocr is not installed: run `make peer`")
    target = tmp_path / "ocr.json"
    done = run("--data", data, "--peer", "rapidocr", "--only", "shelf*", "--repeats", "1", "--json", target)
    assert (done.returncode, done.stderr) == (0, "")
    result = json.loads(target.read_text("utf-8"))
    assert result["sides"]["peer"]["versions"]["rapidocr"] == "3.10.0"
    assert result["sides"]["peer"]["weights"] == result["sides"]["ours-on"]["weights"]
    assert result["totals"]["peer"]["recall"] > 0.9
    assert 0 < result["totals"]["ours-off"]["cpu_ratio"] < 5
    assert result["images"][0]["sides"]["peer"]["kept"]["180"] is not None


def test_the_peers_version_is_that_of_our_weights():
    (wheel,) = {
        source.requirement
        for file in load_manifests(shipped_root())[MODEL].files
        for source in file.sources
        if isinstance(source, Wheel)
    }
    pins = (REPOSITORY / "constraints" / "peer.txt").read_text("utf-8").splitlines()
    assert wheel in pins


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--data", "nowhere"], "--data: expected a folder of images, got nowhere"),
        (["--data", CASES, "--only", "*.tiff"], "--data: expected images"),
        (["--data", CASES, "--repeats", "0"], "expected at least 1, got 0"),
        ([], "--data"),
    ],
)
def test_what_cannot_be_measured(arguments: list[str | Path], said: str):
    done = run(*arguments)
    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_peer_names_the_command(tmp_path: Path):
    with pytest.raises(SystemExit, match="expected an environment with rapidocr at .*, got none; run: make peer"):
        peer(tmp_path / "python")


def test_a_side_that_dies_is_quoted():
    with pytest.raises(SystemExit, match=r"(?s)ours-sideways ended with 1:.*sideways"):
        Side("ours-sideways", Path(sys.executable), ["benchmarks.ocr.ours", "sideways"])


HELLO = {"weights": {"det": "a" * 64, "rec": "b" * 64, "cls": "c" * 64}, "versions": {"onnxruntime": "1.32.0"}}


@pytest.mark.parametrize(
    "place, key, value, said",
    [
        (
            "weights",
            "rec",
            "d" * 64,
            "expected the same weights, got rec bbbbbbbbbbbb in one and dddddddddddd in other",
        ),
        ("versions", "onnxruntime", "1.23.2", "expected the same ONNX Runtime, got 1.32.0 in one and 1.23.2 in other"),
    ],
)
def test_unequal_sides_are_refused(place: str, key: str, value: str, said: str):
    hello: dict[str, Any] = copy.deepcopy(HELLO)
    one, other = (SimpleNamespace(name=name, hello=said) for name, said in (("one", HELLO), ("other", hello)))
    refuse_unequal([one, other])  # equal ones pass
    hello[place][key] = value
    with pytest.raises(SystemExit, match=said):
        refuse_unequal([one, other])


@pytest.mark.parametrize("angle, corner", [(90, (0, -1)), (180, (-1, -1)), (270, (-1, 0))])
def test_turned_clockwise(angle: int, corner: tuple[int, int], tmp_path: Path):
    import numpy as np
    from PIL import Image

    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[0, 0] = (255, 0, 9)  # red in the upper left
    Image.fromarray(pixels).save(tmp_path / "flag.png")
    found = np.asarray(Image.open(turn(tmp_path / "flag.png", angle, tmp_path)))
    assert found.shape[:2] == ((30, 20) if angle != 180 else (20, 30))
    assert tuple(found[corner]) == (255, 0, 9)
