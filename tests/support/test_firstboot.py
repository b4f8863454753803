"""Settings from a stick: taken once, checked, whole; and never by a stranger afterwards."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from appliance.errors import ApplianceError, InvalidInput, SettingInvalid, StorageFailed
from appliance.support import firstboot
from appliance.support.firstboot import MARK, MOST_BYTES, NAME, Found, close, configured, install, search
from appliance.support.stick import partitions
from tests.support.test_stick import disk, mounted

GOOD = "data_dir: /var/lib/appliance\nhttp_token: 0123456789abcdef\nlog_level: warning\n"


class Sticks:
    """A fake kernel: what is on each node, and what was mounted how."""

    def __init__(self, place: Path, **files: str | None) -> None:
        self.root, self.now = place / "root", []
        mounted(self.root, "/dev/nvme0n1p1 / ext4 rw 0 0")
        for name, text in files.items():
            disk(self.root, name, f"{name}1")
            (self.root / "on" / f"{name}1").mkdir(parents=True)
            if text is not None:
                (self.root / "on" / f"{name}1" / NAME).write_text(text)

    @contextmanager
    def mount(self, device: str) -> Iterator[Path]:
        if device == "/dev/sdz1":
            raise OSError("mount: wrong fs type")
        self.now.append(device)
        yield self.root / "on" / Path(device).name
        self.now.remove(device)

    def search(self) -> Found | None:
        found = search(None, 0, self.mount, self.root)
        assert self.now == [], "nothing stays mounted"
        return found


def test_the_one_stick_with_settings_is_found_among_others(tmp_path: Path) -> None:
    sticks = Sticks(tmp_path, sda=None, sdb=GOOD, sdz=GOOD)
    disk(sticks.root, "nvme0n1", "nvme0n1p1", usb=False, removable=False)
    assert partitions(sticks.root) == ("/dev/sda1", "/dev/sdb1", "/dev/sdz1")
    assert sticks.search() == Found(f"/dev/sdb1/{NAME}", GOOD.encode())
    assert Sticks(tmp_path / "none").search() is None


def test_two_sticks_with_settings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="sda1.*sdb1"):
        Sticks(tmp_path, sda=GOOD, sdb=GOOD).search()


def test_a_stick_that_is_mounted_already_is_read_where_it_is(tmp_path: Path) -> None:
    sticks = Sticks(tmp_path, sda=None)
    mounted(sticks.root, "/dev/nvme0n1p1 / ext4 rw 0 0", "/dev/sda1 /media/stick vfat ro 0 0")
    (sticks.root / "media/stick" / NAME).write_text(GOOD)
    found = sticks.search()
    assert found is not None
    assert found.content == GOOD.encode()


@pytest.mark.parametrize("kind", ["link", "folder", "pipe", "large"])
def test_what_is_no_plain_file_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / NAME
    if kind == "link":
        (tmp_path / "secret").write_text(GOOD)
        path.symlink_to(tmp_path / "secret")
    elif kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.write_text("# " + "x" * MOST_BYTES)
    with pytest.raises((InvalidInput, StorageFailed)):
        search(tmp_path, 0)


def test_settings_are_put_in_place_whole_and_for_the_service_alone(tmp_path: Path) -> None:
    config = tmp_path / "etc/appliance/appliance.yaml"
    assert install(Found("x", GOOD.encode()), config).http_token == "0123456789abcdef"
    assert config.read_text() == GOOD
    assert stat.S_IMODE(config.stat().st_mode) == 0o640
    assert [path.name for path in config.parent.iterdir()] == ["appliance.yaml"]
    assert configured(config)


@pytest.mark.parametrize(
    "text", ["http_port: many", "no_such_setting: 1", "- a list", "http_host: 0.0.0.0", "{broken", "\xff"]
)
def test_what_is_wrong_is_said_with_the_stick_and_nothing_is_replaced(tmp_path: Path, text: str) -> None:
    config = tmp_path / "appliance.yaml"
    config.write_text("data_dir: /x\n")
    with pytest.raises(SettingInvalid) as refused:
        install(Found("/dev/sda1/appliance.yaml", text.encode("latin-1")), config)
    assert config.read_text() == "data_dir: /x\n"
    assert "/tmp" not in refused.value.detail.replace(str(tmp_path), "")
    assert [path.name for path in tmp_path.iterdir()] == ["appliance.yaml"]


def test_the_installed_example_counts_as_not_configured(tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "systemd/appliance.yaml"
    assert not configured(example)
    assert not configured(tmp_path / "nowhere.yaml")
    broken = tmp_path / "broken.yaml"
    broken.write_text("http_port: x\n")
    assert configured(broken), "somebody has written it"


def test_the_mark_is_made_once_and_beside_the_settings(tmp_path: Path) -> None:
    config = tmp_path / "etc/appliance.yaml"
    close(config)
    close(config)
    assert (tmp_path / "etc" / MARK).exists()
    with pytest.raises(ApplianceError):
        close(tmp_path / "etc" / MARK / "below" / "a file")


@pytest.mark.parametrize("kind", ["ext4", "vfat", "iso9660", "none"])
def test_no_stick_can_make_the_board_panic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    tried: list[tuple[str, ...]] = []

    def run(*command: str) -> None:
        tried.append(command)
        if command[0] == "mount" and kind not in command[2].split(","):
            raise OSError("mount: wrong fs type")

    monkeypatch.setattr(firstboot, "_run", run)
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    if kind == "none":
        with pytest.raises(OSError, match="wrong fs type"), firstboot._mounted("/dev/sdz1"):
            pass
    else:
        with firstboot._mounted("/dev/sdz1") as place:
            assert tried[-1][-2:] == ("/dev/sdz1", str(place))
        assert tried.pop()[0] == "umount"
    for _, _, kinds, _, options, *_ in tried:
        assert {"ro", "nosuid", "nodev", "noexec"} <= set(options.split(","))
        assert ("errors=remount-ro" in options) == (kinds != "iso9660,ntfs3"), "the others know no such option"
    assert [*tmp_path.iterdir()] == []
