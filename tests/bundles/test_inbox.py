"""The inbox: what is broken off in the middle is tried again, and not for ever."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from appliance.bundles.inbox import REASON, TRIED, TRIES, emptied
from appliance.errors import ApplianceError, BundleRefused

BROKEN_OFF = """
import os, signal, sys
from pathlib import Path
from appliance.bundles.inbox import emptied
emptied(Path(sys.argv[1]), lambda path: os.kill(os.getpid(), signal.SIGKILL), print)
"""


def broken_off(folder: Path) -> None:
    done = subprocess.run([sys.executable, "-c", BROKEN_OFF, str(folder)], check=False)
    assert done.returncode == -9


def emptied_of(folder: Path, *, fails: bool = False) -> tuple[bool, list[str], list[ApplianceError]]:
    taken: list[str] = []
    told: list[ApplianceError] = []

    def take(path: Path) -> None:
        taken.append(path.name)
        if fails:
            raise BundleRefused("a.bundle: expected a good one, got this")

    return emptied(folder, take, lambda _, error: told.append(error)), taken, told


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.bundle").write_bytes(b"a")
    return tmp_path


def test_one_that_ends_every_process_is_put_aside_with_the_reason(folder: Path) -> None:
    for _ in range(TRIES):
        broken_off(folder)
        assert (folder / "a.bundle").exists()
    good, taken, told = emptied_of(folder)
    assert (good, taken) == (False, [])
    assert f"{TRIES} tries that were broken off" in str(told[0])
    assert not (folder / "a.bundle").exists()
    assert (folder / "a.bundle.refused").read_bytes() == b"a"
    assert "broken off" in (folder / REASON).read_text("utf-8")


def test_the_last_try_is_a_whole_one(folder: Path) -> None:
    for _ in range(TRIES - 1):
        broken_off(folder)
    assert emptied_of(folder) == (True, ["a.bundle"], [])


def test_another_file_under_its_name_has_tries_of_its_own(folder: Path) -> None:
    for _ in range(TRIES):
        broken_off(folder)
    (folder / "new").write_bytes(b"other")
    (folder / "new").replace(folder / "a.bundle")
    assert emptied_of(folder)[1] == ["a.bundle"]


@pytest.mark.parametrize("fails", [False, True])
def test_what_ended_by_itself_is_not_counted_on(folder: Path, fails: bool) -> None:
    assert emptied_of(folder, fails=fails)[1] == ["a.bundle"]
    assert not (folder / TRIED).exists()


@pytest.mark.parametrize("torn", [b"", b"[1]", b'{"a": "x"}', b"\xff"])
def test_a_count_that_is_torn_keeps_nothing_out(folder: Path, torn: bytes) -> None:
    (folder / TRIED).write_bytes(torn)
    assert emptied_of(folder) == (True, ["a.bundle"], [])
