"""The served appliance on a board's files: joules in answers, the board in the status, figures in the metrics."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from prometheus_client.parser import text_string_to_metric_families

from appliance.artifacts.cases import Case
from tests.app.test_board import until
from tests.device.boards import orin_nano
from tests.e2e.conftest import Running, copy_models, serving

NETWORKS = {"decode", "detect", "recognise"}


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    data, log = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("log")
    copy_models(data)
    root = orin_nano(tmp_path_factory.mktemp("root"))
    with serving(data, log / "serve.log", APPLIANCE_DEVICE_ROOT=str(root)) as running:
        # At its first start it learns the pack's questions, which is work: some tens of seconds on a slow machine.
        until(lambda: running.ask("/v1/status")[2]["device"]["power"]["idle_watts"] is not None, 240)
        yield running


def promised(running: Running, schema: str, answer: object) -> None:
    document = running.ask("/openapi.json")[2]
    root = {"$ref": f"#/components/schemas/{schema}", "components": document["components"]}
    jsonschema_rs.validator_for(root).validate(answer)


def counted(running: Running) -> dict[tuple[str, tuple[str, ...]], float]:
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(running.ask("/metrics")[2].decode())
        for sample in family.samples
    }


def test_an_image_is_read_with_its_joules_whole_and_streamed(measured: Running, pages: dict[str, Case]) -> None:
    data = next(iter(pages.values())).path.read_bytes()
    status, _, read = measured.ask("/v1/ocr", data, "image/png")
    assert status == 200
    promised(measured, "OcrResult", read)
    joules = read["joules"]
    assert (joules["source"], joules["net"]) == ("VDD_IN", True)
    assert set(joules["stages"]) >= NETWORKS
    # The files' power stands still, so that all of it is the idle board's: 0 J above it, which was measured.
    assert joules["total"] == pytest.approx(0.0, abs=0.01)
    status, _, turned = measured.ask("/v1/turns", data, "image/png")
    assert status == 200
    promised(measured, "Reply", turned)
    assert set(turned["joules"]["stages"]) >= NETWORKS | {"understand", "dialogue"}
    assert "joules" not in turned["ocr"], "the turn has them all"


def test_the_status_tells_of_the_board_as_promised(measured: Running) -> None:
    status = measured.ask("/v1/status")[2]
    promised(measured, "Status", status)
    device = status["device"]
    assert device["board"]["family"] == "orin-nano"
    assert device["power"]["watts"] == 9.58
    assert device["mode"]["now"] == "MAXN_SUPER"
    assert device["look_age_s"] < 5


def test_the_metrics_have_its_figures(measured: Running) -> None:
    measured.ask("/v1/turns", {"text": "厕所在哪里"})
    until(lambda: ("appliance_joules_total", ("turn", "understand")) in counted(measured))
    figures = counted(measured)
    assert figures["appliance_rail_watts", ("VDD_IN",)] == 9.576
    assert figures["appliance_temperature_celsius", ("tj",)] == 51.31
    assert figures["appliance_energy_joules_total", ("idle",)] > 9.5
    assert figures["appliance_joules_total", ("start", "load")] >= 0
    assert figures["appliance_gpu_load", ()] == 0.842


def test_the_command_asks_the_appliance_that_serves(measured: Running) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("APPLIANCE_")}
    environ |= {"APPLIANCE_HTTP_PORT": measured.url.rpartition(":")[2]}
    done = subprocess.run(
        [sys.executable, "-m", "appliance.cli", "power", "--json"],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["from"] == "appliance"
    assert told["board"]["family"] == "orin-nano"
    assert told["energy"]["seconds"] > 1


def test_without_sensors_answers_have_no_joules(running: Running) -> None:
    if running.ask("/v1/status")[2]["device"]["power"]["measured"]:
        pytest.skip("this machine measures its power")
    reply = running.ask("/v1/turns", {"text": "厕所在哪里"})[2]
    assert "joules" not in reply
    time.sleep(0.3)
    assert not [name for name, _ in counted(running) if name.startswith("appliance_joules")]
