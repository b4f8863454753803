"""Which board a device tree and a release file speak of."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.device.board import jetpack, recognise, release
from tests.device.boards import BOARDS, software, write


@pytest.mark.parametrize("family", BOARDS)
def test_each_board_is_recognised(tmp_path: Path, family: str) -> None:
    board = recognise(BOARDS[family](tmp_path))
    assert board.family == family
    assert board.jetson == (family != "pc")


def test_what_is_known_of_an_orin_nano(tmp_path: Path) -> None:
    board = recognise(BOARDS["orin-nano"](tmp_path))
    assert board.model == "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super"
    assert (board.module, board.l4t, board.jetpack) == ("p3767-0005", "R36.4.3", "6.2")


def test_a_module_that_nobody_knows_has_the_name_of_its_soc(tmp_path: Path) -> None:
    software(tmp_path, "Someone's Carrier", ("someone,carrier+p3999-0001", "nvidia,tegra234"), "39.2.1")
    board = recognise(tmp_path)
    assert (board.family, board.module, board.l4t, board.jetpack) == ("orin", "p3999-0001", "R39.2.1", "7.2")


@pytest.mark.parametrize("name", ["nvidia,p2972-0000", "nvidia,p2822-0000+p2888-0001"])
def test_an_agx_xavier_by_either_of_its_names(tmp_path: Path, name: str) -> None:
    software(tmp_path, "NVIDIA Jetson AGX Xavier Developer Kit", (name, "nvidia,tegra194"), "35.4.1")
    assert recognise(tmp_path).family == "agx-xavier"


def test_another_board_with_a_device_tree_is_no_jetson(tmp_path: Path) -> None:
    write(tmp_path, {"proc/device-tree": {"model": "Raspberry Pi 5\0", "compatible": "raspberrypi,5\0brcm,bcm2712\0"}})
    board = recognise(tmp_path)
    assert (board.family, board.model, board.module, board.l4t) == ("pc", "Raspberry Pi 5", "", "none")
    assert not board.jetson


def test_nothing_at_all(tmp_path: Path) -> None:
    board = recognise(tmp_path)
    assert (board.family, board.model, board.module, board.l4t, board.jetpack) == ("pc", "", "", "none", "")


@pytest.mark.parametrize(
    "text, expected",
    [
        ("# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64\n", "R36.4.3"),
        ("# R39 (release), REVISION: 2.0, GCID: 1, BOARD: generic\n", "R39.2.0"),
        ("something else", "unknown"),
        (f"# R{'3' * 5000} (release), REVISION: 4.3\n", "unknown"),
        ("", "unknown"),
        (None, "none"),
    ],
)
def test_the_release_of_the_board(tmp_path: Path, text: str | None, expected: str) -> None:
    if text is not None:
        (tmp_path / "etc").mkdir()
        (tmp_path / "etc" / "nv_tegra_release").write_text(text, "utf-8")
    assert release(tmp_path) == expected


@pytest.mark.parametrize(
    "l4t, expected",
    [
        *[("R36.4.3", "6.2"), ("R36.5.0", "6.2.2"), ("R39.2.0", "7.2"), ("R39.2", "7.2")],
        *[("R36.4.30", "6"), ("R39.20.1", "7"), ("R35.4.1", "5"), ("R38.2.0", "7"), ("R32.7.1", "4")],
        *[("R40.1.0", ""), ("none", ""), ("unknown", "")],
    ],
)
def test_a_jetpack_is_named_as_exactly_as_it_is_known(l4t: str, expected: str) -> None:
    assert jetpack(l4t) == expected
