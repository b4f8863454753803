"""A folder carried to a board without network: what of it is used, and when none of it is."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.jetson.machine import JETPACK_7, THOR_7, Machine

pytestmark = pytest.mark.device

SCRIPT = REPOSITORY / "jetson/offline-folder.sh"


def sealed(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [str(SCRIPT), "--seal", str(folder), *options]
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


def pair(folder: Path, kind: str = "ed25519") -> tuple[Path, Path]:
    """A private key without a passphrase, and its public one, both in PEM."""
    private, public = folder / f"{kind}.key", folder / f"{kind}.key.pub"
    subprocess.run(["openssl", "genpkey", "-algorithm", kind, "-out", private], check=True, capture_output=True)
    subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True, capture_output=True)
    return private, public


def test_a_signed_folder_is_taken_with_the_key_and_without(machine: Machine, carried: Path, tmp_path: Path) -> None:
    private, public = pair(tmp_path)
    assert sealed(carried, "--sign", str(private)).returncode == 0
    done = machine.install("--offline", str(carried), "--key", str(public))
    assert done.returncode == 0, done.stderr
    assert "signed by the key of" in done.stdout
    done = machine.install("--offline", str(carried), "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "without --key the sums find damage only, not somebody who changed the folder" in done.stdout


def test_the_projects_own_keys_sign_it(carried: Path, tmp_path: Path) -> None:
    """`appliance bundle key new` locks its key with a passphrase; openssl reads both of its files."""
    from appliance.bundles.keys import generate, public_path

    private = tmp_path / "desk.key"
    generate(private, b"a passphrase")
    listed, signature = carried / "SHA256SUMS", tmp_path / "signature"
    common = ["openssl", "pkeyutl", "-rawin", "-in", listed]
    for command in (
        [*common, "-sign", "-inkey", private, "-passin", "pass:a passphrase", "-out", signature],
        [*common, "-verify", "-pubin", "-inkey", public_path(private), "-sigfile", signature],
    ):
        subprocess.run(command, check=True, capture_output=True)


def resealed(folder: Path, private: Path) -> None:
    """A forger changes a file and the sums, and keeps the signature."""
    kept = (folder / "SHA256SUMS.sig").read_bytes()
    next(folder.glob("wheels/edge*")).write_text("another")
    sealed(folder)
    (folder / "SHA256SUMS.sig").write_bytes(kept)


def unsigned(folder: Path, private: Path) -> None:
    """Sealed anew without the key: what was signed is not what is there."""
    sealed(folder)


def signed_by_another(folder: Path, private: Path) -> None:
    sealed(folder, "--sign", str(pair(private.parent / "other")[0]))


@pytest.mark.parametrize(
    "change, told",
    [
        (resealed, "found another's signature or other sums"),
        (unsigned, "expected SHA256SUMS.sig, which --key asks for, found none"),
        (signed_by_another, "found another's signature or other sums"),
    ],
)
def test_a_forged_folder_is_refused(machine: Machine, carried: Path, tmp_path: Path, change, told: str) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "other").mkdir()
    private, public = pair(tmp_path)
    sealed(carried, "--sign", str(private))
    change(carried, private)
    done = machine.install("--offline", str(carried), "--key", str(public))
    assert (done.returncode, machine.calls) == (2, [])
    assert told in done.stderr


def test_keys_that_say_nothing_are_refused(machine: Machine, carried: Path, tmp_path: Path) -> None:
    private, public = pair(tmp_path)
    sealed(carried, "--sign", str(private))
    for key in (private, pair(tmp_path, "x25519")[1], carried / "contents"):
        done = machine.install("--offline", str(carried), "--key", str(key))
        assert done.returncode == 2
        assert "expected an ed25519 public key in PEM, found another file" in done.stderr
    machine.repository = carried  # whose installer a forger would have written
    done = machine.install("--key", str(public))
    assert done.returncode == 2
    assert "--key: expected an installer from elsewhere" in done.stderr


def test_a_key_that_cannot_sign_leaves_no_signature(carried: Path, tmp_path: Path) -> None:
    done = sealed(carried, "--sign", str(pair(tmp_path)[1]))
    assert done.returncode == 1
    assert "--sign: expected an ed25519 private key in PEM" in done.stderr
    assert not (carried / "SHA256SUMS.sig").exists()


def test_nothing_but_the_folder_reaches_pip(machine: Machine, carried: Path) -> None:
    theirs = {"PIP_INDEX_URL": "http://x", "PIP_FIND_LINKS": "/x", "PIP_CONFIG_FILE": "/x", "PIP_USER": "1"}
    around = {"https_proxy": "http://x", "HTTP_PROXY": "http://x", "PYTHONPATH": "/x", "PYTHONUSERBASE": "/x"}
    done = machine.install("--offline", str(carried), environ=theirs | around)
    assert done.returncode == 0, done.stderr
    seen = {machine.plain(line) for line in (machine.fake / "environment").read_text().splitlines()}
    assert seen == {
        "PIP_CACHE_DIR=/opt/appliance/.install/pip",
        "PIP_CONFIG_FILE=/dev/null",
        "PIP_DISABLE_PIP_VERSION_CHECK=1",
        "PIP_NO_INDEX=1",
        "PIP_NO_INPUT=1",
        "PYTHONNOUSERSITE=1",
    }


def test_pip_itself_takes_no_configuration_then(tmp_path: Path) -> None:
    """Not a stand-in: pip's own account of what it was told, with a pip.conf in every place a user has."""
    shell = REPOSITORY / "jetson/lib/pip.sh"
    for place in (".config/pip/pip.conf", ".pip/pip.conf"):
        (tmp_path / place).parent.mkdir(parents=True)
        (tmp_path / place).write_text("[global]\nindex-url = http://mirror.invalid\n")
    told = {}
    for name, last in (("open", "true"), ("closed", "pip_closed")):
        command = f'. "{shell}"; pip_own; {last}; exec "{sys.executable}" -m pip config list'
        environ = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "PIP_EXTRA_INDEX_URL": "http://other.invalid"}
        done = subprocess.run(["bash", "-c", command], env=environ, capture_output=True, text=True, check=True)
        told[name] = done.stdout
    assert "mirror.invalid" in told["open"]  # a company's mirror counts where there is a network
    assert "invalid" not in told["closed"]
    assert ":env:.no-index='1'" in told["closed"]


@pytest.mark.parametrize("board", [JETPACK_7, THOR_7])
def test_another_jetpacks_folder_is_refused(tmp_path: Path, carried: Path, board) -> None:  # type: ignore[no-untyped-def]
    done = Machine(tmp_path / "other", board).install("--offline", str(carried))
    assert done.returncode == 2
    assert "expected a folder for JetPack 7, found one for JetPack 6" in done.stderr


@pytest.mark.parametrize(
    "options, told",
    [
        ((), "FOLDER: expected one, found none"),
        ((), "用法 / usage"),
        (("--jetpack", "5", "FOLDER"), "--jetpack: expected 6 or 7, found 5"),
        (("FOLDER",), "--jetpack: expected 6 or 7, found none"),
        *(((one,), f"{one}: expected a value, found none") for one in ("--jetpack", "--gpu-wheel", "--sign")),
        *(
            (("FOLDER", one, "--cpu"), f"{one}: expected a value, found the option --cpu")
            for one in ("--jetpack", "--gpu-wheel", "--sign")
        ),
        (
            ("--jetpack", "6", "FOLDER", "--gpu-wheel", "none.whl"),
            "--gpu-wheel: expected a file, found none at none.whl",
        ),
        (("--jetpack", "6", "FOLDER", "OTHER"), "FOLDER: expected one, found two: FOLDER and OTHER"),
        (("--jetpak", "6", "FOLDER"), "--jetpak: expected an option of those below"),
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
