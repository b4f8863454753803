"""The served appliance on the files of a board that gets too hot: words go on, all else is refused, and back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.artifacts.cases import Case
from tests.app.test_board import until
from tests.device.boards import orin_nano, write
from tests.e2e.conftest import Running, copy_models, serving
from tests.e2e.test_power import promised

pytestmark = [pytest.mark.device, pytest.mark.xdist_group("governor")]


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = orin_nano(tmp_path_factory.mktemp("root"))
    write(root / "sys/class/hwmon/hwmon1", {"curr1_input": 1000})  # 5 W
    return root


@pytest.fixture(scope="module")
def governed(tmp_path_factory: pytest.TempPathFactory, board: Path) -> Iterator[Running]:
    data, log = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("log")
    copy_models(data)
    with serving(data, log / "serve.log", APPLIANCE_DEVICE_ROOT=str(board)) as running:
        yield running


def junction(board: Path) -> Path:
    zones = board.glob("sys/class/thermal/thermal_zone*")
    return next(zone / "temp" for zone in zones if (zone / "type").read_text().strip() == "tj-thermal")


def governor(running: Running) -> dict[str, Any]:
    found: dict[str, Any] = running.ask("/v1/status")[2]["governor"]
    return found


def test_a_board_that_is_too_hot_answers_words_and_refuses_photos_with_a_reason(
    governed: Running, board: Path, pages: dict[str, Case]
) -> None:
    photo = next(iter(pages.values())).path.read_bytes()
    until(lambda: governor(governed)["watching"] and governor(governed)["power"]["rest_w"] > 0, 60)
    promised(governed, "Status", governed.ask("/v1/status")[2])
    state = governor(governed)
    assert (state["on"], state["watching"], state["level"], state["problem"]) == (True, True, 0, "")
    status, _, read = governed.ask("/v1/ocr", photo, "image/png")
    assert (status, read["reduced"]) == (200, False)
    junction(board).write_text("97000\n")
    until(lambda: governor(governed)["refusing"], 60)
    for route in ("/v1/ocr", "/v1/turns"):
        status, headers, refusal = governed.ask(route, photo, "image/png")
        assert (status, refusal["code"]) == (503, "too_hot")
        assert int(headers["Retry-After"]) == 60
        assert refusal["message"].startswith("设备过热")
    _, _, ready = governed.ask("/readyz")
    ocr = next(feature for feature in ready["features"] if feature["name"] == "ocr")
    assert ready["ready"], "words and dialogue are what is required"
    assert ocr["state"] == "off"
    assert "97 °C" in ocr["reason"]
    for _ in range(10):
        status, _, turned = governed.ask("/v1/turns", {"text": "洗衣液在哪里"})
        assert status == 200
        assert turned["answer"]["text"]
    promised(governed, "Status", governed.ask("/v1/status")[2])
    metrics = governed.ask("/metrics")[2].decode()
    assert "appliance_governor_level 5.0" in metrics
    assert 'appliance_governor_steps_total{cause="critical",direction="down"} 1.0' in metrics
    junction(board).write_text("60000\n")
    until(lambda: not governor(governed)["refusing"], 120)
    status, _, read = governed.ask("/v1/ocr", photo, "image/png")
    assert status == 200
    assert read["reduced"], "at the deepest level, which it comes back to first"
    assert read["lines"]
