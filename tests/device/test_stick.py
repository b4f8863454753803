"""What is taken from a stick: plain bundles at its top, a few, within the limit. Mounting takes root."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.device import stick as stick_module
from appliance.device.known import FILE, MOST, known, remember
from appliance.device.rights import rights_of
from appliance.device.stick import LOCK, MOST_FILES, PIECE, _copied, carry, mounted
from appliance.errors import StorageFailed


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    made = tmp_path / "stick"
    made.mkdir()
    return made


def lying(inbox: Path) -> list[str]:
    """Names of what lies in the inbox, beside what is remembered there and the lock."""
    return sorted(path.name for path in inbox.iterdir() if path.name not in (FILE, LOCK))


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
    found = carry(stick, inbox, 100)
    assert [path.read_bytes() for path in found.taken] == [b"menu"]
    (name,) = lying(inbox)
    assert name == f"usb-{hashlib.sha256(b'menu').hexdigest()[:16]}.bundle"
    assert (inbox / name).stat().st_uid == inbox.parent.stat().st_uid
    assert [reason.partition(":")[0] for reason in found.passed] == [
        f"'{one}.bundle'" for one in ("empty", "folder", "large", "link", "pipe")
    ]
    assert "expected 1 to 100 bytes, got 101" in found.passed[2]


def test_no_more_than_a_few(stick: Path, tmp_path: Path) -> None:
    for number in range(9):
        (stick / f"{number}.bundle").write_bytes(b"x" * (number + 1))
    assert len(carry(stick, tmp_path / "inbox", 100).taken) == MOST_FILES


def test_a_full_disk_is_told_and_leaves_nothing(stick: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (stick / "menu.bundle").write_bytes(b"menu")
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(StorageFailed, match="bytes free"):
        carry(stick, tmp_path / "inbox", 100)
    assert lying(tmp_path / "inbox") == []


def test_at_the_start_what_was_brought_before_is_not_brought_again(stick: Path, tmp_path: Path) -> None:
    (stick / "menu.bundle").write_bytes(b"menu")
    inbox = tmp_path / "inbox"
    assert len(carry(stick, inbox, 100, start=True).taken) == 1
    (stick / "again.bundle").write_bytes(b"menu")
    (stick / "next.bundle").write_bytes(b"next")  # of the same size
    (taken,) = carry(stick, inbox, 100, start=True).taken
    assert taken.read_bytes() == b"next"
    found = carry(stick, inbox, 100, start=True)
    assert (found.taken, found.known) == ((), ("'again.bundle'", "'menu.bundle'", "'next.bundle'"))
    # Put in while the board runs it is tried again: something may have been put right meanwhile.
    assert len(carry(stick, inbox, 100).taken) == 3
    assert len(lying(inbox)) == 2


def test_what_cannot_be_read_of_what_was_brought_is_passed_over(tmp_path: Path) -> None:
    for number in range(MOST + 3):
        remember(tmp_path, f"{number:064x}", number)
    (tmp_path / FILE).write_text("x\n" + (tmp_path / FILE).read_text() + f"{7:064x} 7")
    found = known(tmp_path)
    assert len(found) == MOST
    assert found[f"{MOST + 2:064x}"] == MOST + 2
    assert f"{2:064x}" not in found
    (tmp_path / FILE).unlink()
    (tmp_path / FILE).symlink_to("/etc/hostname")
    with pytest.raises(OSError, match="symbolic"):
        known(tmp_path)


class Breaks(io.BytesIO):
    """A file on a stick that is pulled out after its first four bytes."""

    def read(self, _size: int | None = -1) -> bytes:
        if self.tell() >= 4:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().read(4)


def test_a_file_that_breaks_off_leaves_nothing_and_says_where(tmp_path: Path) -> None:
    with pytest.raises(StorageFailed, match="expected 8 bytes on the stick, got Input/output error after 4"):
        _copied(Breaks(b"menumenu"), "menu.bundle", tmp_path, 8)
    with pytest.raises(StorageFailed, match="expected 9 bytes on the stick, got 8"):
        _copied(io.BytesIO(b"menumenu"), "menu.bundle", tmp_path, 9)
    assert list(tmp_path.iterdir()) == []


def test_what_one_that_was_killed_has_left_is_removed(stick: Path, tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox/.usb-7.part").write_bytes(b"half")
    carry(stick, tmp_path / "inbox", 100)
    assert not list((tmp_path / "inbox").glob("*.part"))


ENDED = """
import contextlib, os, signal, sys
from appliance.device import stick
real = stick._pieces
def pieces(*given):
    for piece in real(*given):
        yield piece
        os.kill(os.getpid(), signal.SIGTERM)
stick._pieces = pieces
stick.mounted = lambda device, place: contextlib.nullcontext()
from appliance.cli import main
sys.argv = ["appliance", "service", "usb", "/dev/none", sys.argv[1]]
main()
"""
"""The command, told to end after the first piece that it has read, as systemd does when the device is gone."""


def test_told_to_end_it_leaves_nothing_half(stick: Path, tmp_path: Path) -> None:
    (stick / "menu.bundle").write_bytes(b"x" * (3 * PIECE))
    (tmp_path / "data").mkdir()
    environ = {name: value for name, value in os.environ.items() if not name.startswith("APPLIANCE_")}
    done = subprocess.run(
        [sys.executable, "-c", ENDED, str(stick)],
        env=environ | {"APPLIANCE_DATA_DIR": str(tmp_path / "data")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "told to end: pulled out" in done.stderr
    assert lying(tmp_path / "data/inbox") == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_no_group_of_roots_comes_along() -> None:
    """Beside their own: what root's groups may read and write is not theirs to be led to."""
    before = os.getgroups()
    try:
        os.setgroups([0, 4])
        with rights_of(65534, 65534):
            assert (os.geteuid(), os.getegid(), os.getgroups()) == (65534, 65534, [])
        assert (os.geteuid(), os.getegid(), os.getgroups()) == (0, 0, [0, 4])
    finally:
        os.setgroups(before)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_what_is_written_belongs_to_the_folders_owner_and_no_link_of_his_leads_elsewhere(
    stick: Path, tmp_path: Path
) -> None:
    (stick / "menu.bundle").write_bytes(b"menu")
    home = Path("/tmp") / f"stick-{os.getpid()}"
    home.mkdir(mode=0o755)
    try:
        os.chown(home, 65534, 65534)
        (taken,) = carry(stick, home / "inbox", 100).taken
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


def test_a_stick_that_never_answers_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "mount"
    program.write_text("#!/bin/sh\nexec sleep 60\n", "utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(stick_module, "MOUNT_S", 0.2)
    with pytest.raises(StorageFailed, match="expected a stick that answers"), mounted("/dev/null", tmp_path):
        pytest.fail("nothing was mounted")
