"""Power modes by name, which is the only thing that means the same on two boards."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.device.mode import read_modes
from appliance.errors import SettingInvalid
from tests.device.boards import BOARDS, modes, orin_nano, write


@pytest.mark.parametrize(
    "family, now, default",
    [
        ("orin-nano", "MAXN_SUPER", "25W"),
        ("agx-orin", "MAXN", "MODE_30W"),
        ("xavier-nx", "MODE_20W_6CORE", "MODE_15W_6CORE"),
        ("agx-thor", "120W", "120W"),
    ],
)
def test_the_mode_in_force_has_the_name_that_this_board_gives_it(
    tmp_path: Path, family: str, now: str, default: str
) -> None:
    found = read_modes(BOARDS[family](tmp_path))
    assert (found.now, found.default, found.why) == (now, default, "")


def test_the_same_name_has_another_number_on_another_board(tmp_path: Path) -> None:
    nano = read_modes(orin_nano(tmp_path / "nano"))
    agx = read_modes(BOARDS["agx-orin"](tmp_path / "agx"))
    assert list(nano.names.values()) == ["15W", "25W", "MAXN_SUPER", "7W"], "what is commented out is no mode"
    assert nano.number("15W") == nano.number("MODE_15W") == 0
    assert agx.number("15w") == agx.number("MODE_15W") == 1


@pytest.mark.parametrize("name", ["15", "", "MAXN", "MODE_15W_6CORE", "1"])
def test_a_name_that_this_board_does_not_have_is_refused_with_those_that_it_has(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingInvalid, match=r"expected one of 15W, 25W, MAXN_SUPER, 7W, got") as refused:
        read_modes(orin_nano(tmp_path)).number(name)
    assert "nvpmodel.conf" in refused.value.remedy


def test_modes_that_only_resemble_are_not_chosen_between(tmp_path: Path) -> None:
    with pytest.raises(SettingInvalid):
        read_modes(BOARDS["xavier-nx"](tmp_path)).number("15W")


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    nothing = read_modes(tmp_path)
    assert (nothing.names, nothing.now, nothing.default) == ({}, "", "")
    assert "nvpmodel.conf: No such file" in nothing.why
    with pytest.raises(SettingInvalid, match=r"none \(no nvpmodel.conf\)"):
        nothing.number("15W")


@pytest.mark.parametrize("number", ["²", "1" * 5000, "-1", "x"])
def test_what_is_no_number_of_a_mode_ends_no_look(tmp_path: Path, number: str) -> None:
    lines = (
        f"< POWER_MODEL ID={number} NAME=ODD >",
        "< POWER_MODEL ID=1 NAME=15W >",
        f"< PM_CONFIG DEFAULT={number} >",
    )
    write(tmp_path, {"etc/nvpmodel.conf": "\n".join(lines), "var/lib/nvpmodel/status": f"pmode:{number}"})
    found = read_modes(tmp_path)
    assert (found.names, found.now, found.default) == ({1: "15W"}, "", "")
    assert "expected pmode:NUMBER" in found.why


@pytest.mark.parametrize("status, why", [("", "expected pmode:NUMBER"), ("pmode:0007", "got number 7")])
def test_a_state_that_says_nothing_or_a_mode_that_is_not_there(tmp_path: Path, status: str, why: str) -> None:
    modes(tmp_path, ("15W", "7W"), 5, status)
    found = read_modes(tmp_path)
    assert (found.now, found.default) == ("", "")
    assert why in found.why
