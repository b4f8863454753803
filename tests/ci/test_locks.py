"""What the check of the locks finds; the resolutions themselves are made by `make check`."""

from __future__ import annotations

import importlib
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from tests.conftest import REPOSITORY


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(REPOSITORY / ".ci"))
    return importlib.import_module("resolve")


@pytest.mark.parametrize("number, python", [(6, "3.10"), (7, "3.12")])
def test_a_jetpacks_lock_is_that_of_its_python_without_onnxruntime(
    resolve: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: int, python: str
) -> None:
    lock = REPOSITORY / f"jetson/constraints-jetpack{number}.txt"
    jetpack, whole = resolve.pins(lock), resolve.pins(resolve.JETPACKS[lock])
    assert set(whole) - set(jetpack) == {"onnxruntime"}
    assert jetpack.items() <= whole.items()
    case = (str(lock.relative_to(REPOSITORY)), python, "aarch64")
    assert case in resolve.CASES
    assert resolve.whole(case)[1] == ""
    other = tmp_path / resolve.JETPACKS[lock].name
    other.write_text("a==1\nonnxruntime==2\nonnxruntime-x==3\n")
    made = resolve.jetpack(other)
    assert [line for line in made.splitlines() if line[0] != "#"] == ["a==1", "onnxruntime-x==3"]
    monkeypatch.setitem(resolve.JETPACKS, lock, other)
    assert "run: make lock" in resolve.whole(case)[1]


@pytest.mark.parametrize(
    "resolved, error",
    [
        ("numpy==2.2.6\nrich==15.0.0\n", ""),
        ("numpy==2.2.6\nrich==15.0.0\ncffi==2.0\n", "needed, not locked: cffi==2.0\nrun: make lock"),
        ("numpy==2.2.6\n", "locked, not needed: rich==15.0.0\nrun: make lock"),
        ("numpy==2.2.6\nrich==15.1.0\n", "needed, not locked: rich==15.1.0\nlocked, not needed: rich==15.0.0"),
    ],
)
def test_a_lock_that_is_not_what_setup_needs(
    resolve: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, resolved: str, error: str
) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text("numpy==2.2.6\nrich==15.0.0\n")
    # A fake uv, whose real answer takes a network.
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 0, resolved, ""))
    found = resolve.whole((str(lock), "3.11", "aarch64"))[1]
    assert found.startswith(error) if error else found == ""


def test_a_lock_without_versions_is_refused(resolve: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "lock.txt").write_text("# comment\nnumpy>=2\n")
    with pytest.raises(SystemExit, match="expected name==version"):
        resolve.pins(tmp_path / "lock.txt")
