"""A folder carried to a board without network: what of it is used, and when none of it is."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.jetson.machine import JETPACK_7, THOR_7, Machine

SCRIPT = REPOSITORY / "jetson/offline-folder.sh"


def sealed(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(SCRIPT), "--seal", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    (machine.fake / "packages/python3-venv").touch()
    return machine


@pytest.fixture
def carried(machine: Machine, tmp_path: Path) -> Path:
    """What jetson/offline-folder.sh makes, with wheels that are none."""
    folder = tmp_path / "carried"
    for name in ("jetson", "systemd", "constraints"):
        shutil.copytree(machine.repository / name, folder / name)
    for name in (
        "wheels/edge_inference_appliance-0.9.0-py3-none-any.whl",
        "wheels/onnxruntime_gpu-1.23.0-cp310-cp310-linux_aarch64.whl",
        "models/silero_vad-6.2.3-py3-none-any.whl",
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(name)
    (folder / "contents").write_text("version=0.9.0\njetpack=6\n")
    assert sealed(folder).returncode == 0
    return folder


def test_all_comes_from_the_folder(machine: Machine, carried: Path) -> None:
    shutil.rmtree(machine.repository / "appliance")  # nobody carries a checkout
    done = machine.install("--offline", str(carried))
    assert done.returncode == 0, done.stderr
    pip = [line for line in machine.calls if " -m pip install" in line]
    assert all(" --no-index" in line or line.endswith(f"--no-deps --no-index {carried}/wheels/") for line in pip)
    assert len(pip) == 5
    assert pip[1].endswith("edge-inference-appliance==0.9.0")
    assert pip[4].endswith(
        f"--no-deps --no-index {carried}/wheels/onnxruntime_gpu-1.23.0-cp310-cp310-linux_aarch64.whl"
    )
    (pulled,) = [line for line in machine.calls if line.startswith("runuser ") and "models pull" in line]
    assert "models pull --from /opt/appliance/.install/models -c" in pulled
    assert not (machine.tree / "opt/appliance/.install/models").exists()
    assert not any("https://" in line for line in machine.calls)
    assert not any(line.startswith("apt-get") and "update" in line for line in machine.calls)
    assert "venv-0.9.0-" in str((machine.tree / "opt/appliance/venv").readlink())


def test_the_folders_own_installer_knows_it(machine: Machine, carried: Path) -> None:
    machine.repository = carried
    done = machine.install("--dry-run")
    assert done.returncode == 0, done.stderr
    assert "every file is whole" in done.stdout
    assert "--no-index --find-links SOURCE/wheels" in "\n".join(machine.shown(done.stdout))


def test_without_a_wheel_for_the_gpu_the_cpus_comes_in_loudly(machine: Machine, carried: Path) -> None:
    next(carried.glob("wheels/onnxruntime_gpu-*")).unlink()
    sealed(carried)
    done = machine.install("--offline", str(carried))
    assert done.returncode == 0, done.stderr
    assert "ONNX RUNTIME SERVES ON THE CPU, not on the GPU: the offline folder has no onnxruntime-gpu" in done.stderr


def test_debian_packages_are_installed_from_it(machine: Machine, carried: Path) -> None:
    (carried / "debs").mkdir()
    (machine.fake / "packages/python3-venv").unlink()
    for name in ("python3-venv", "espeak-ng"):
        (carried / f"debs/{name}_1.0_arm64.deb").write_text(name)
    sealed(carried)
    done = machine.install("--offline", str(carried))
    assert done.returncode == 0, done.stderr
    assert (machine.fake / "packages/espeak-ng").exists()
    assert "system package missing: tesseract-ocr" in done.stderr  # nobody carried it
    (install,) = [line for line in machine.calls if line.startswith("env DEBIAN_FRONTEND") and ".deb" in line]
    assert "--no-download" in install


def test_a_clock_that_was_never_set_is_no_hindrance_there(machine: Machine, carried: Path) -> None:
    machine.set("year", "1970")
    done = machine.install("--offline", str(carried))
    assert done.returncode == 0
    assert "the clock says 1970" in done.stderr


def damaged(folder: Path) -> None:
    next(folder.glob("wheels/edge*")).write_text("another")


def missing(folder: Path) -> None:
    next(folder.glob("models/*")).unlink()


def added(folder: Path) -> None:
    (folder / "wheels/numpy-99-py3-none-any.whl").write_text("a stranger's")


def linked(folder: Path) -> None:
    (folder / "wheels/numpy-99-py3-none-any.whl").symlink_to("/elsewhere/numpy-99-py3-none-any.whl")


def unsealed(folder: Path) -> None:
    (folder / "SHA256SUMS").unlink()


def another(folder: Path) -> None:
    (folder / "contents").write_text("version=0.9.0\njetpack=7\n")
    sealed(folder)


def elder(folder: Path) -> None:
    (folder / "jetson/constraints-jetpack6.txt").write_text("numpy==1.0\n")
    sealed(folder)


def shortened(folder: Path) -> None:
    sums = folder / "SHA256SUMS"
    sums.write_text(sums.read_text()[:200])


@pytest.mark.parametrize(
    "change, told",
    [
        (
            damaged,
            "expected the files of SHA256SUMS, found: wheels/edge_inference_appliance-0.9.0-py3-none-any.whl: FAILED",
        ),
        (missing, "expected the files of SHA256SUMS, found: sha256sum: models/silero_vad"),
        (added, "expected no file beside those of SHA256SUMS, found: wheels/numpy-99-py3-none-any.whl"),
        (linked, "expected no file beside those of SHA256SUMS, found: wheels/numpy-99-py3-none-any.whl"),
        (unsealed, "expected SHA256SUMS and contents, found none"),
        (another, "expected a folder for JetPack 6, found one for JetPack 7"),
        (elder, "found others: another version made it"),
        (shortened, "expected "),
    ],
)
def test_a_folder_that_is_not_what_was_made_is_refused(machine: Machine, carried: Path, change, told: str) -> None:  # type: ignore[no-untyped-def]
    change(carried)
    done = machine.install("--offline", str(carried))
    assert (done.returncode, machine.calls) == (2, [])
    assert told in done.stderr, done.stderr
    assert not (machine.tree / "opt").exists()


@pytest.mark.parametrize("board", [JETPACK_7, THOR_7])
def test_another_jetpacks_folder_is_refused(tmp_path: Path, carried: Path, board) -> None:  # type: ignore[no-untyped-def]
    done = Machine(tmp_path / "other", board).install("--offline", str(carried))
    assert done.returncode == 2
    assert "expected a folder for JetPack 7, found one for JetPack 6" in done.stderr


@pytest.mark.parametrize(
    "options, told",
    [
        ((), "用法 / usage"),
        (("--jetpack", "5", "FOLDER"), "用法 / usage"),
        (("--jetpack", "6", "FULL"), "expected an empty folder or one that this script made, found another"),
        (("--seal", "FULL"), "expected a folder made by this script, found none"),
    ],
)
def test_what_the_script_that_makes_it_refuses(tmp_path: Path, options: tuple[str, ...], told: str) -> None:
    (tmp_path / "FULL").mkdir()
    (tmp_path / "FULL/photo.jpg").touch()
    command = [str(SCRIPT), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert told in done.stderr
    assert list(tmp_path.iterdir()) == [tmp_path / "FULL"]
