"""What the kernel's small files say, and what is made of those that do not answer."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from appliance.device.sysfs import known, number, text, words
from appliance.errors import SensorUnreadable


def test_text_without_line_end_and_nul(tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes("NVIDIA Jetson \u00e9\0\n".encode())
    assert text(path) == "NVIDIA Jetson \u00e9"
    path.write_bytes(b"x" * 4096 + b"y\n")  # longer than a page, as nvpmodel.conf is
    assert text(path) == "x" * 4096 + "y"
    path.write_bytes(b"")
    assert text(path) == ""


def test_a_unit_that_is_off_answers_eagain_and_that_is_no_number(tmp_path: Path) -> None:
    path = tmp_path / "temp"
    os.mkfifo(path)
    writer = os.open(path, os.O_RDWR)  # whoever reads without waiting now gets EAGAIN, as from a zone that is off
    try:
        with pytest.raises(SensorUnreadable, match="temp: Resource temporarily unavailable"):
            number(path)
        assert known(path) is None
    finally:
        os.close(writer)


@pytest.mark.parametrize("said", ["nan", "-inf", "1e999", "", "0x10", "5 mA"])
def test_what_is_no_number_is_none(tmp_path: Path, said: str) -> None:
    path = tmp_path / "curr1_input"
    path.write_text(said)
    with pytest.raises(SensorUnreadable, match="expected a number"):
        number(path)


@pytest.mark.parametrize("make", [Path.mkdir, lambda path: None, lambda path: path.write_text("off\n")])
def test_an_error_names_the_file_and_says_what_to_do(tmp_path: Path, make) -> None:
    path = tmp_path / "in1_input"
    make(path)
    with pytest.raises(SensorUnreadable, match="in1_input") as failed:
        number(path)
    assert "传感器无法读取" in failed.value.message
    assert "Check that this user may read" in failed.value.remedy
    assert known(path) is None


def test_a_file_that_only_root_may_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: object, flags: int) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    (tmp_path / "energy_uj").write_text("1")
    monkeypatch.setattr(os, "open", refuse)  # the tests may run as root, who may read everything
    with pytest.raises(SensorUnreadable, match="energy_uj: Permission denied"):
        text(tmp_path / "energy_uj")
    assert words(tmp_path / "energy_uj") == ""


def test_numbers(tmp_path: Path) -> None:
    path = tmp_path / "curr1_input"
    path.write_text("-16\n")
    assert number(path) == -16.0
    assert known(path) == -16.0
    assert words(path) == "-16"
