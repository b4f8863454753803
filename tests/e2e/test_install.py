"""`pip install .` into a fresh environment works from another directory, outside the checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY, tracked
from tests.e2e.conftest import copy_models


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `appliance` program of a fresh environment."""
    home = tmp_path_factory.mktemp("install")
    source = home / "source"
    # A copy: a build must not leave anything in the checkout, nor find anything that is not in git.
    for name in tracked():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REPOSITORY / name, source / name)
    subprocess.run([sys.executable, "-m", "venv", str(home / "venv")], check=True)
    lock = REPOSITORY / "constraints" / f"py{sys.version_info.major}{sys.version_info.minor}.txt"
    command = [
        str(home / "venv/bin/python"),
        "-m",
        "pip",
        "install",
        "-q",
        "--no-compile",
        "-c",
        str(lock),
        str(source),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=home)
    assert done.returncode == 0, done.stderr[-3000:]
    return home / "venv/bin/appliance"


def run(program: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("APPLIANCE_", "PYTHON"))}
    return subprocess.run(
        [str(program), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=folder,
        env=environ | {"APPLIANCE_DATA_DIR": str(folder / "data"), "PYTHONUTF8": "1"},
    )


def test_the_installed_program_answers_and_reads(installed: Path, tmp_path: Path) -> None:
    asked = run(installed, tmp_path, "ask", "洗衣液在哪个货架", "--json")
    assert asked.returncode == 0, asked.stderr
    assert json.loads(asked.stdout)["intent"] == "find_product"

    listed = run(installed, tmp_path, "models", "list", "--json")
    assert listed.returncode == 0, listed.stderr
    assert "pp-ocrv6-small" in listed.stdout

    copy_models(tmp_path / "data")
    picture = REPOSITORY / "models/pp-ocrv6-small/cases/notice.png"
    drawn = tmp_path / "drawn.png"
    read = run(installed, tmp_path, "ocr", str(picture), "--json", "--draw", str(drawn))
    assert read.returncode == 0, read.stderr
    assert json.loads(read.stdout)["lines"]
    assert drawn.read_bytes().startswith(b"\x89PNG")


def test_the_installed_program_checks_itself_and_refuses_with_its_exit_code(installed: Path, tmp_path: Path) -> None:
    checked = run(installed, tmp_path, "check", "--json")
    assert checked.returncode == 0, checked.stderr
    report = json.loads(checked.stdout)
    assert report["ready"] is True
    wrong = run(installed, tmp_path, "ocr", str(tmp_path / "nothing.png"))
    assert wrong.returncode == 2
    assert "nothing.png" in wrong.stderr
    assert "Traceback" not in wrong.stderr
