"""Load and clock of the GPU under the names that it has, and clocks of the cores."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.device.clocks import Gpu, find_clocks
from tests.device.boards import BOARDS, OFF, orin_nano, write


@pytest.mark.parametrize(
    "family, expected",
    [
        ("orin-nano", Gpu(0.842, 1020.0, 1020.0)),
        ("agx-orin", Gpu(0.0, 407.0, 1300.5)),
        ("xavier-nx", Gpu(0.0, 114.75, 1109.25)),
        ("agx-thor", Gpu(None, 314.0, 1575.0)),
        ("nano", None),
        ("pc", None),
    ],
)
def test_the_gpu_of_each_board(tmp_path: Path, family: str, expected: Gpu | None) -> None:
    assert find_clocks(BOARDS[family](tmp_path)).look() == expected


def test_a_gpu_whose_node_alone_says_what_it_is(tmp_path: Path) -> None:
    write(tmp_path / "sys/class/devfreq/13e00000.host1x", {"cur_freq": 1})
    write(tmp_path / "sys/class/devfreq/17000000.x", {"cur_freq": 612000000, "device/of_node/name": "ga10b\0"})
    write(tmp_path / "sys/devices/platform/gpu.0", {"load": 1000})
    assert find_clocks(tmp_path).look() == Gpu(1.0, 612.0, None)


def test_a_load_that_cannot_be_read_is_not_idle(tmp_path: Path) -> None:
    found = find_clocks(orin_nano(tmp_path))
    assert found.load is not None
    found.load.unlink()
    write(found.load.parent, {"load": OFF})
    assert found.look() == Gpu(None, 1020.0, 1020.0)


def test_clocks_by_the_cores_that_share_them(tmp_path: Path) -> None:
    found = find_clocks(orin_nano(tmp_path))
    assert list(found.megahertz().items()) == [("0-3", 1728.0), ("4-5", 729.6)]
    found.cores["4-5"].unlink()
    assert found.megahertz() == {"0-3": 1728.0}, "cores that are switched off have no clock"
    assert find_clocks(BOARDS["pc"](tmp_path / "pc")).megahertz() == {"0": 2400.0, "1": 2500.0}
