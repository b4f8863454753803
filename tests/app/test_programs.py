"""What the self-check finds on this machine, and on one that lacks everything."""

from __future__ import annotations

import ctypes.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.app import programs
from appliance.app.programs import Finding, findings, graphics
from appliance.channels.http.files import FileLimit
from appliance.cli.report import machine_lines

ENOUGH = FileLimit(4352, 4352)


def found(folder: Path, files: FileLimit = ENOUGH) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings(folder, files)}


def fake_program(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_this_machine(tmp_path: Path, tesseract: str, espeak: str, chinese_font: Path) -> None:
    here = found(tmp_path)
    assert here["tesseract"].ok
    assert here["tesseract"].detail.endswith(", chi_sim")
    assert here["espeak-ng"].ok
    assert here["espeak-ng"].detail.startswith("eSpeak NG")
    assert here["chinese font"] == Finding("chinese font", True, chinese_font.name)
    assert here["python"].ok
    assert here["disk"].ok
    assert str(tmp_path) in here["disk"].detail
    assert here["portaudio"].ok == (ctypes.util.find_library("portaudio") is not None)


def test_too_few_open_files_are_said_with_what_to_do(tmp_path: Path) -> None:
    assert found(tmp_path)["open files"].ok
    few = found(tmp_path, FileLimit(1024, 4352))["open files"]
    assert not few.ok
    assert "1024" in few.detail
    assert "at most 768 connections" in few.detail
    assert "LimitNOFILE=4352" in few.remedy
    lines = list(machine_lines([few]))
    assert lines[1].strip().startswith("→ ulimit -Hn 4352")


def test_a_bare_machine_is_told_what_is_off_and_the_package_that_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(ctypes.util, "find_library", lambda _name: None)
    monkeypatch.setattr(programs, "find_font", lambda: None)
    bare = found(tmp_path)
    for name, package in {
        "tesseract": "tesseract-ocr tesseract-ocr-chi-sim",
        "chinese font": "fonts-wqy-microhei",
    }.items():
        assert not bare[name].ok
        assert " / " in bare[name].detail, "Chinese first, English beside"
        assert bare[name].remedy == f"sudo apt-get install {package}"


def test_what_is_missing_is_marked_with_what_mends_it() -> None:
    lines = list(machine_lines([Finding("a", False, "d", "mend it"), Finding("b", True, "d")]))
    assert ["✗" in line for line in lines] == [True, False, False]
    assert lines[1].strip() == "→ mend it"
    assert "✓" in lines[2]


def test_every_package_of_the_self_check_is_one_that_make_installs() -> None:
    from tests.conftest import REPOSITORY

    script = (REPOSITORY / ".ci" / "system").read_text("utf-8")
    listed = script.split("run) packages+=(")[1].split(")")[0].split()
    source = Path(programs.__file__).read_text("utf-8")
    assert len(listed) >= 5
    for package in listed:
        assert package in source, f"`make system` installs {package}, which `appliance check` does not look for"


def test_tesseract_without_chinese(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_program(tmp_path, "tesseract", "echo eng")
    monkeypatch.setenv("PATH", str(tmp_path))
    lacking = found(tmp_path)["tesseract"]
    assert not lacking.ok
    assert lacking.remedy == "sudo apt-get install tesseract-ocr-chi-sim"


def test_a_program_that_cannot_run_is_itself_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "espeak-ng").write_text("\x7fELF of another processor")
    (tmp_path / "espeak-ng").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    broken = found(tmp_path)["espeak-ng"]
    assert not broken.ok
    assert "could not be examined" in broken.detail

    def hangs(*_arguments: object, **_options: object) -> None:
        raise subprocess.TimeoutExpired("espeak-ng", 10)

    monkeypatch.setattr(subprocess, "run", hangs)
    assert "could not be examined" in found(tmp_path)["espeak-ng"].detail


def test_disk_full_and_folder_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    later = tmp_path / "not" / "yet"
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(10**9, 10**9 - 10**6, 10**6))
    full = found(later)["disk"]
    assert not full.ok
    assert "APPLIANCE_DATA_DIR" in full.remedy
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    foreign = found(later)["disk"]
    assert not foreign.ok
    assert str(tmp_path) in foreign.detail
    assert "APPLIANCE_DATA_DIR" in foreign.remedy


def test_a_python_that_is_not_supported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 1))
    assert not found(tmp_path)["python"].ok


def test_graphics_of_a_workstation_a_jetson_and_a_bare_board(tmp_path: Path) -> None:
    assert graphics(tmp_path) is None
    (tmp_path / "dev").mkdir()
    (tmp_path / "proc/device-tree").mkdir(parents=True)
    (tmp_path / "proc/device-tree/model").write_bytes(b"Raspberry Pi 5\0")
    assert graphics(tmp_path) is None
    (tmp_path / "dev/nvhost-gpu").touch()
    (tmp_path / "proc/device-tree/model").write_bytes(b"NVIDIA Jetson Orin Nano Developer Kit\0")
    assert graphics(tmp_path) == "NVIDIA Jetson Orin Nano Developer Kit"
    card = tmp_path / "proc/driver/nvidia/gpus/0000:01:00.0"
    card.mkdir(parents=True)
    (card / "information").write_text("Model: \t\t NVIDIA H100\nIRQ: 1\n")
    assert graphics(tmp_path) == "NVIDIA H100"
    shutil.rmtree(tmp_path / "proc")
    assert graphics(tmp_path) is None
    (tmp_path / "dev/nvidiactl").touch()
    assert graphics(tmp_path) == "NVIDIA"


@pytest.mark.parametrize("provider", ["CUDAExecutionProvider", "CPUExecutionProvider"])
def test_a_gpu_counts_only_with_a_library_that_can_use_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    monkeypatch.setattr(programs, "graphics", lambda: "Fake GPU 1")
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: [provider])
    gpu = found(tmp_path)["gpu"]
    assert gpu.detail.startswith("Fake GPU 1")
    assert gpu.ok == (provider == "CUDAExecutionProvider")
    assert bool(gpu.remedy) != gpu.ok
