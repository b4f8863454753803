"""Which browser a kiosk starts, and what a snap of it needs on JetPack 6."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.device.browser import is_snap, launch, loses_capabilities, page_url
from appliance.errors import SettingInvalid, Unavailable
from appliance.settings import Settings

SESSION = {
    "DISPLAY": ":0",
    "XDG_RUNTIME_DIR": "/run/user/1000",
    "DBUS_SESSION_BUS_ADDRESS": "unix:path=/run/user/1000/bus",
}
WRAPPER = """#!/bin/sh

if ! [ -x /snap/bin/chromium ]; then
    echo "Command '$0' requires the chromium snap to be installed." >&2
    exit 1
fi
exec /snap/bin/chromium "$@"
"""
"""Ubuntu's chromium-browser."""


class Machine:
    """A file system with some browsers."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, path: str, content: str | bytes = "\x7fELF") -> Path:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())
        place.chmod(0o755)
        return place

    def kernel(self, *, xattr: bool) -> None:
        option = "CONFIG_SQUASHFS_XATTR=y" if xattr else "# CONFIG_SQUASHFS_XATTR is not set"
        self.put("proc/config.gz", gzip.compress(f"CONFIG_SQUASHFS=y\n{option}\nCONFIG_SQUASHFS_ZLIB=y\n".encode()))

    @property
    def which(self) -> Callable[[str], str | None]:
        def find(name: str) -> str | None:
            path = self.root / "usr/bin" / name
            return str(path) if path.exists() else None

        return find


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_chromium_shows_the_page_and_keeps_nothing_on_the_disk(machine: Machine) -> None:
    program = machine.put("usr/bin/chromium")
    planned = launch(Settings(), SESSION, root=machine.root, which=machine.which)
    assert planned.command[0] == str(program)
    assert planned.command[-1] == "http://127.0.0.1:8080/"
    assert {"--kiosk", "--incognito", "--no-first-run"} <= set(planned.command)
    assert "--user-data-dir=/run/user/1000/appliance-kiosk" in planned.command
    assert (planned.environ, planned.notes) == ({}, ())


def test_a_browser_that_is_no_snap_goes_before_a_better_one_that_is(machine: Machine) -> None:
    machine.put("usr/bin/chromium-browser", WRAPPER)
    firefox = machine.put("usr/bin/firefox-esr")
    planned = launch(Settings(), SESSION, root=machine.root, which=machine.which)
    assert planned.command == (str(firefox), "--kiosk", "--private-window", "http://127.0.0.1:8080/")


def test_a_snap_on_a_kernel_that_loses_its_capabilities_is_started_the_other_way_and_told(machine: Machine) -> None:
    machine.put("usr/bin/chromium-browser", WRAPPER)
    machine.put("usr/lib/snapd/snap-confine")
    machine.kernel(xattr=False)
    planned = launch(Settings(), SESSION, root=machine.root, which=machine.which)
    assert planned.environ == {"SNAP_REEXEC": "0"}
    assert not any(word.startswith("--user-data-dir") for word in planned.command)  # a snap could not open it
    ((chinese, english),) = planned.notes
    assert "SNAP_REEXEC=0" in chinese
    assert "no CONFIG_SQUASHFS_XATTR (JetPack 6): started with SNAP_REEXEC=0" in english


def test_a_snap_that_can_only_fail_is_refused_with_what_to_do(machine: Machine) -> None:
    machine.put("usr/bin/chromium-browser", WRAPPER)
    machine.kernel(xattr=False)
    with pytest.raises(Unavailable) as refused:
        launch(Settings(), SESSION, root=machine.root, which=machine.which)
    assert "this kernel has no CONFIG_SQUASHFS_XATTR" in refused.value.detail
    assert "sudo apt-get install snapd" in refused.value.remedy
    no_bus = {name: value for name, value in SESSION.items() if name != "DBUS_SESSION_BUS_ADDRESS"}
    with pytest.raises(Unavailable, match="is not a snap cgroup"):
        launch(Settings(), no_bus, root=machine.root, which=machine.which)


def test_a_snap_on_another_kernel_is_started_as_it_is(machine: Machine) -> None:
    machine.put("usr/bin/chromium-browser", WRAPPER)
    machine.kernel(xattr=True)
    planned = launch(Settings(), SESSION, root=machine.root, which=machine.which)
    assert (planned.environ, planned.notes) == ({}, ())


def test_a_kernel_that_does_not_say_counts_as_jetpacks_on_a_jetson_alone(machine: Machine) -> None:
    assert not loses_capabilities(machine.root)
    machine.put("etc/nv_tegra_release", "# R36 (release), REVISION: 4.3")
    assert loses_capabilities(machine.root)
    machine.put("proc/config.gz", b"not gzip")
    assert loses_capabilities(machine.root)
    machine.kernel(xattr=True)
    assert not loses_capabilities(machine.root)


def test_snaps_are_told_from_programs(machine: Machine) -> None:
    assert is_snap(Path("/snap/bin/chromium"))
    link = machine.root / "chromium"
    link.symlink_to("/usr/bin/snap")
    assert is_snap(link)
    assert is_snap(machine.put("usr/bin/chromium-browser", WRAPPER))
    assert not is_snap(machine.put("usr/bin/chromium", '#!/bin/sh\nexec /usr/lib/chromium/chromium "$@"\n'))
    assert not is_snap(machine.put("usr/bin/google-chrome"))
    assert not is_snap(machine.root / "absent")


def test_a_command_of_ones_own_is_taken_word_for_word(machine: Machine) -> None:
    program = machine.put("usr/bin/cage")
    given = Settings(kiosk_browser="cage -- 'my browser' --app={url}", kiosk_url="https://kiosk.local/")
    planned = launch(
        given, {}, root=machine.root, which=machine.which
    )  # what it needs of a session is its own business
    assert planned.command == (str(program), "--", "my browser", "--app=https://kiosk.local/")


@pytest.mark.parametrize(
    ("command", "error", "said"),
    [
        ("chromium --kiosk", SettingInvalid, "expected {url} where the page's address belongs"),
        ("chromium '{url}", SettingInvalid, "expected a command as in a shell"),
        ("absent {url}", Unavailable, "expected a program, got 'absent', which is not there"),
    ],
)
def test_a_command_that_cannot_be_run_is_refused(machine: Machine, command: str, error: type, said: str) -> None:
    with pytest.raises(error, match=said.replace("{", "\\{").replace("}", "\\}")):
        launch(Settings(kiosk_browser=command), SESSION, root=machine.root, which=machine.which)


def test_without_a_browser_or_a_screen_it_says_so(machine: Machine) -> None:
    with pytest.raises(Unavailable, match="expected a browser") as refused:
        launch(Settings(), SESSION, root=machine.root, which=machine.which)
    assert "kiosk_browser" in refused.value.remedy
    machine.put("usr/bin/chromium")
    with pytest.raises(Unavailable, match="got neither DISPLAY nor WAYLAND_DISPLAY"):
        launch(Settings(), {}, root=machine.root, which=machine.which)


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({}, "http://127.0.0.1:8080/"),
        ({"http_host": "0.0.0.0", "http_port": 9000}, "http://127.0.0.1:9000/"),
        ({"http_host": "::"}, "http://[::1]:8080/"),
        ({"http_host": "192.168.1.5", "http_tls_certificate": "/c.pem"}, "https://192.168.1.5:8080/"),
        ({"http_port": 0, "kiosk_url": "http://127.0.0.1:1234/"}, "http://127.0.0.1:1234/"),
    ],
)
def test_the_page_is_this_machines_own(given: dict[str, object], url: str) -> None:
    assert page_url(Settings(**given)) == url  # type: ignore[arg-type]


def test_a_port_that_is_free_to_be_any_needs_an_address() -> None:
    with pytest.raises(SettingInvalid, match="kiosk_url: expected an address"):
        page_url(Settings(http_port=0))


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:8080",
        "file:///etc/passwd",
        "http://",
        "http://127.0.0.1:soon/",
        "http://127.0.0.1:0/",
        "http://[::1/",
        "--remote-debugging-port=9222",
        "http://127.0.0.1:8080/ --no-sandbox",
        "http://127.0.0.1:8080/\n",
    ],
)
def test_an_address_that_could_only_be_waited_for_is_refused(url: str) -> None:
    with pytest.raises(SettingInvalid, match="kiosk_url: expected an address as http://127.0.0.1:8080/, got"):
        page_url(Settings(kiosk_url=url))


@pytest.mark.parametrize("url", ["http://[::1]:8080/", "https://kiosk.local/?language=en", "http://localhost"])
def test_an_address_of_ones_own_is_taken_as_it_is(url: str) -> None:
    assert page_url(Settings(kiosk_url=url)) == url
