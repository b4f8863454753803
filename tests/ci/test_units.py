"""`make device-check` finds what systemd passes over, and the units that are shipped pass it."""

from __future__ import annotations

import importlib
import os
import shutil
from pathlib import Path
from types import ModuleType

import pytest

from tests.conftest import REPOSITORY

SHIPPED = REPOSITORY / "systemd"


@pytest.fixture
def units(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(REPOSITORY / ".ci"))
    return importlib.import_module("units")


def needed(program: str) -> None:
    """Skip without `program`, also where CI=true: `make device-check`, not `make test`, installs it and runs these."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed: `bash .ci/system device`")


@pytest.fixture
def systemd_analyze() -> None:
    needed("systemd-analyze")


@pytest.fixture
def scoring(systemd_analyze: None, units: ModuleType) -> None:
    if not units.scores():
        pytest.skip("this systemd scores no unit that is not installed: 250 does")


def changed(folder: Path, name: str, old: str, new: str) -> Path:
    """A shipped unit with one change."""
    text = (SHIPPED / name).read_text("utf-8")
    assert old in text
    place = folder / name
    place.write_text(text.replace(old, new), "utf-8")
    return place


@pytest.mark.usefixtures("systemd_analyze")
def test_a_misspelt_directive_is_found_though_systemd_ends_with_0(units: ModuleType, tmp_path: Path) -> None:
    unit = changed(tmp_path, "appliance.service", "WatchdogSec=20", "WatchdogSecs=20")
    (said,) = units.verified(unit)
    assert "expected systemd-analyze verify to say nothing, got 0: " in said
    assert "WatchdogSecs" in said


@pytest.mark.usefixtures("systemd_analyze")
def test_a_drop_in_is_verified_with_its_unit(units: ModuleType, tmp_path: Path) -> None:
    unit = changed(tmp_path, "appliance.service", "[Unit]", "[Unit]")
    place = tmp_path / "appliance.service.d/openings.conf"
    place.parent.mkdir()
    place.write_text("[Service]\nIPAddressAllow=the-shop\n")
    (said,) = units.verified(unit)
    assert "the-shop" in said
    place.write_text("[Service]\nIPAddressAllow=192.168.1.0/24\n")
    assert list(units.verified(unit)) == []


@pytest.mark.usefixtures("scoring")
def test_a_unit_that_is_more_open_than_agreed_is_found(units: ModuleType, tmp_path: Path) -> None:
    unit = changed(tmp_path, "appliance.service", "User=appliance", "User=root")
    assert list(units.scored(unit, 20)) == []
    (said,) = units.scored(unit, units.SCORES[unit.name])
    assert "expected an exposure of at most 1.5, got: → Overall exposure level" in said


def test_a_wildcard_in_a_devices_path_is_found(units: ModuleType, tmp_path: Path) -> None:
    unit = changed(tmp_path, "appliance.service", "DeviceAllow=/dev/nvmap rw", "DeviceAllow=/dev/nvhost* rw")
    (said,) = units.closed(unit)
    assert "got /dev/nvhost*: a path takes no wildcard" in said
    assert list(units.closed(SHIPPED / "appliance.service")) == []  # groups do take one


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("ProtectHome=yes", "ProtectHome=no", "expected ProtectHome=yes as in appliance.service, got ['no']"),
        ("LimitCORE=0\n", "", "expected LimitCORE=0 as in appliance.service, got None"),
        ("DeviceAllow=char-drm rw", "DeviceAllow=block-sd rw", "expected no DeviceAllow=block-sd"),
        ("Groups=video render", "Groups=video render disk", "expected no SupplementaryGroups=disk"),
    ],
)
def test_two_units_with_one_user_stay_alike(units: ModuleType, tmp_path: Path, old: str, new: str, said: str) -> None:
    first, second = SHIPPED / "appliance.service", changed(tmp_path, "appliance-engines.service", old, new)
    assert any(said in line for line in units.alike(first, second))
    assert list(units.alike(first, SHIPPED / "appliance-engines.service")) == []


def test_the_settings_that_are_installed_can_be_read(
    units: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list(units.examples()) == []
    shutil.copytree(SHIPPED, tmp_path / "systemd")
    (tmp_path / "systemd/appliance.yaml").write_text("# lan_peer: [192.168.1.0/24]\n", "utf-8")
    monkeypatch.setattr(units, "UNITS", tmp_path / "systemd")
    (said,) = units.examples()
    assert said.startswith("systemd/appliance.yaml: lan_peer")


def test_shell_scripts_are_found_by_their_first_line(units: ModuleType) -> None:
    assert {REPOSITORY / ".ci/run", REPOSITORY / ".ci/system"} <= set(units.scripts())


def test_in_an_archive_without_git_they_are_found_beside_what_tools_made(units: ModuleType, tmp_path: Path) -> None:
    for name in (".ci/run", "jetson/install.sh", ".venv/bin/activate", ".venv-ort1232/bin/activate", "README.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("#!/bin/sh\n" if name != "README.md" else "# Title\n")
    assert units.scripts(tmp_path) == [tmp_path / ".ci/run", tmp_path / "jetson/install.sh"]


@pytest.fixture
def systemd_249(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ubuntu 22.04's, whose `security` knows installed units alone."""
    program = tmp_path / "bin/systemd-analyze"
    program.parent.mkdir()
    program.write_text(
        '#!/bin/sh\ncase "$*" in\n*--offline*) echo "unrecognized option: --offline" >&2; exit 1 ;;\n'
        '--help) echo "     --man[=BOOL]          Do [not] check for existence of man pages" ;;\nesac\n'
    )
    program.chmod(0o755)
    shellcheck = program.with_name("shellcheck")
    shellcheck.write_text("#!/bin/sh\n")
    shellcheck.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")


@pytest.mark.usefixtures("systemd_249")
def test_a_systemd_that_cannot_score_verifies_all_the_same(
    units: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    assert units.main() == 2  # there a pass means that they were scored
    monkeypatch.delenv("CI")
    capsys.readouterr()
    assert units.main() == 0
    said = capsys.readouterr()
    assert "units are not scored: expected systemd-analyze of systemd 250 or later" in said.err
    assert said.out.startswith("units verified: ")


def test_a_bad_script_is_found(units: ModuleType, tmp_path: Path) -> None:
    needed("shellcheck")
    script = tmp_path / "script"
    script.write_text('#!/bin/sh\nrm -rf "$1"/*\ncd $2\n')
    (said,) = units.checked([script])
    assert "SC2086" in said or "SC2164" in said
    script.write_text("#!/bin/sh\nexit 0\n")
    assert list(units.checked([script])) == []


@pytest.mark.usefixtures("systemd_analyze")
def test_the_units_that_are_shipped_pass(units: ModuleType) -> None:
    needed("shellcheck")
    assert units.check() == []


def test_rules_of_udev_that_udev_would_drop_are_found(units: ModuleType, tmp_path: Path) -> None:
    for path in (SHIPPED / "udev").glob("*.rules"):
        assert list(units.rules(path)) == []
    text = (SHIPPED / "udev/90-appliance-usb.rules").read_text("utf-8")
    for old, new, said in (
        ('ACTION=="add"', 'ACTION="add" ENV{X}=="y"', "separated by commas"),
        ('"block", ', '"block, ', "separated by commas"),
        ("SUBSYSTEM", "SUBSYTEM", "one of udev's keys, got SUBSYTEM"),
        ("appliance-usb@%k", "appliance-stick@%k", "a unit that is shipped, got appliance-stick@%k.service"),
    ):
        assert old in text
        place = tmp_path / "90-changed.rules"
        place.write_text(text.replace(old, new), "utf-8")
        assert any(said in line for line in units.rules(place)), (new, list(units.rules(place)))
