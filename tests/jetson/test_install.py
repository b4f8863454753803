"""The installer on boards that are none: what it does, in which order, and what is there afterwards."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.jetson.machine import AGX_6, BOARDS, JETPACK_6, JETPACK_7, THOR_7, Board, Machine, installed

pytestmark = pytest.mark.device

GOLDEN = Path(__file__).parent
"""The commands for each JetPack, one a line: `dry_run_jetpack6.txt`. Read them before they are changed."""


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def steady(lines: list[str]) -> list[str]:
    """Without what depends on the units and rules that there are, of which appliance.service stands for all.

    What is enabled, and that every unit and rule is placed, has tests of its own below."""
    units = r"/systemd/system/(?!appliance\.service)|udev|kiosk\.service\.new"
    varies = re.compile(units + r"|^systemctl (enable|restart .*\.path)")
    return [line for line in lines if not varies.search(line)]


@pytest.mark.parametrize("number, board, server", [(6, JETPACK_6, "pulseaudio"), (7, JETPACK_7, "pipewire-pulse")])
def test_a_dry_run_shows_the_commands_in_order_and_changes_nothing(
    tmp_path: Path, number: int, board: Board, server: str
) -> None:
    machine = Machine(tmp_path, board)
    machine.kiosk("shop")
    (machine.fake / "packages" / server).touch()
    machine.set("tensorrt", "10.16.1")
    before = machine.files()
    done = machine.install("--dry-run", "--kiosk-user", "shop")
    assert done.returncode == 0, done.stderr
    golden = (GOLDEN / f"dry_run_jetpack{number}.txt").read_text("utf-8").splitlines()
    assert steady(machine.shown(done.stdout)) == golden
    assert machine.calls == []
    assert machine.files() == before


@pytest.mark.parametrize("name", BOARDS)
def test_what_a_dry_run_shows_is_what_is_done(tmp_path: Path, name: str) -> None:
    machine = Machine(tmp_path, BOARDS[name])
    shown = machine.shown(installed(machine, "--dry-run"))
    assert machine.shown(installed(machine)) == shown
    assert len(shown) > 30


@pytest.mark.parametrize(
    "board, name",
    [
        (JETPACK_6, "Jetson Orin Nano 8GB Developer Kit，L4T R36.4.3，JetPack 6"),
        (AGX_6, "Jetson AGX Orin，L4T R36.5.0，JetPack 6"),
        (JETPACK_7, "Jetson Orin Nano 8GB Developer Kit，L4T R39.2.0，JetPack 7"),
        (THOR_7, "Jetson AGX Thor，L4T R38.2.0，JetPack 7"),
    ],
)
def test_boards_are_recognised(tmp_path: Path, board: Board, name: str) -> None:
    assert name in installed(Machine(tmp_path, board), "--dry-run")


def test_what_is_installed_is_what_the_document_says_by_hand(machine: Machine) -> None:
    installed(machine)
    files = machine.files()
    assert files["/opt/appliance/venv"] == "-> venv-VERSION"
    assert "/opt/appliance/venv-VERSION/bin/appliance" in files
    shipped = {unit.name for unit in (REPOSITORY / "systemd").glob("*.*") if unit.suffix in (".service", ".path")}
    assert shipped == {
        path.rsplit("/", 1)[1] for path in files if re.fullmatch(r"/etc/systemd/system/[^/]+\.(service|path)", path)
    }
    for name in shipped:
        assert files[f"/etc/systemd/system/{name}"] == "644 " + (REPOSITORY / "systemd" / name).read_text("utf-8")
    assert files["/etc/appliance/appliance.yaml"].startswith("640 # Settings of the service")
    assert "/usr/lib/sysusers.d/appliance.conf" in files
    assert "/etc/udev/rules.d/70-appliance.rules" in files
    assert (machine.fake / "active/appliance.service").exists()
    assert {path.name for path in (machine.fake / "enabled").iterdir()} >= {
        "appliance.service",
        "appliance-engines.service",
        "appliance-power.service",
    }
    # Nothing but what is kept for the next run is left over.
    left = {path for path in files if path.startswith("/opt/appliance/.install/")}
    assert left == {"/opt/appliance/.install/files", "/opt/appliance/.install/steps"}
    # Models, engines and the check are the service user's; nothing of the environment is.
    whose = [line for line in machine.calls if line.startswith("runuser ")]
    assert [re.search(r"bin/appliance (\w+)", line)[1] for line in whose] == ["models", "engines", "check"]  # type: ignore[index]


def test_a_second_run_changes_nothing(machine: Machine) -> None:
    installed(machine)
    before = machine.files()
    said = installed(machine)
    assert said.count("已完成 / done already") == 12
    changing = [line for line in machine.calls if "bin/appliance check" not in line]
    assert changing == ["mkdir -p /run/lock"]
    assert machine.files() == before


def test_a_unit_that_should_begin_by_itself_and_one_that_should_not(tmp_path: Path) -> None:
    """Whatever lies in systemd/ is installed; what wants to be enabled is."""
    machine = Machine(tmp_path)
    units = machine.repository / "systemd"
    (units / "appliance-new.service").write_text("[Service]\nExecStart=/bin/true\n")
    (units / "appliance-new@.service").write_text("[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=x.target\n")
    (units / "appliance-new.path").write_text("[Path]\nPathExists=/x\n[Install]\nWantedBy=paths.target\n")
    installed(machine)
    assert "/etc/systemd/system/appliance-new.service" in machine.files()
    assert (machine.fake / "enabled/appliance-new.path").exists()
    assert not (machine.fake / "enabled/appliance-new.service").exists()
    assert "/etc/systemd/system/appliance-new@.service" in machine.files()
    assert not (machine.fake / "enabled/appliance-new@.service").exists()
    assert "systemctl restart appliance-new.path" in machine.calls
    installed(machine, "--uninstall")
    assert not [path for path in machine.files() if "appliance-new" in path]
    assert not any("@" in line for line in machine.calls if line.startswith("systemctl disable"))


# --- what it refuses, before anything is changed ---


@pytest.mark.parametrize(
    "knob, value, told",
    [
        ("uid", "1000", "user: expected root, found uid 1000"),
        ("arch", "x86_64", "processor: expected aarch64, found x86_64"),
        ("python", "3.11", "python3: expected 3.10, for which JetPack 6 has TensorRT, found 3.11"),
        ("python", "", "python3: expected 3.10, for which JetPack 6 has TensorRT, found"),
        (
            "prefix",
            "/opt/conda/envs/x",
            "expected the system's own of /usr, found one of /opt/conda/envs/x",
        ),
        ("free", "900", "disk: expected 6000 MB for /opt and 0 MB more for /var/lib, found 900 and 900 MB"),
        ("year", "1970", "clock: expected 2025 or later, found 1970"),
    ],
)
def test_a_machine_that_cannot_take_it_is_refused(machine: Machine, knob: str, value: str, told: str) -> None:
    machine.set(knob, value)
    before = machine.files()
    done = machine.install()
    assert done.returncode == 2, done.stdout
    assert told in done.stderr
    first, _, *todo = done.stderr.splitlines()
    assert first.startswith("错误：")
    assert [line[:4] for line in todo] == ["  → ", "  → "]
    assert machine.calls == []
    assert machine.files() == before


@pytest.mark.parametrize(
    "board, told",
    [
        (Board(l4t="# R35 (release), REVISION: 4.1, GCID: 1"), "expected 6.1 or later, found L4T R35.4.1"),
        (Board(l4t="# R32 (release), REVISION: 7.4, GCID: 1"), "expected 6.1 or later, found L4T R32.7.4"),
        (Board(l4t="# R36 (release), REVISION: 3.0, GCID: 1"), "expected R36.4 or later (JetPack 6.1, TensorRT 10.3)"),
        (Board(l4t="# R41 (release), REVISION: 1.0, GCID: 1"), "expected R36 (JetPack 6) or R39 (JetPack 7.2)"),
        (Board(l4t="something else"), "found 'something else'"),
        (Board(memory_kb=1_900_000), "memory: expected at least 3000 MB, found 1855 MB"),
        (Board(ubuntu="20.04"), "Ubuntu: expected 22.04, which L4T R36.4.3 is made of, found 20.04"),
    ],
)
def test_a_system_that_is_not_meant_is_refused(tmp_path: Path, board: Board, told: str) -> None:
    machine = Machine(tmp_path, board)
    done = machine.install()
    assert (done.returncode, machine.calls) == (2, [])
    assert told in done.stderr


def test_jetpack_6_0_serves_with_the_cpu_alone(tmp_path: Path) -> None:
    machine = Machine(tmp_path, Board(l4t="# R36 (release), REVISION: 3.0, GCID: 1"))
    installed(machine, "--cpu")
    text = "\n".join(machine.calls)
    assert "python3 -m venv /opt/appliance/venv-VERSION" in text  # closed to the system's packages
    for absent in ("onnxruntime-gpu", "cuda-bindings", "engines build", "nvidia", "tensorrt"):
        assert absent not in text


def test_without_l4t_it_says_where_to_go(machine: Machine) -> None:
    (machine.tree / "etc/nv_tegra_release").unlink()
    done = machine.install()
    assert done.returncode == 2
    assert "found 'no file'" in done.stderr
    assert "make run" in done.stderr


def test_an_unknown_board_is_said_and_gone_on_with(tmp_path: Path) -> None:
    machine = Machine(tmp_path, Board(model="Shop Board 3000", compatible=("maker,p9999-0001", "nvidia,tegra234")))
    assert "unknown board 'Shop Board 3000' (p9999-0001): going on" in installed(machine)


def test_little_memory_is_said_and_gone_on_with(tmp_path: Path) -> None:
    assert "little memory" in installed(Machine(tmp_path, Board(memory_kb=3_400_000)))


def test_nobody_asked_is_no_consent(machine: Machine) -> None:
    for options in ((), ("--uninstall",)):
        done = machine.install(*options, yes=False)
        assert (done.returncode, machine.calls) == (2, [])
        assert "expected the answer y, or --yes, found none" in done.stderr
    assert machine.install("--dry-run", yes=False).returncode == 0


@pytest.mark.parametrize(
    "options, told",
    [
        (("--offline",), "--offline: expected a value, found none"),
        (("--offline", "/no/such/folder"), "/no/such/folder: expected a file or folder, found none"),
        # An option in place of a value is never a path, nor is the rest gone on with: --root would be the real one.
        (("--gpu-wheel", "--cpu"), "--gpu-wheel: expected a value, found the option --cpu"),
        (("--root", "--dry-run"), "--root: expected a value, found the option --dry-run"),
        (("--kiosk-user", "--cpu"), "--kiosk-user: expected a value, found the option --cpu"),
        *(
            ((one,), f"{one}: expected a value, found none")
            for one in ("--gpu-wheel", "--kiosk-user", "--root", "--key")
        ),
        (("--gpu-wheel", "/etc/passwd"), "--gpu-wheel: expected onnxruntime_gpu-VERSION-...whl, found passwd"),
        (("--gpu-wheel", "/etc"), "--gpu-wheel: expected a file, found none at /etc"),
        (("--key", "/etc/passwd"), "--key: expected with --offline FOLDER, found no folder"),
        (("--purge",), "--purge: expected with --uninstall alone"),
        (("--kiosk-user", "nobody-here"), "expected the ordinary user of the screen, found 'nobody-here'"),
        (("--kiosk-user", "root"), "expected the ordinary user of the screen"),
        (("--nonsense",), "--nonsense: expected an option of those below"),
        (("--nonsense",), "用法 / usage"),
    ],
)
def test_wrong_options_are_refused(machine: Machine, options: tuple[str, ...], told: str) -> None:
    done = machine.install(*options)
    assert (done.returncode, machine.calls) == (2, [])
    assert told in done.stderr


def test_what_the_caller_has_set_for_pip_and_python_does_not_reach_them(machine: Machine) -> None:
    theirs = {"PIP_CONSTRAINT": "/x", "PIP_TARGET": "/x", "PYTHONPATH": "/opt/ros", "PIP_PROXY": "http://proxy:3128"}
    done = machine.install(environ=theirs | {"https_proxy": "http://proxy:3128"})
    assert done.returncode == 0, done.stderr
    seen = set((machine.fake / "environment").read_text().splitlines())
    assert not [line for line in seen if line.startswith(("PIP_CONSTRAINT", "PIP_TARGET", "PYTHONPATH"))]
    assert {"PYTHONNOUSERSITE=1", "PIP_PROXY=http://proxy:3128", "https_proxy=http://proxy:3128"} <= seen


def test_two_at_a_time_are_one_too_many(machine: Machine) -> None:
    import fcntl

    (machine.tree / "run/lock").mkdir()
    with (machine.tree / "run/lock/appliance-install").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = machine.install()
    assert done.returncode == 2
    assert "found one running" in done.stderr


# --- parts that lack ---


def chosen(machine: Machine) -> str:
    (place,) = (machine.tree / "opt/appliance").glob("venv-*/onnxruntime")
    return place.read_text().strip()


def test_the_gpu_wheel_stays_when_it_has_computed_on_the_gpu(machine: Machine) -> None:
    installed(machine)
    assert chosen(machine) == "gpu"
    assert not any("pip install" in line and line.endswith(" onnxruntime") for line in machine.calls)


@pytest.mark.parametrize("knob, why", [("wheel", "could not be installed"), ("cuda", "inference on the GPU failed")])
def test_a_gpu_wheel_that_does_not_compute_gives_way_loudly(machine: Machine, knob: str, why: str) -> None:
    machine.set(knob, "1")
    said = installed(machine)
    assert said.count("ONNX RUNTIME SERVES ON THE CPU, not on the GPU") == 2  # there, and at the end
    assert why in chosen(machine)
    assert chosen(machine).startswith("cpu ")
    last = [line for line in machine.calls if "bin/python " in line][-2:]
    assert last[0].endswith("-m pip install -c SOURCE/constraints/py310.txt onnxruntime")
    assert last[1].endswith("prove.py CPUExecutionProvider")
    if knob == "cuda":  # both in one environment would overwrite each other
        assert any(line.endswith("pip uninstall -q -y onnxruntime-gpu") for line in machine.calls)


def test_another_try_for_the_gpu_makes_another_environment(machine: Machine) -> None:
    machine.set("wheel", "1")
    installed(machine)
    first = (machine.tree / "opt/appliance/venv").readlink()
    machine.clear("wheel")
    installed(machine)  # nothing is tried again without being asked
    assert (machine.tree / "opt/appliance/venv").readlink() == first
    installed(machine, "--again")
    second = (machine.tree / "opt/appliance/venv").readlink()
    assert second != first
    assert (machine.tree / "opt/appliance" / second / "onnxruntime").read_text() == "gpu\n"
    assert (machine.tree / "opt/appliance" / first).is_dir()  # the one before is kept
    installed(machine)
    assert (machine.tree / "opt/appliance/venv").readlink() == second


def test_ones_own_wheel_is_taken(tmp_path: Path) -> None:
    machine = Machine(tmp_path, JETPACK_7)
    wheel = tmp_path / "onnxruntime_gpu-1.28.0-cp312-cp312-linux_aarch64.whl"
    wheel.write_bytes(b"wheel")
    installed(machine, "--gpu-wheel", str(wheel))
    assert any(line.endswith(f"pip install --no-deps {wheel}") for line in machine.calls)
    assert chosen(machine) == "gpu"


def test_orin_with_jetpack_7_has_no_wheel_and_says_so(tmp_path: Path) -> None:
    machine = Machine(tmp_path, JETPACK_7)
    machine.set("tensorrt", "10.16.1.11")
    said = installed(machine)
    assert "no wheel for this board with JetPack 7 is known; --gpu-wheel FILE takes your own" in said
    assert not any("onnxruntime-gpu" in line for line in machine.calls)
    assert any(line.endswith("pip install cuda-bindings==13.5.0") for line in machine.calls)
    assert "TensorRT: expected" not in said


def test_another_tensorrt_than_jetpacks_is_said(machine: Machine) -> None:
    machine.set("tensorrt", "8.6.2")
    assert "TensorRT: expected 10.3 of JetPack 6, found 8.6.2: going on with it" in installed(machine)
    machine.clear("tensorrt")
    assert "python cannot import it: sudo apt-get install python3-libnvinfer" in installed(machine, "--again")


def test_engines_that_could_not_be_built_are_said_and_tried_again(machine: Machine) -> None:
    machine.set("engines", "3")
    said = installed(machine)
    assert said.count("engines: expected all of them, some were not built") == 2
    machine.clear("engines")
    installed(machine)
    assert any(line.startswith("runuser ") and "engines build" in line for line in machine.calls)
    assert (machine.fake / "active/appliance.service").exists()


def test_packages_that_a_release_lacks_are_said_with_what_they_turn_off(machine: Machine) -> None:
    machine.set("unavailable", "espeak-ng")
    said = installed(machine)
    assert "system package missing: espeak-ng (answers are not spoken): sudo apt-get install espeak-ng" in said
    assert (machine.fake / "packages/tesseract-ocr").exists()  # one by one after the failed whole
    machine.clear("unavailable")
    installed(machine)
    assert (machine.fake / "packages/espeak-ng").exists()


def test_nothing_is_made_without_environments(machine: Machine) -> None:
    machine.set("unavailable", "python3-venv")
    done = machine.install()
    assert done.returncode == 1
    assert "python3-venv: expected to be installed, it is not" in done.stderr
    assert not (machine.tree / "opt/appliance/venv").exists()


def test_packages_are_those_of_the_project(machine: Machine) -> None:
    listed = re.search(r"run\) packages\+=\((.*)\) ;;", (REPOSITORY / ".ci/system").read_text("utf-8"))
    ours = re.search(r"^features='(.*)'$", (REPOSITORY / "jetson/lib/release.sh").read_text("utf-8"), re.MULTILINE)
    assert listed
    assert ours
    assert ours[1] == listed[1]


def test_a_bare_board_gets_jetpacks_runtime(machine: Machine) -> None:
    (machine.fake / "packages/python3-libnvinfer").unlink()
    installed(machine)
    assert (machine.fake / "packages/nvidia-jetpack-runtime").exists()
    assert (machine.fake / "packages/python3-libnvinfer").exists()


def test_nodes_that_the_service_cannot_reach_are_named(machine: Machine) -> None:
    (machine.tree / "dev").mkdir()
    (machine.tree / "dev/nvmap").touch()
    machine.set("nodes", "1")
    assert "user appliance: expected to reach" in installed(machine)


# --- boards that serve already ---


def older(machine: Machine) -> str:
    """A version before, which serves; the name of its environment."""
    installed(machine)
    before = str((machine.tree / "opt/appliance/venv").readlink())
    unit = machine.tree / "etc/systemd/system/appliance.service"
    unit.write_text("# the unit before\n")
    return before


def test_the_old_version_serves_until_the_new_one_has_passed(machine: Machine) -> None:
    before = older(machine)
    installed(machine, "--again")
    ours = [line for line in machine.calls if line.startswith(("systemctl ", "runuser ", "mv -T", "python3"))]
    order = [re.sub(r" -- env .*bin/appliance | -c /etc.*|venv-VERSION.*", " ", line).strip() for line in ours]
    order = [re.sub(r"(?<=^systemctl enable ).*", "UNITS", line) for line in order]
    order = [line for line in order if not line.endswith(".path")]
    assert order == [
        "python3 -m venv --system-site-packages /opt/appliance/",
        "runuser -u appliance models pull",
        "systemctl stop appliance.service",
        "runuser -u appliance engines build",
        "runuser -u appliance check",
        "systemctl daemon-reload",
        "systemctl enable UNITS",
        "mv -T /opt/appliance/venv.new /opt/appliance/venv",
        "systemctl restart appliance-power.service",
        "systemctl restart appliance.service",
    ]
    assert str((machine.tree / "opt/appliance/venv").readlink()) != before


@pytest.mark.parametrize("knob, value", [("build", "1"), ("pull", "3"), ("check", "5")])
def test_a_new_version_that_fails_leaves_the_old_one_serving(machine: Machine, knob: str, value: str) -> None:
    before = older(machine)
    machine.set(knob, value)
    done = machine.install("--again")
    assert done.returncode == 1
    assert str((machine.tree / "opt/appliance/venv").readlink()) == before
    assert (machine.fake / "active/appliance.service").exists()
    assert (machine.tree / "etc/systemd/system/appliance.service").read_text() == "# the unit before\n"
    if knob == "check":
        assert "appliance check: expected ready, it is not (above); what served before goes on" in done.stderr
        assert machine.calls[-1] == "systemctl start appliance.service"


def test_a_new_version_that_does_not_start_gives_way_with_its_units(machine: Machine) -> None:
    before = older(machine)
    machine.set("well", before)
    done = machine.install("--again")
    assert done.returncode == 1, done.stdout
    assert "the version before is back" in done.stderr
    assert str((machine.tree / "opt/appliance/venv").readlink()) == before
    assert (machine.tree / "etc/systemd/system/appliance.service").read_text() == "# the unit before\n"
    assert (machine.fake / "active/appliance.service").exists()
    machine.clear("well")
    installed(machine, "--again")  # and goes on where it can
    assert str((machine.tree / "opt/appliance/venv").readlink()) != before


def test_a_first_version_that_does_not_start_is_stopped_and_said(machine: Machine) -> None:
    machine.set("well", "none")
    done = machine.install()
    assert done.returncode == 1
    assert "there is no version before" in done.stderr
    assert machine.calls[-1] == "systemctl stop appliance.service"


def test_an_environment_made_by_hand_is_kept_and_comes_back(machine: Machine) -> None:
    hand = machine.tree / "opt/appliance/venv/bin"
    hand.mkdir(parents=True)
    (hand / "appliance").write_text("by hand\n")
    machine.set("well", "")  # only what is no link comes up
    done = machine.install()
    assert done.returncode == 1
    assert (hand / "appliance").read_text() == "by hand\n"
    machine.clear("well")
    installed(machine)
    assert (machine.tree / "opt/appliance/venv").is_symlink()
    assert (machine.tree / "opt/appliance/venv-by-hand/bin/appliance").read_text() == "by hand\n"


def test_versions_older_than_the_one_before_are_removed(machine: Machine) -> None:
    installed(machine)
    somebodys = machine.tree / "opt/appliance/venv-copy"
    somebodys.mkdir()
    for _ in range(3):
        installed(machine, "--again")
    assert somebodys.is_dir()
    assert len(list((machine.tree / "opt/appliance").glob("venv-*"))) == 3


def test_what_serves_is_never_built_over(machine: Machine) -> None:
    installed(machine)
    before = (machine.tree / "opt/appliance/venv").readlink()
    (machine.tree / "opt/appliance" / before / "onnxruntime").unlink()  # somebody's accident
    (machine.tree / "opt/appliance/.install/steps").unlink()
    machine.set("build", "1")
    assert machine.install().returncode == 1
    assert (machine.tree / "opt/appliance" / before / "bin/appliance").exists()
    assert (machine.fake / "active/appliance.service").exists()


def test_settings_are_never_overwritten(machine: Machine) -> None:
    place = machine.tree / "etc/appliance/appliance.yaml"
    place.parent.mkdir()
    place.write_text("data_dir: /var/lib/appliance\nmicrophone: mine\n")
    machine.kiosk()
    (machine.fake / "packages/pulseaudio").touch()
    said = installed(machine, "--kiosk-user", "shop")
    assert place.read_text() == "data_dir: /var/lib/appliance\nmicrophone: mine\n"
    assert "microphone or speaker are set already and stay" in said


# --- the screen and its sound ---


@pytest.mark.parametrize(
    "server, place",
    [
        ("pulseaudio", "/etc/pulse/default.pa.d/appliance.pa"),
        ("pipewire-pulse", "/etc/pipewire/pipewire-pulse.conf.d/appliance.conf"),
    ],
)
def test_the_screens_user_gets_browser_and_echo_cancellation(machine: Machine, server: str, place: str) -> None:
    machine.kiosk()
    (machine.fake / "packages" / server).touch()
    installed(machine, "--kiosk-user", "shop")
    files = machine.files()
    wants = "/home/shop/.config/systemd/user/graphical-session.target.wants/appliance-kiosk.service"
    assert files[wants] == "-> /etc/systemd/user/appliance-kiosk.service"
    assert "module-echo-cancel" in files[place]
    assert "/run/appliance-sound/native" in files[place]
    made = files["/etc/tmpfiles.d/appliance-sound.conf"].splitlines()
    assert made[-1] == "d /run/appliance-sound 0750 shop appliance -"
    settings = files["/etc/appliance/appliance.yaml"]
    assert settings.count("\nmicrophone: echo-cancel\nspeaker: echo-cancel-out\n") == 1
    assert settings.startswith("640 ")
    others = {"/etc/pulse/default.pa.d/appliance.pa", "/etc/pipewire/pipewire-pulse.conf.d/appliance.conf"} - {place}
    assert not others & files.keys()
    assert "done already" in installed(machine, "--kiosk-user", "shop")
    assert machine.files() == files


def test_settings_that_somebody_wrote_get_echo_cancellation_whole_or_not_at_all(machine: Machine) -> None:
    machine.kiosk()
    (machine.fake / "packages/pulseaudio").touch()
    place = machine.tree / "etc/appliance/appliance.yaml"
    real = machine.tree / "srv/settings.yaml"
    for folder in (place.parent, real.parent):
        folder.mkdir(parents=True)
    theirs = "# the shop's own\ndata_dir: /var/lib/appliance  # on the NVMe disk"  # without an end of the line
    real.write_text(theirs)
    real.chmod(0o604)
    place.symlink_to(real)
    opened = real.open()  # who reads it at the time sees the old text to its end
    installed(machine, "--kiosk-user", "shop")
    assert opened.read() == theirs
    opened.close()
    assert place.is_symlink()
    text = real.read_text()
    assert text.startswith(theirs + "\n\n# Echo cancellation")
    assert text.endswith("\nmicrophone: echo-cancel\nspeaker: echo-cancel-out\n")
    assert real.stat().st_mode & 0o777 == 0o604
    assert list(real.parent.iterdir()) == [real]
    (machine.tree / "opt/appliance/.install/steps").unlink()
    installed(machine, "--kiosk-user", "shop")
    assert real.read_text() == text


def test_echo_cancellation_can_be_left_out(machine: Machine) -> None:
    machine.kiosk()
    (machine.fake / "packages/pulseaudio").touch()
    installed(machine, "--kiosk-user", "shop", "--no-echo-cancellation")
    assert "echo-cancel" not in machine.files()["/etc/appliance/appliance.yaml"]
    assert "/etc/pulse/default.pa.d/appliance.pa" not in machine.files()


def test_without_a_sound_server_that_is_said(machine: Machine) -> None:
    machine.kiosk()
    assert "neither PulseAudio nor PipeWire is installed" in installed(machine, "--kiosk-user", "shop")


# --- cut off ---


GROUPS = 10
"""The changes of an installation are disturbed one by one; a test takes every tenth."""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    machine = kiosk(tmp_path_factory.mktemp("undisturbed"))
    installed(machine, "--kiosk-user", "shop")
    assert int((machine.fake / "count").read_text()) > 80
    return machine


def kiosk(folder: Path) -> Machine:
    machine = Machine(folder)
    machine.kiosk()
    (machine.fake / "packages/pulseaudio").touch()
    return machine


@pytest.mark.parametrize("group", range(GROUPS))
def test_an_installation_that_was_cut_off_anywhere_goes_on_to_the_same_end(
    undisturbed: Machine, tmp_path: Path, group: int
) -> None:
    """A change fails, or takes the installer with it; the next run ends as one that nothing disturbed."""
    expected, count = facts(undisturbed), int((undisturbed.fake / "count").read_text())
    went_on = []
    for number in range(1 + group, count + 1, GROUPS):
        machine = kiosk(tmp_path / str(number))
        kill = (number // GROUPS) % 2 == 1
        machine.set("fail_at", str(number))
        if kill:
            machine.set("kill", "")
        broken = machine.install("--kiosk-user", "shop")
        assert broken.returncode == -9 if kill else "made to fail" in broken.stderr, number
        if broken.returncode == 0:
            # Said at the end once more, unless another way led there, too.
            assert "!! " in broken.stdout or facts(machine) == expected, (number, broken.stdout)
            went_on.append(machine.calls[-1])
        machine.clear("fail_at", "kill")
        done = machine.install("--kiosk-user", "shop")
        assert done.returncode == 0, (number, broken.stderr, done.stderr)
        assert facts(machine) == expected, number
        shutil.rmtree(tmp_path / str(number))
    assert len(went_on) <= 3


def facts(machine: Machine) -> dict[str, object]:
    """What counts at the end; which wheel of ONNX Runtime was to be had is not of it."""
    files = machine.files()
    varies = re.compile(r"/opt/appliance/\.install/|.*/onnxruntime$|.*\.new$")
    return {
        "files": {path: text for path, text in files.items() if not varies.match(path)},
        "active": sorted(path.name for path in (machine.fake / "active").iterdir()),
        "enabled": sorted(path.name for path in (machine.fake / "enabled").iterdir()),
        "packages": sorted(path.name for path in (machine.fake / "packages").iterdir()),
    }


# --- the boards ---


def test_the_table_of_boards_is_what_the_programs_know() -> None:
    """jetson/README.md, lib/release.sh and appliance/device/board.py name the same boards, none as run."""
    from appliance.device.board import _MODULES

    table = (REPOSITORY / "jetson/README.md").read_text("utf-8")
    shell = (REPOSITORY / "jetson/lib/release.sh").read_text("utf-8")
    named = dict(re.findall(r'^    (p\d{4}-[\d*]+)\) echo "(.+)" ;;$', shell, re.MULTILINE))
    families = {"p3767": ("orin-nx", "orin-nano"), "p3701": ("agx-orin",), "p3834": ("agx-thor",)}
    ours = {module for module, family in _MODULES.items() if family.startswith(("orin", "agx-orin", "agx-thor"))}
    assert {module.removesuffix("-*") for module in named} == ours
    for module, name in named.items():
        assert families[module.split("-")[0]]
        row = next(line for line in table.splitlines() if f"| {name} |" in line)
        assert "not yet run" in row
        assert module.removesuffix("-*") in row
    assert json.dumps(table).count("not yet run") >= len(named)
