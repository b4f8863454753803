"""What reading power costs is measured on files of a board, and judged."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks import meter
from tests.device.boards import agx_orin


def test_a_board_is_read_divided_and_looked_at(tmp_path: Path) -> None:
    result = meter.measure(agx_orin(tmp_path), 0.5, 0.01)
    assert result["source"] == "VDD_GPU_SOC + VDD_CPU_CV + VIN_SYS_5V0"
    assert result["reason"] == ""
    assert result["joules"] == pytest.approx(6.83 * result["covered_s"], abs=0.06 * 6.83), "seconds are rounded to 0.1"
    assert min(result["looks"], result["works"]) >= 1
    assert all(result[f"{part}_cpu_s"] > 0 for part in ("meter", "looks", "works"))


def test_power_is_also_read_where_work_begins_and_ends(tmp_path: Path) -> None:
    result = meter.measure(agx_orin(tmp_path), 0.5, 1.0)
    assert result["covered_s"] > 0, "the thread alone would have read it once"


@pytest.mark.parametrize(
    "share, covered, wrong",
    [
        (0.0049, 20.0, []),
        (0.0051, 20.0, ["expected at most 0.5% of a core, got 0.51%"]),
        (0.001, 3.0, ["expected power for all of the time, got 3.0 of 20.0 s"]),
    ],
)
def test_limits(share: float, covered: float, wrong: list[str]) -> None:
    assert meter.verdict({"share_of_a_core": share, "covered_s": covered, "seconds": 20.0}) == wrong


def test_a_machine_without_power_fails_the_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "meter.json"
    arguments = ["meter", "--root", str(tmp_path), "--seconds", "0.1", "--check", "--json", str(out)]
    monkeypatch.setattr(sys, "argv", arguments)
    assert meter.main() == 1
    assert "FAIL: expected power for all of the time, got 0.0 of" in capsys.readouterr().out
    written = json.loads(out.read_text("utf-8"))
    assert (written["source"], written["limit"]) == ("none", 0.005)
    assert {"board", "jetpack", "power_mode"} <= set(written["machine"])


def test_hundreds_of_turns_a_second_are_billed_what_was_drawn_and_a_sum_that_is_off_is_told() -> None:
    result = meter.turns(280, 4.0)
    assert result["billed_j"] > 0
    assert meter.summed(result) == []
    assert len(meter.summed(result | {"billed_j": 0.97 * result["shared_j"]})) == 1
