"""A waybill held before the camera becomes one turn: the whole appliance on a film, as a camera would see it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import requests

from appliance.artifacts.cases import Case
from benchmarks.camera.scenes import Knot, Scene, Shown, film, held
from tests.e2e.conftest import Running, copy_models, serving

pytestmark = [pytest.mark.models]

HELD_AT = 6.0


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    copy_models(folder)
    return folder


@pytest.fixture(scope="module")
def sheet(pages: dict[str, Case]) -> np.ndarray:
    found = cv2.imread(str(pages["waybill.png"].path))
    assert found is not None
    return np.asarray(found)


@pytest.fixture
def watching(data: Path, sheet: np.ndarray, tmp_path: Path) -> Iterator[Running]:
    path = film(Scene(HELD_AT + 6, (held(sheet, HELD_AT, 3.0, share=0.8),)), tmp_path / "counter.avi")
    with serving(data, tmp_path / "serve.log", APPLIANCE_CAMERA_DEVICE=str(path)) as running:
        yield running


def answered(running: Running) -> float:
    for line in running.ask("/metrics")[2].decode().splitlines():
        if line.startswith('appliance_camera_total{what="answered"}'):
            return float(line.split()[-1])
    return 0.0


def test_a_waybill_that_is_held_still_becomes_exactly_one_turn(watching: Running, pages: dict[str, Case]) -> None:
    feature = watching.features()["camera"]
    assert (feature["state"], feature["backend"], feature["required"]) == ("ready", "v4l2", False)
    replies = []
    with requests.get(
        f"{watching.url}/v1/camera/events", headers={"Accept": "text/event-stream"}, stream=True, timeout=30
    ) as stream:
        end, name = time.monotonic() + HELD_AT + 10, ""
        for line in stream.iter_lines(chunk_size=1, decode_unicode=True):
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                told = json.loads(line.removeprefix("data: "))
                if name == "reply":
                    replies.append(told)
                if replies and name == "state" and told["phase"] == "empty":
                    break  # it was taken away
            assert time.monotonic() < end
    time.sleep(1.0)
    assert answered(watching) == 1
    (reply,) = replies
    assert reply["turn"]["source"] == "image"
    truth = [line["text"] for line in pages["waybill.png"].truth["lines"]]
    assert [line["text"] for line in reply["ocr"]["lines"]] == truth
    assert ("tracking_no", "SF1392847561002") in {(e["type"], e["value"]) for e in reply["parse"]["entities"]}
    assert "SF1392847561002" in reply["answer"]["text"]
    assert watching.ask(f"/v1/sessions/{reply['session']}", method="DELETE")[0] == 204
    state = watching.ask("/v1/camera")[2]
    assert (state["state"], state["phase"], state["width"]) == ("watching", "empty", 1280)
    written = [path for path in watching.data.rglob("*") if path.suffix in (".jpg", ".jpeg", ".png", ".avi")]
    assert written == [], "a picture was written"


def test_one_look_from_the_command_line(data: Path, sheet: np.ndarray, tmp_path: Path) -> None:
    lies = Shown(sheet, (Knot(0, 0.5), Knot(9, 0.5)), 0.8)
    path = film(Scene(1.0, (lies,)), tmp_path / "lies.avi")
    done = subprocess.run(
        [sys.executable, "-m", "appliance.cli", "camera", "look", "--device", str(path), "--json"],
        env={"APPLIANCE_DATA_DIR": str(data), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    reply = json.loads(done.stdout)
    assert "SF1392847561002" in reply["turn"]["text"]


def test_a_camera_that_is_not_there_keeps_nobody_from_asking(data: Path, tmp_path: Path) -> None:
    with serving(data, tmp_path / "serve.log", APPLIANCE_CAMERA_DEVICE="a camera of nobody") as running:
        assert running.ask("/v1/turns", {"text": "厕所在哪里"})[0] == 200
        status, headers, problem = running.ask("/v1/camera/look", {})
        assert (status, problem["code"]) == (503, "unavailable")
        assert "Retry-After" in headers
        feature = running.features()["camera"]
        assert feature["state"] == "failed"
        assert "appliance camera list" in feature["reason"]
        assert running.ask("/readyz")[0] == 200
