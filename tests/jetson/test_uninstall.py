"""What is gone after --uninstall and what is left: nothing that somebody else put there, nothing behind a link."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.jetson.machine import Machine, installed

pytestmark = pytest.mark.device


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize("purge", [False, True])
def test_uninstalling_leaves_what_it_says_and_nothing_else(machine: Machine, purge: bool) -> None:
    machine.kiosk()
    (machine.fake / "packages/pulseaudio").touch()
    before = machine.files()
    installed(machine, "--kiosk-user", "shop")
    shown = machine.shown(installed(machine, "--uninstall", "--dry-run", *["--purge"] * purge))
    assert machine.shown(installed(machine, "--uninstall", *["--purge"] * purge)) == shown
    after = {path: text for path, text in machine.files().items() if before.get(path) != text and text != "empty"}
    kept = {path for path in after if path != "/run/lock/appliance-install" and "appliance" in path}
    gone = ("/opt", "/etc/systemd", "/usr", "/home", "/etc/udev", "/etc/pulse", "/etc/alsa", "/etc/tmpfiles.d")
    assert not [path for path in after if path.startswith(gone)]
    assert not list((machine.fake / "enabled").iterdir())
    assert not list((machine.fake / "active").glob("appliance*"))
    if purge:
        assert kept == set()
        assert not (machine.fake / "users/appliance").exists()
    else:
        assert "/etc/appliance/appliance.yaml" in kept
        assert (machine.tree / "var/lib/appliance/models").is_dir()
        assert (machine.fake / "users/appliance").exists()


def test_uninstalling_what_was_cut_off(machine: Machine) -> None:
    machine.set("fail_at", "63")
    assert machine.install().returncode == 1
    machine.clear("fail_at")
    installed(machine, "--uninstall", "--purge")
    assert not (machine.tree / "opt/appliance").exists()
    installed(machine, "--uninstall", "--purge")  # and again


def test_an_integrators_own_drop_in_stays(machine: Machine) -> None:
    installed(machine)
    own = machine.tree / "etc/systemd/system/appliance.service.d/mine.conf"
    own.write_text("[Service]\n")
    installed(machine, "--uninstall")
    assert own.exists()
    assert not own.with_name("openings.conf").exists()


def somebodys(folder: Path) -> Path:
    """A folder elsewhere with a file in it."""
    folder.mkdir(parents=True)
    (folder / "photo.jpg").write_text("somebody's")
    return folder


def test_what_somebody_else_put_among_the_programs_stays_and_is_named(machine: Machine) -> None:
    hand = machine.tree / "opt/appliance/venv/bin"
    hand.mkdir(parents=True)
    (hand / "appliance").write_text("by hand\n")
    installed(machine)
    own = somebodys(machine.tree / "opt/appliance/cases")
    (machine.tree / "opt/appliance/.note").write_text("mine")
    said = installed(machine, "--uninstall", "--purge")
    assert sorted(path.name for path in (machine.tree / "opt/appliance").iterdir()) == [
        ".note",
        "cases",
        "venv-by-hand",
    ]
    assert (own / "photo.jpg").exists()
    assert (machine.tree / "opt/appliance/venv-by-hand/bin/appliance").read_text() == "by hand\n"
    for name in (".note", "cases", "venv-by-hand"):
        assert f"left: /opt/appliance/{name}：不是安装程序放置的 / was not put there by the installer" in said


def test_an_environment_made_by_hand_stays_where_the_installer_never_got_to_it(machine: Machine) -> None:
    hand = machine.tree / "opt/appliance/venv/bin"
    hand.mkdir(parents=True)
    (hand / "appliance").write_text("by hand\n")
    machine.set("build", "1")
    assert machine.install().returncode == 1
    installed(machine, "--uninstall")
    assert [path.name for path in (machine.tree / "opt/appliance").iterdir()] == ["venv"]
    assert (hand / "appliance").read_text() == "by hand\n"


@pytest.mark.parametrize("name", ["var/lib/appliance", "etc/appliance", "opt/appliance"])
def test_nothing_is_deleted_through_a_folder_that_is_a_link(machine: Machine, name: str) -> None:
    disk = somebodys(machine.tree / "mnt/nvme/data")
    (machine.tree / name).parent.mkdir(parents=True, exist_ok=True)
    (machine.tree / name).symlink_to(disk)
    installed(machine)
    before = {path for path in disk.rglob("*") if path.name != "appliance-install"}
    shown = machine.shown(installed(machine, "--uninstall", "--purge", "--dry-run"))
    done = machine.install("--uninstall", "--purge")
    assert done.returncode == 0, done.stderr
    assert machine.shown(done.stdout) == shown
    assert (machine.tree / name).is_symlink()
    assert before == set(disk.rglob("*"))
    assert f"left: /{name}：" in done.stdout
    # Whose files are left is not given to the next user who is made.
    assert (machine.fake / "users/appliance").exists() == (name != "opt/appliance")


def test_nothing_is_deleted_below_a_link(machine: Machine) -> None:
    installed(machine)
    drop_ins = machine.tree / "etc/systemd/system/appliance.service.d"
    elsewhere = machine.tree / "srv/drop-ins"
    elsewhere.parent.mkdir()
    drop_ins.rename(elsewhere)
    drop_ins.symlink_to(elsewhere)
    said = installed(machine, "--uninstall")
    assert (elsewhere / "openings.conf").exists()
    assert "left: /etc/systemd/system/appliance.service.d/openings.conf" in said
    assert "a folder above it is a link" in said


def test_a_link_in_a_files_place_goes_and_what_it_leads_to_stays(machine: Machine) -> None:
    installed(machine)
    rules = machine.tree / "etc/udev/rules.d/70-appliance.rules"
    other = machine.tree / "srv/my.rules"
    other.parent.mkdir()
    rules.rename(other)
    rules.symlink_to(other)
    link = machine.tree / "var/lib/appliance/pictures"
    link.symlink_to(somebodys(machine.tree / "srv/pictures"))
    installed(machine, "--uninstall", "--purge")
    assert not rules.is_symlink()
    assert other.exists()
    assert not link.is_symlink()
    assert (machine.tree / "srv/pictures/photo.jpg").exists()


def test_a_folder_in_a_files_place_stays(machine: Machine) -> None:
    installed(machine)
    rules = machine.tree / "etc/udev/rules.d/70-appliance.rules"
    rules.unlink()
    somebodys(rules)
    assert "is a folder, not the file that was put there" in installed(machine, "--uninstall")
    assert (rules / "photo.jpg").exists()


def test_a_list_that_names_what_the_installer_never_makes_is_not_believed(machine: Machine) -> None:
    installed(machine)
    photo = somebodys(machine.tree / "srv") / "photo.jpg"
    with (machine.tree / "opt/appliance/.install/files").open("a") as files:
        files.write("/etc/../srv/photo.jpg\n")
    installed(machine, "--uninstall")
    assert photo.exists()


def test_settings_that_still_name_the_canceller_are_said(machine: Machine) -> None:
    machine.kiosk()
    (machine.fake / "packages/pulseaudio").touch()
    installed(machine, "--kiosk-user", "shop")
    assert "still name echo-cancel, which is gone" in installed(machine, "--uninstall")
    assert "still name" not in installed(machine, "--uninstall", "--purge")
