"""The power mode by name, against a stand-in that behaves as nvpmodel is reported to: numbers differ by board."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.device.mode import read_modes
from appliance.device.nvpmodel import Switched, current, switch
from appliance.errors import PowerModeRefused, SettingInvalid, Unavailable

BOARDS = {
    "orin-nx": {"MAXN": 0, "10W": 1, "15W": 2, "25W": 3},
    "orin-nano": {"15W": 0, "7W": 1},
    "agx-orin": {"MAXN": 0, "15W": 1, "30W": 2, "50W": 3},
}
STAND_IN = """#!/bin/sh
# nvpmodel's manners: -q tells name and number; -m changes the mode, but one that needs a reboot only after a YES.
names="$(sed -n 's/^< POWER_MODEL ID=\\([0-9]*\\) NAME=\\(.*\\) >/\\1 \\2/p' {conf})"
case "$1" in
-q)
  mode=$(cat {state})
  echo "NV Power Mode: $(echo "$names" | awk -v m="$mode" '$1 == m {{print $2}}')"
  echo "$mode"
  ;;
-m)
  echo "-m $2" >>{log}
  if [ "$2" = "{reboots}" ]; then
    echo "NVPM WARN: Reboot required for changing to this power mode: $2"
    echo "NVPM WARN: DO YOU WANT TO REBOOT NOW? enter YES/yes to confirm:"
    read -r answer || exit 0
    [ "$answer" = YES ] || exit 0
  fi
  echo "$2" >{state}
  ;;
esac
"""


class Board:
    """A board below `root`, with its nvpmodel."""

    def __init__(self, root: Path, names: dict[str, int], mode: int, reboots: str = "none") -> None:
        self.root, self.log, self._state = root, root / "log", root / "state"
        conf = root / "etc/nvpmodel.conf"
        conf.parent.mkdir()
        lines = [f"< POWER_MODEL ID={number} NAME={name} >\nCPU_ONLINE CORE_0 1" for name, number in names.items()]
        conf.write_text("# < POWER_MODEL ID=9 NAME=OLD >\n" + "\n".join(lines) + "\n< PM_CONFIG DEFAULT=0 >\n")
        program = root / "nvpmodel"
        program.write_text(STAND_IN.format(conf=conf, state=self._state, log=self.log, reboots=reboots))
        program.chmod(0o755)
        self.program = str(program)
        self._state.write_text(f"{mode}\n")
        self.log.touch()

    @property
    def mode(self) -> int:
        return int(self._state.read_text())


@pytest.mark.parametrize(("name", "number"), [("orin-nx", 2), ("orin-nano", 0), ("agx-orin", 1)])
def test_the_same_name_is_another_number_on_each_board(tmp_path: Path, name: str, number: int) -> None:
    board = Board(tmp_path, BOARDS[name], mode=max(BOARDS[name].values()))
    before = current(board.program)
    assert switch("15w", board.root, board.program) == Switched("15W", before)
    assert board.mode == number
    assert board.log.read_text() == f"-m {number}\n"


def test_a_mode_that_is_in_force_is_left_alone(tmp_path: Path) -> None:
    board = Board(tmp_path, BOARDS["orin-nx"], mode=2)
    assert switch("15W", board.root, board.program) == Switched("15W", "15W")
    assert board.log.read_text() == ""


def test_a_mode_that_needs_a_reboot_is_told_and_nobody_reboots(tmp_path: Path) -> None:
    board = Board(tmp_path, BOARDS["agx-orin"], mode=0, reboots="1")
    with pytest.raises(PowerModeRefused) as refused:
        switch("15W", board.root, board.program)
    assert board.mode == 0
    assert "expected 15W, got MAXN after nvpmodel -m 1" in refused.value.detail
    assert "Reboot required" in refused.value.detail
    assert "sudo nvpmodel -m 1" in refused.value.remedy


def test_an_unknown_name_lists_the_boards_own(tmp_path: Path) -> None:
    board = Board(tmp_path, BOARDS["orin-nano"], mode=1)
    with pytest.raises(SettingInvalid, match="power mode: expected one of 15W, 7W, got '25W'"):
        switch("25W", board.root, board.program)
    assert board.log.read_text() == ""


def test_commented_modes_do_not_exist(tmp_path: Path) -> None:
    names = read_modes(Board(tmp_path, BOARDS["orin-nano"], mode=0).root).names
    assert {name: number for number, name in names.items()} == BOARDS["orin-nano"]


def test_off_a_jetson_there_is_no_mode(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="nvpmodel.conf"):
        switch("15W", tmp_path)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/nvpmodel.conf").write_text("< PM_CONFIG DEFAULT=0 >\n")
    with pytest.raises(Unavailable, match="expected lines with POWER_MODEL, got none"):
        switch("15W", tmp_path)


def test_without_the_program_or_its_answer_the_reason_is_said(tmp_path: Path) -> None:
    board = Board(tmp_path, BOARDS["orin-nano"], mode=0)
    with pytest.raises(Unavailable, match="expected the program, got none"):
        switch("15W", board.root, str(tmp_path / "absent"))
    Path(board.program).write_text("#!/bin/sh\necho NVPM ERROR: no such file\n")
    with pytest.raises(Unavailable, match="expected a line 'NV Power Mode: NAME', got 'NVPM ERROR"):
        switch("15W", board.root, board.program)
