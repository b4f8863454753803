"""Figures of two boards on one page."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.engines.result import NOT_YET, SCHEMA
from benchmarks.report import boards, page, warnings
from tests.conftest import REPOSITORY

MACHINE = {
    "cpu": "AMD EPYC",
    "cores": 2,
    "board": "not a Jetson",
    "jetpack": "none",
    "power_mode": "none",
    "gpu": "none",
    "tensorrt": "not installed",
    "onnxruntime": "1.32.0",
    "onnxruntime-gpu": "not installed",
    "python": "3.11.7",
    "commit": "abc",
}
ORIN = MACHINE | {"board": "NVIDIA Jetson Orin NX", "jetpack": "R36.4.3", "power_mode": "15W", "gpu": "Orin"}


def shape(sizes: dict[str, int], p50: float, joules: float | None) -> dict[str, Any]:
    figures = {"kind": "optimum", "profile": 0, "runs": 9, "p50_ms": p50, "p90_ms": p50 * 2, "p99_ms": p50 * 3}
    return figures | {"sizes": sizes, "runs_per_s": 1000 / p50, "joules": joules, "milliwatts": None, "error": ""}


def row(backend: str, precision: str, *shapes: dict[str, Any], state: str = "measured") -> dict[str, Any]:
    shown = {"network": "ocr/detector", "backend": backend, "precision": precision, "state": state, "reason": ""}
    shown |= {"metric": "box_f1", "threshold": 0.95, "value": 0.97 if shapes else None, "sha256": f"{precision}-file"}
    return shown | {"load_ms": 80.0, "resident_mb": 30.0, "device_mb": None, "shapes": list(shapes)}


def result(machine: dict[str, Any], *rows: dict[str, Any]) -> dict[str, Any]:
    facts = {"schema": SCHEMA, "machine": machine, "measured_at": "2026-11-29T12:00:00Z", "threads": 1}
    return facts | {"networks": {"ocr/detector": {"model": "ocr@1", "onnx": "a" * 64}}, "rows": list(rows)}


SMALL, LARGE = {"batch": 1, "width": 32}, {"batch": 1, "width": 640}
LAPTOP = result(
    MACHINE,
    row("tensorrt", "fp16", state="not here"),
    row("tensorrt", "fp32", state="not here"),
    row("onnxruntime-cpu", "fp32", shape(SMALL, 2.0, None), shape(LARGE, 40.0, None)),
)
JETSON = result(
    ORIN,
    row("tensorrt", "fp16", shape(SMALL, 0.5, 0.004), shape(LARGE, 5.0, 0.0452)),
    row("tensorrt", "fp32", state="failed"),
    row("onnxruntime-cpu", "fp32", shape(SMALL, 4.0, 0.03)),
)


def lines(text: str, start: str) -> list[list[str]]:
    """Cells of the table's lines that begin so."""
    return [[cell.strip() for cell in line.split("|")[3:-1]] for line in text.splitlines() if line.startswith(start)]


def test_boards_are_columns_and_every_row_is_there_once() -> None:
    text = page([LAPTOP, JETSON])
    assert "| backend | precision | shape | AMD EPYC | NVIDIA Jetson Orin NX, 15W |" in text
    assert lines(text, "| tensorrt | fp16 |") == [
        ["score, load, memory", "—", "box_f1 0.9700 (gate 0.95), load 80 ms, 30 MB"],
        ["width 32", "—", "0.5 / 1.5 ms, 2000/s, 4 mJ"],
        ["width 640", "—", "5 / 15 ms, 200/s, 45.2 mJ"],
    ]
    assert lines(text, "| onnxruntime-cpu | fp32 |")[1:] == [
        ["width 32", "2 / 6 ms, 500/s", "4 / 12 ms, 250/s, 30 mJ"],
        ["width 640", "40 / 120 ms, 25/s", "—"],
    ]
    assert "JetPack/L4T R36.4.3; power mode 15W" in text
    assert "Warning" not in text


def test_what_nobody_has_measured_on_tensorrt_says_so() -> None:
    assert lines(page([LAPTOP, LAPTOP]), "| tensorrt | fp16 |") == [["", NOT_YET, NOT_YET]]
    assert lines(page([LAPTOP, JETSON]), "| tensorrt | fp32 |") == [["", NOT_YET, "failed"]]


def test_machines_of_one_name_are_told_apart() -> None:
    assert boards([JETSON, LAPTOP, JETSON, JETSON]) == [
        "NVIDIA Jetson Orin NX, 15W",
        "AMD EPYC",
        "NVIDIA Jetson Orin NX, 15W #2",
        "NVIDIA Jetson Orin NX, 15W #3",
    ]


def test_other_models_files_and_commits_are_warned_of() -> None:
    other = copy.deepcopy(JETSON)
    other["networks"]["ocr/detector"]["onnx"] = "b" * 64
    other["rows"][2]["sha256"] = "another"
    other["rows"][0]["sha256"] = "its own engine"
    names = boards([LAPTOP, other])
    (model,) = warnings([LAPTOP, other], names)
    assert model.startswith(
        "ocr/detector: expected the same model on all machines, got AMD EPYC aaaaaaaaaaaaaaaa; NVIDIA"
    )
    assert f"- Warning: {model}" in page([LAPTOP, other])
    other["networks"]["ocr/detector"]["onnx"] = "a" * 64
    other["machine"] = ORIN | {"commit": "def"}
    assert [sentence.partition(", got")[0] for sentence in warnings([LAPTOP, other], names)] == [
        "ocr/detector: expected the same fp32 file on onnxruntime-cpu on all machines",
        "project: expected the same commit on all machines",
    ]


def report(*arguments: Path | str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.report", *map(str, arguments)]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=100, check=False)


def test_the_command_writes_the_page(tmp_path: Path) -> None:
    files = [tmp_path / "laptop.json", tmp_path / "jetson.json"]
    for path, content in zip(files, (LAPTOP, JETSON | {"machine": ORIN | {"commit": "def"}}), strict=True):
        path.write_text(json.dumps(content))
    done = report(*files, "--out", tmp_path / "page.md")
    assert done.returncode == 0, done.stderr
    assert "warning: project: expected the same commit" in done.stderr
    assert "## ocr/detector" in (tmp_path / "page.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (json.dumps(LAPTOP | {"schema": "engines/0"}), f"expected schema {SCHEMA}, got engines/0"),
        ('{"machine": {}}', f"expected schema {SCHEMA}, got none"),
        ("[1]", f"expected schema {SCHEMA}, got none"),
        ("p50", "expected a JSON file of `python -m benchmarks.engines`, got"),
    ],
)
def test_another_file_is_refused_by_name(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "old.json").write_text(content)
    done = report(tmp_path / "old.json", "--out", tmp_path / "page.md")
    assert done.returncode == 2
    assert "old.json: " in done.stderr
    assert said in done.stderr
    assert not (tmp_path / "page.md").exists()
