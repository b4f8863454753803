"""Recordings of power: written, read back, summed up, and drawn."""

from __future__ import annotations

import resource
import signal
from pathlib import Path
from xml.etree import ElementTree

import pytest

from appliance.device.plot import draw
from appliance.device.recording import Reading, Recording, Writer, read, write
from appliance.errors import InvalidInput

SVG = "{http://www.w3.org/2000/svg}"

READINGS = (
    Reading(0.0, 4.0, {"VDD_IN": 4.0, "VDD_SOC": 1.0}, 50.0),
    Reading(1.0, 8.0, {"VDD_IN": 8.0, "VDD_SOC": 2.0}, 51.0),
    Reading(2.0, None, {"VDD_SOC": 2.0}, None),
    Reading(3.0, 6.0, {"VDD_IN": 6.0}, 52.0),
    Reading(3.5, 6.0, {"VDD_IN": 6.0, "VDD_SOC": 1.5}, 52.0),
    Reading(9.0, 10.0, {"VDD_IN": 10.0}, 60.0),
)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    kept = Recording("source=VDD_IN mode=15W\nand a line more", READINGS)
    write(kept, tmp_path / "power.csv")
    text = (tmp_path / "power.csv").read_text("utf-8")
    assert text.splitlines()[:3] == [
        "# source=VDD_IN mode=15W and a line more",
        "seconds,watts,VDD_IN,VDD_SOC,hottest_c",
        "0.000,4.000,4.000,1.000,50.000",
    ]
    assert read(tmp_path / "power.csv") == Recording("source=VDD_IN mode=15W and a line more", READINGS)


def test_gaps_are_not_bridged() -> None:
    recording = Recording("", READINGS)
    assert recording.joules == pytest.approx(6.0 + 3.0)
    assert recording.covered_s == pytest.approx(1.5)


@pytest.mark.parametrize(
    "text, wrong",
    [
        ("", "expected the columns"),
        ("time,volts\n1,2\n", "expected the columns"),
        ("seconds,watts\n0,1\n1\n", r":3: expected 2 fields, got 1"),
        ("seconds,watts\n0,warm\n", r":2: expected a number, got 'warm'"),
        ("seconds,watts\n0,inf\n", r":2: expected a number"),
        ("seconds,watts\n,1\n", r":2: expected seconds"),
        ("# about\nseconds,watts\n2,1\n1,1\n", r":4: expected seconds in order"),
    ],
)
def test_what_is_no_recording_is_refused_by_its_line(tmp_path: Path, text: str, wrong: str) -> None:
    (tmp_path / "power.csv").write_text(text, "utf-8")
    with pytest.raises(InvalidInput, match=wrong):
        read(tmp_path / "power.csv")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="expected a recording"):
        read(tmp_path / "none.csv")


def test_a_picture_has_a_line_for_the_whole_its_parts_and_the_heat_broken_at_gaps() -> None:
    picture = ElementTree.fromstring(draw(Recording("<VDD_IN> & more", READINGS)))
    lines = picture.findall(f"{SVG}polyline")
    whole = [line for line in lines if line.get("stroke-width") == "2"]
    assert [len(line.get("points").split()) for line in whole] == [2, 2, 1], "one at each side of a gap"
    assert len(lines) == 3 + 3 + 2, "whole, heat, VDD_SOC; VDD_IN is the whole and not drawn twice"
    said = [text.text for text in picture.findall(f"{SVG}text")]
    assert "<VDD_IN> & more" in said
    assert "合计 / all: 平均 / mean 6.00 W" in said
    assert "VDD_SOC" in said
    assert "VDD_IN" not in said
    for line in lines:
        for point in line.get("points").split():
            x, y = map(float, point.split(","))
            assert 60 <= x <= 900
            assert 66 <= y <= 346


def test_a_higher_power_is_drawn_higher_and_a_later_one_further_right() -> None:
    picture = ElementTree.fromstring(draw(Recording("", READINGS[:2])))
    (line,) = [line for line in picture.findall(f"{SVG}polyline") if line.get("stroke-width") == "2"]
    (x0, y0), (x1, y1) = (map(float, point.split(",")) for point in line.get("points").split())
    assert x0 < x1
    assert y0 > y1


@pytest.mark.parametrize("watts", [0.0, 0.003, 1.0, 999.0, -0.01])
def test_any_power_makes_a_picture(watts: float) -> None:
    readings = tuple(Reading(second * 0.2, watts, {}, None) for second in range(3))
    ElementTree.fromstring(draw(Recording("", readings)))
    ElementTree.fromstring(draw(Recording("", readings[:1])))


def test_no_power_makes_none() -> None:
    with pytest.raises(ValueError, match="expected a recording with power"):
        draw(Recording("", (Reading(0.0, None, {}, 50.0),)))


def test_a_disk_that_fills_up_leaves_the_lines_before_whole(tmp_path: Path) -> None:
    file = tmp_path / "power.csv"
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with Writer(file, "a small disk", ["VDD_IN"]) as writer:
            writer.add(Reading(0.0, 4.0, {"VDD_IN": 4.0}, 50.0))
            resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size + 7, before[1]))
            with pytest.raises(OSError):
                writer.add(Reading(1.0, 8.0, {"VDD_IN": 8.0}, 51.0))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert [reading.seconds for reading in read(file).readings] == [0.0]
