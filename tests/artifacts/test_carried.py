"""Archives and folders of an integrator: plain files come in, nothing else does."""

from __future__ import annotations

import io
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

import appliance.artifacts.carried as module
from appliance.artifacts.carried import inner, is_archive, plain, unpack
from appliance.errors import InvalidInput, ModelCorrupt

FILES = {"model-1/a.txt": b"a", "model-1/deep/b.bin": b"b" * 3000}


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def tarred(path: Path, files: dict[str, bytes], change: Callable[[tarfile.TarInfo], None] = lambda _: None) -> Path:
    with tarfile.open(path, f"w:{path.suffix[1:]}" if path.suffix != ".tar" else "w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            change(member)
            archive.addfile(member, io.BytesIO(data))
    return path


def opened(path: Path) -> dict[str, bytes]:
    target = path.parent / "target"
    target.mkdir()
    return {name: one.read_bytes() for name, one in plain(unpack(path, target)).items()}


@pytest.mark.parametrize("name", ["m.zip", "m.tar", "m.tar.gz", "m.tar.bz2", "m.tar.xz"])
def test_archives(tmp_path: Path, name: str) -> None:
    path = (zipped if name.endswith("zip") else tarred)(tmp_path / name, FILES)
    assert is_archive(path)
    assert opened(path) == {"a.txt": b"a", "deep/b.bin": b"b" * 3000}


def test_without_a_folder_and_with_rubbish(tmp_path: Path) -> None:
    files = {"a": b"1", "b/c": b"2", ".hidden/x": b"", "__MACOSX/a": b"", "b/.DS_Store": b""}
    assert opened(zipped(tmp_path / "m.zip", files)) == {"a": b"1", "b/c": b"2"}


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", "..", "a\\..\\x", "a\nb", "C:x"])
@pytest.mark.parametrize("suffix", ["zip", "tar"])
def test_names_that_leave_the_folder(tmp_path: Path, name: str, suffix: str) -> None:
    path = (zipped if suffix == "zip" else tarred)(tmp_path / f"m.{suffix}", {"good/a": b"1", name: b"2"})
    with pytest.raises(ModelCorrupt, match="expected"):
        opened(path)
    assert not (tmp_path / "x").exists()
    assert {one.name for one in tmp_path.iterdir()} == {path.name, "target"}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar(tmp_path: Path, kind: bytes) -> None:
    def change(member: tarfile.TarInfo) -> None:
        member.type, member.linkname, member.size = kind, "/etc/passwd", 0

    with pytest.raises(ModelCorrupt, match="link or device"):
        opened(tarred(tmp_path / "m.tar", {"a": b""}, change))


def test_a_link_in_a_zip(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        member = zipfile.ZipInfo("a")
        member.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(member, "/etc/passwd")
    with pytest.raises(ModelCorrupt, match="link or device"):
        opened(tmp_path / "m.zip")


@pytest.mark.parametrize("name", ["m.zip", "m.tar.gz", "m.tar.bz2"])
def test_a_bomb(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SPARE", 1 << 16)
    path = (zipped if name.endswith("zip") else tarred)(tmp_path / name, {"a": b"\0" * (4 << 20)})
    assert path.stat().st_size < 10_000
    with pytest.raises(ModelCorrupt, match=r"bytes unpacked, got more"):
        opened(path)


def test_too_many_and_doubled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_FILES", 3)
    with pytest.raises(ModelCorrupt, match="at most 3 files"):
        opened(zipped(tmp_path / "m.zip", {str(n): b"" for n in range(4)}))
    (tmp_path / "target").rmdir()
    with tarfile.open(tmp_path / "m.tar", "w") as archive:
        for _ in range(2):
            archive.addfile(tarfile.TarInfo("a"), io.BytesIO())
    with pytest.raises(ModelCorrupt, match="every name once"):
        opened(tmp_path / "m.tar")


@pytest.mark.parametrize("name", ["m.zip", "m.tar", "m.tar.gz", "m.tar.bz2", "m.tar.xz"])
def test_broken(tmp_path: Path, name: str) -> None:
    path = (zipped if name.endswith("zip") else tarred)(tmp_path / name, FILES)
    whole = path.read_bytes()
    for number, data in enumerate((whole[: len(whole) // 3], b"", b"PK\3\4 nothing", os.urandom(400))):
        path.write_bytes(data)
        target = tmp_path / f"target{number}"
        target.mkdir()
        with pytest.raises(ModelCorrupt, match=name):
            unpack(path, target)


def test_a_folder_with_links(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(InvalidInput, match="got a link or device 'b'") as refused:
        plain(tmp_path)
    assert "cp -rL" in refused.value.remedy


def test_a_folder_with_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_FILES", 2)
    for name in "abc":
        (tmp_path / name).write_text("1")
    with pytest.raises(InvalidInput, match="more than 2 files"):
        plain(tmp_path)


def test_the_folder_that_holds_more_than_one(tmp_path: Path) -> None:
    (tmp_path / "x" / "y" / "z").mkdir(parents=True)
    (tmp_path / "x" / "y" / "a").write_text("1")
    (tmp_path / ".cache").mkdir()
    assert inner(tmp_path) == tmp_path / "x" / "y"


def test_a_header_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    packed = tmp_path / "bomb.tar.gz"
    with tarfile.open(packed, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        member = tarfile.TarInfo("a")
        member.pax_headers = {"comment": "x" * (3 << 20)}
        archive.addfile(member)
    with pytest.raises(ModelCorrupt, match="names of at most 1 MiB"):
        unpack(packed, tmp_path / "out")
