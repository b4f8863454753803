"""`make` on machines that lack something: it says what, and fails only with CI=true or where nothing can go on."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """An ordinary user without sudo, on a Debian with no package of ours (fake dpkg, id and sudo)."""
    for name, text in {"dpkg-query": "exit 1", "id": "echo 1000", "sudo": "exit 1", "apt-get": "exit 99"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    environ = {name: value for name, value in os.environ.items() if name not in ("CI", "MAKEFLAGS", "MAKELEVEL")}
    return environ | {"PATH": f"{tmp_path}:{environ['PATH']}", "PYTHON": sys.executable}


def run(environ: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=REPOSITORY, env=environ, capture_output=True, text=True, timeout=60, check=False)


def test_missing_packages_are_named_with_what_they_turn_off(bare: dict[str, str]) -> None:
    told = run(bare, "bash", ".ci/system", "run", "test")
    assert told.returncode == 0
    run_time = ("libportaudio2", "tesseract-ocr", "tesseract-ocr-chi-sim", "espeak-ng", "fonts-wqy-microhei")
    for package in (*run_time, "strace"):
        assert f"system package missing: {package} (" in told.stderr
        assert package in told.stderr.splitlines()[-1]
    assert told.stderr.splitlines()[-1].startswith("install what is missing with: sudo apt-get install ")


def test_with_ci_a_missing_package_is_a_failure(bare: dict[str, str]) -> None:
    told = run(bare | {"CI": "true"}, "bash", ".ci/system", "run")
    assert told.returncode == 1
    assert "system package missing: espeak-ng" in told.stderr


def test_make_test_installs_what_its_tests_fail_without_where_ci_is_true(bare: dict[str, str]) -> None:
    """What `make device-check` installs later comes too late for them."""
    named = set(run(bare, "bash", ".ci/system", "run", "test").stderr.splitlines()[-1].split())
    wanted = {
        package
        for path in (REPOSITORY / "tests").rglob("test_*.py")
        for packages in re.findall(r'\blacking\(\s*"[^"]+",\s*"([^"]+)"\)', path.read_text("utf-8"))
        for package in packages.split()
    }
    assert wanted - named <= {"curl"}  # the README's examples, which take what their reader has


def made(target: str, *variables: str) -> str:
    """The commands of a target, as make would run them."""
    command = ["make", "--no-print-directory", "--dry-run", "--always-make", target, *variables]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=True).stdout


def test_every_target_without_a_file_is_phony_and_make_clean_forgets_no_environment() -> None:
    text = (REPOSITORY / "Makefile").read_text("utf-8").replace("\\\n", " ")
    targets = set(re.findall(r"^([a-z][a-z-]*):(?!=)", text, re.MULTILINE))
    (phony,) = re.findall(r"^\.PHONY: (.*)", text, re.MULTILINE)
    assert targets == set(phony.split())
    environments = {f"there{rest}" for rest in re.findall(r"\$\(VENV\)((?:-\w+)*)", text)} - {"there"}
    assert {"there-peer", "there-locust", "there-ort1232"} <= environments
    removed = next(line for line in made("clean", "VENV=there").splitlines() if line.startswith("rm -rf ")).split()
    assert environments | {"there", "there-vosk-model"} <= set(removed)


@pytest.mark.parametrize("python", ["/nonexistent/python", "old"])
def test_a_python_that_cannot_be_used_is_named(bare: dict[str, str], tmp_path: Path, python: str) -> None:
    if python == "old":
        python = str(tmp_path / "python3")
        Path(python).write_text("#!/bin/sh\necho 39\n")
        Path(python).chmod(0o755)
    told = run(bare, "make", "models", f"PYTHON={python}", f"VENV={tmp_path / 'venv'}")
    assert told.returncode == 2
    assert f"expected Python 3.10 to 3.12 as '{python}'" in told.stderr
    assert not (tmp_path / "venv").exists()


def test_a_python_without_venv_names_the_package(bare: dict[str, str], tmp_path: Path) -> None:
    python = tmp_path / "python3"
    python.write_text(f'#!/bin/sh\ncase "$*" in *ensurepip*) exit 1;; esac\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    told = run(bare, "make", "models", f"PYTHON={python}", f"VENV={tmp_path / 'venv'}")
    assert told.returncode == 2
    assert "apt-get install python3-venv" in told.stderr
    assert not (tmp_path / "venv").exists()
    system = run(bare | {"PYTHON": str(python), "VENV": str(tmp_path / "venv")}, "bash", ".ci/system", "run")
    assert "system package missing: python3-venv" in system.stderr


def test_half_an_environment_is_made_anew(bare: dict[str, str], tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    told = run(bare, "make", "-s", f"{venv}/.made", f"PYTHON={sys.executable}", f"VENV={venv}")
    assert told.returncode == 0, told.stderr
    subprocess.run([str(venv / "bin/python"), "-m", "pip", "--version"], check=True, stdout=subprocess.DEVNULL)


@pytest.fixture
def installed(bare: dict[str, str], tmp_path: Path) -> Path:
    """An environment that counts as installed; its fake `appliance` says what it was asked, all but `models`."""
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / ".runtime").touch()
    code = "from appliance.cli import main; main()"
    program = venv / "bin/appliance"
    program.write_text(
        f"""#!/bin/sh
if [ "$1" != models ]; then echo "asked: $1"; exit 0; fi
[ -z "$PULL_EXITS" ] || exit "$PULL_EXITS"
exec {sys.executable} -c '{code}' "$@"
"""
    )
    program.chmod(0o755)
    return venv


def make(environ: dict[str, str], venv: Path, target: str) -> subprocess.CompletedProcess[str]:
    return run(environ, "make", "-s", "-o", f"{venv}/.runtime", target, f"PYTHON={sys.executable}", f"VENV={venv}")


def test_run_serves_without_models_that_cannot_be_had(bare: dict[str, str], installed: Path, tmp_path: Path) -> None:
    nowhere = "http://127.0.0.1:9"
    offline = {"PIP_NO_INDEX": "1", "HTTPS_PROXY": nowhere, "https_proxy": nowhere, "NO_PROXY": "", "no_proxy": ""}
    environ = bare | offline | {"APPLIANCE_DATA_DIR": str(tmp_path / "data")}
    environ.pop("PIP_FIND_LINKS", None)
    told = make(environ, installed, "run")
    assert told.returncode == 0, told.stderr
    assert "pp-ocrv6-small: 失败 / failed" in told.stdout
    assert told.stdout.splitlines()[-2:] == ["asked: check", "asked: serve"]
    assert "缺少模型，以备用方式继续启动" in told.stderr


@pytest.mark.parametrize("code", [3, 4])
def test_models_missing_or_corrupt_stop_every_target_but_run(bare: dict[str, str], installed: Path, code: int) -> None:
    environ = bare | {"PULL_EXITS": str(code)}
    assert "asked: serve" in make(environ, installed, "run").stdout
    for target in ("pull", "models-once"):
        assert make(environ, installed, target).returncode == 2


def test_a_disk_that_takes_no_model_stops_run(bare: dict[str, str], installed: Path) -> None:
    told = make(bare | {"PULL_EXITS": "1"}, installed, "run")
    assert told.returncode == 2
    assert "asked" not in told.stdout


def test_an_unknown_choice_of_onnxruntime_names_the_known_ones(bare: dict[str, str]) -> None:
    told = run(bare | {"ONNXRUNTIME": "gpu"}, sys.executable, "setup.py", "--version")
    assert told.returncode == 1
    assert told.stderr.strip() == "expected ONNXRUNTIME=cpu or ONNXRUNTIME=none, got ONNXRUNTIME=gpu"
