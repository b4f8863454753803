"""Fixtures of the vision tests: the real networks on ONNX Runtime, the shipped cases, pictures of known text."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from appliance.artifacts.cases import Case
from appliance.artifacts.manifest import load_manifests, shipped_root
from appliance.artifacts.store import ModelStore
from appliance.errors import ModelMissing
from appliance.inference.backend import Backend, Run
from appliance.inference.onnxruntime import OnnxRuntimeBackend
from appliance.settings import data_dir, load_settings
from appliance.vision.image import Pixels, decode
from appliance.vision.reader import Reader

MODEL = "pp-ocrv6-small"


@dataclass(frozen=True)
class Networks:
    detect: Run
    recognise: Run
    orient: Run
    characters: tuple[str, ...]


def _run(backend: Backend) -> Run:
    return lambda inputs, /, *, deadline=None: backend.infer(inputs)


@pytest.fixture(scope="session")
def networks() -> Iterator[Networks]:
    manifest = load_manifests(shipped_root())[MODEL]
    store = ModelStore(data_dir(load_settings()) / "models", {MODEL: manifest})
    files = ("detector.onnx", "recogniser.onnx", "orientation.onnx")
    try:
        paths = [store.path(MODEL, file) for file in files]
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
    found: tuple[Case, ...] = load_manifests(shipped_root())[MODEL].cases
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


def picture(path: Path) -> Pixels:
    return decode(path.read_bytes(), max_bytes=1 << 24, max_pixels=40_000_000)


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


def rotated(image: Pixels, degrees: float) -> Pixels:
    """Turned against the clock on a canvas that holds all of it."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    corners = np.array([[[0, 0], [width, 0], [width, height], [0, height]]], np.float32)
    turned = cv2.transform(corners, matrix)[0]
    low, high = turned.min(axis=0), turned.max(axis=0)
    matrix[:, 2] -= low
    size = tuple(int(side) for side in np.ceil(high - low))
    return cv2.warpAffine(image, matrix, size, borderValue=(255, 255, 255)).astype(np.uint8)


@pytest.fixture(scope="session")
def rotate() -> Callable[[Pixels, float], Pixels]:
    return rotated
