"""Fixtures of the vision tests: the real networks on ONNX Runtime, the shipped cases, pictures of known text."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from appliance.artifacts.cases import Case
from appliance.artifacts.derived import network_path
from appliance.artifacts.manifest import load_manifests, shipped_root
from appliance.artifacts.store import ModelStore
from appliance.errors import ModelMissing
from appliance.inference.backend import Backend, Run
from appliance.inference.onnxruntime import OnnxRuntimeBackend
from appliance.settings import data_dir, load_settings
from appliance.vision.image import Pixels
from appliance.vision.reader import Reader

sys.path.insert(0, str(Path(__file__).parent))  # tests are no packages: this is how they share pictures
from pictures import Networks, picture  # noqa: E402  # found only after the line above

MODEL = "pp-ocrv6-small"


def _run(backend: Backend) -> Run:
    return lambda inputs, /, *, deadline=None: backend.infer(inputs)


@pytest.fixture(scope="session")
def networks() -> Iterator[Networks]:
    manifest = load_manifests(shipped_root())[MODEL]
    store = ModelStore(data_dir(load_settings()) / "models", {MODEL: manifest})
    files = ("detector.onnx", "recogniser.topk.onnx", "orientation.onnx")
    try:
        paths = [network_path(store, MODEL, file) for file in files]
        characters = store.path(MODEL, "characters.txt").read_text("utf-8").removesuffix("\n").split("\n")
    except ModelMissing:
        sentence = f"{MODEL} is not installed: run `appliance models pull {MODEL}`"
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)
    with ExitStack() as stack:
        backends = [OnnxRuntimeBackend(manifest.network(f), p, threads=1) for f, p in zip(files, paths, strict=True)]
        runs = [_run(stack.enter_context(backend)) for backend in backends]
        yield Networks(*runs, tuple(characters))


@pytest.fixture(scope="session")
def reader(networks: Networks) -> Reader:
    return Reader(networks.detect, networks.recognise, networks.orient, networks.characters, name="test")


@pytest.fixture(scope="session")
def cases() -> tuple[Case, ...]:
    found: tuple[Case, ...] = load_manifests(shipped_root())[MODEL].cases()
    assert found
    return found


@pytest.fixture(scope="session")
def pages(cases: tuple[Case, ...]) -> dict[str, tuple[Pixels, list[str]]]:
    """Name of each page case to its picture and its lines in reading order."""
    return {
        case.path.stem: (picture(case.path), [line["text"] for line in case.truth["lines"]])
        for case in cases
        if case.kind == "page"
    }


@pytest.fixture(scope="session")
def write(chinese_font: Path) -> Callable[..., Pixels]:
    """Draws lines of text, given as (x, y, text), black on white."""

    def draw(lines: list[tuple[int, int, str]], width: int = 640, height: int = 320, size: int = 28) -> Pixels:
        image = Image.new("RGB", (width, height), "white")
        font = ImageFont.truetype(str(chinese_font), size)
        for x, y, text in lines:
            ImageDraw.Draw(image).text((x, y), text, font=font, fill="black")
        return np.ascontiguousarray(np.asarray(image)[:, :, ::-1])

    return draw
