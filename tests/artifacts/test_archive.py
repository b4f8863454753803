"""Hostile and broken zips are refused before anything is written."""

from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path

import pytest

from appliance.artifacts.archive import unpack
from appliance.artifacts.manifest import Archive
from appliance.errors import ModelCorrupt
from tests.artifacts.conftest import make_zip

VOICE = Archive("voice-1", files=10, bytes=10_000)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "deep" / "target"
    folder.mkdir(parents=True)
    return folder


def put(target: Path, content: bytes, archive: Archive = VOICE) -> None:
    path = target.parent / "voice.zip"
    path.write_bytes(content)
    unpack(path, target, archive)


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_content_of_the_root_folder(target: Path) -> None:
    steps: list[int] = []
    path = target.parent / "voice.zip"
    path.write_bytes(make_zip({"voice-1/": b"", "voice-1/am/final.mdl": b"model", "voice-1/conf/a.conf": b"conf"}))
    unpack(path, target, VOICE, steps.append)
    assert tree(target) == {"am/final.mdl": b"model", "conf/a.conf": b"conf"}
    assert sum(steps) == 9


def test_junk_beside_the_model_is_left_out(target: Path) -> None:
    put(target, make_zip({"voice-1/a": b"a", "__MACOSX/voice-1/._a": b"x", "voice-1/.DS_Store": b"x", "readme": b"x"}))
    assert tree(target) == {"a": b"a"}


@pytest.mark.parametrize(
    "name",
    ["../evil", "voice-1/../../evil", "/etc/evil", "voice-1//evil", "voice-1/./evil", "voice-1\\..\\evil"],
)
def test_names_that_leave_the_folder(target: Path, name: str) -> None:
    with pytest.raises(ModelCorrupt, match="expected names inside"):
        put(target, make_zip({"voice-1/a": b"a", name: b"evil"}))
    assert tree(target.parent) == {"voice.zip": (target.parent / "voice.zip").read_bytes()}


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices(target: Path, kind: int) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        info = zipfile.ZipInfo("voice-1/link")
        info.external_attr = (kind | 0o777) << 16
        file.writestr(info, "/etc/passwd")
    with pytest.raises(ModelCorrupt, match="link or device 'voice-1/link'"):
        put(target, buffer.getvalue())
    assert tree(target) == {}


def test_bomb(target: Path) -> None:
    with pytest.raises(ModelCorrupt, match=r"at most 10 files and 10000 bytes unpacked, got 1 and 5000000"):
        put(target, make_zip({"voice-1/a": bytes(5_000_000)}))
    with pytest.raises(ModelCorrupt, match="got 11 and 0"):
        put(target, make_zip({f"voice-1/{n}": b"" for n in range(11)}))
    assert tree(target) == {}


def test_bomb_that_lies_about_its_size(target: Path) -> None:
    content = make_zip({"voice-1/a": bytes(9_000)})
    lying = content.replace((9_000).to_bytes(4, "little"), (90).to_bytes(4, "little"))
    assert lying != content
    with pytest.raises(ModelCorrupt, match="does not unpack"):
        put(target, lying)
    assert sum(map(len, tree(target).values())) <= 90


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_same_name_twice(target: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("voice-1/a", b"1")
        file.writestr("voice-1/a", b"2")
    with pytest.raises(ModelCorrupt, match="every name once"):
        put(target, buffer.getvalue())


def test_nothing_in_it(target: Path) -> None:
    with pytest.raises(ModelCorrupt, match="expected files in folder voice-1, got none"):
        put(target, make_zip({"other/a": b"a"}))


@pytest.mark.parametrize("damage", ["truncated", "flipped", "text", "encrypted"])
def test_broken(target: Path, damage: str) -> None:
    content = bytearray(make_zip({"voice-1/a": bytes(range(250)) * 20}))
    if damage == "truncated":
        del content[-30:]
    elif damage == "flipped":
        content[60] ^= 0xFF
    elif damage == "encrypted":
        content[6] |= 1
        content[content.rindex(b"PK\1\2") + 8] |= 1
    else:
        content = bytearray(b"no zip")
    with pytest.raises(ModelCorrupt, match="expected a zip file"):
        put(target, bytes(content))
