"""What is taken from a stick: plain bundles at its top, a few, within the limit. Mounting takes root."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from appliance.device.stick import MOST_FILES, carry, mounted
from appliance.errors import StorageFailed


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    made = tmp_path / "stick"
    made.mkdir()
    return made


def test_plain_files_alone_are_taken(stick: Path, tmp_path: Path) -> None:
    (stick / "menu.bundle").write_bytes(b"menu")
    (stick / "notes.txt").write_bytes(b"x")
    (stick / "empty.bundle").write_bytes(b"")
    (stick / "large.bundle").write_bytes(b"x" * 101)
    (stick / "folder.bundle").mkdir()
    (stick / "link.bundle").symlink_to("/etc/hostname")
    os.mkfifo(stick / "pipe.bundle")
    (stick / "deeper").mkdir()
    (stick / "deeper/other.bundle").write_bytes(b"x")
    inbox = tmp_path / "data/inbox"
    inbox.parent.mkdir()
    assert [path.read_bytes() for path in carry(stick, inbox, 100)] == [b"menu"]
    assert [path.name for path in inbox.iterdir()] == ["usb-0-4.bundle"]
    assert (inbox / "usb-0-4.bundle").stat().st_uid == inbox.parent.stat().st_uid


def test_no_more_than_a_few(stick: Path, tmp_path: Path) -> None:
    for number in range(9):
        (stick / f"{number}.bundle").write_bytes(b"x" * (number + 1))
    assert len(carry(stick, tmp_path / "inbox", 100)) == MOST_FILES


def test_a_full_disk_is_told_and_leaves_nothing(stick: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (stick / "menu.bundle").write_bytes(b"menu")
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(StorageFailed, match="bytes free"):
        carry(stick, tmp_path / "inbox", 100)
    assert list((tmp_path / "inbox").iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_what_is_written_belongs_to_the_folders_owner_and_no_link_of_his_leads_elsewhere(
    stick: Path, tmp_path: Path
) -> None:
    (stick / "menu.bundle").write_bytes(b"menu")
    home = Path("/tmp") / f"stick-{os.getpid()}"
    home.mkdir(mode=0o755)
    try:
        os.chown(home, 65534, 65534)
        (taken,) = carry(stick, home / "inbox", 100)
        assert taken.stat().st_uid == 65534
        shutil.rmtree(home / "inbox")
        root_only = tmp_path / "root-only"
        root_only.mkdir(mode=0o700)
        (home / "inbox").symlink_to(root_only)
        with pytest.raises(StorageFailed):
            carry(stick, home / "inbox", 100)
        assert list(root_only.iterdir()) == []
        assert os.geteuid() == 0
    finally:
        shutil.rmtree(home)


def test_what_is_no_stick_is_refused(tmp_path: Path) -> None:
    if shutil.which("mount") is None:
        pytest.skip("mount is not installed")
    with pytest.raises(StorageFailed, match="expected a stick with vfat,exfat,ext4"), mounted("/dev/null", tmp_path):
        pass
