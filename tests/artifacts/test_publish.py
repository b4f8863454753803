"""One publish path: whole or not at all, whatever happens in between."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from appliance.artifacts.disk import exclusive
from appliance.artifacts.manifest import Manifest
from appliance.artifacts.publish import Fetched, publish
from appliance.artifacts.store import RECORD
from appliance.errors import ModelCorrupt, StorageFailed
from tests.artifacts.conftest import BRAIN, EARS, LABELS, Shelf, digest, document, make_zip, zipped


def fetch(shelf: Shelf, **changed: bytes) -> dict[str, Fetched]:
    contents = {"brain.onnx": BRAIN, "ears.onnx": EARS, "labels.txt": LABELS}
    folder = shelf.home / "fetched"
    folder.mkdir(exist_ok=True)
    for path, content in contents.items():
        (folder / path).write_bytes(changed.get(path.split(".")[0], content))
    shelf.root.mkdir(exist_ok=True)
    return {path: Fetched(folder / path, "test") for path in contents}


def left(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir() if path.name != ".lock")


def test_published_files_record_and_modes(shelf: Shelf) -> None:
    manifest = shelf.add(document())
    old = os.umask(0o077)
    try:
        home = publish(shelf.root, manifest, fetch(shelf))
    finally:
        os.umask(old)
    assert home == shelf.root / "tiny" / manifest.digest
    assert (home / "brain.onnx").read_bytes() == BRAIN
    assert (home.stat().st_mode & 0o777, (home / "brain.onnx").stat().st_mode & 0o777) == (0o755, 0o644)
    record = json.loads((home / RECORD).read_text("utf-8"))
    assert record["digest"] == manifest.digest
    assert record["origins"]["brain.onnx"] == "test"
    assert {"path": "ears.onnx", "sha256": digest(EARS), "size": len(EARS)} in record["files"]
    assert left(shelf.root) == ["tiny"]


@pytest.mark.parametrize(
    "content, message", [(BRAIN[:-1], "expected 307200 bytes, got 307199"), (BRAIN[::-1], "expected sha256")]
)
def test_wrong_file_publishes_nothing(shelf: Shelf, content: bytes, message: str) -> None:
    manifest = shelf.add(document())
    with pytest.raises(ModelCorrupt, match=message):
        publish(shelf.root, manifest, fetch(shelf, brain=content))
    assert left(shelf.root) == []


def test_copy_is_verified_and_not_the_original(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that writes something else than it was given."""
    import appliance.artifacts.publish as module

    real = module._copy

    def rotten(source: Path, target: Path, progress: object) -> None:
        real(source, target, progress)  # type: ignore[arg-type]
        with target.open("r+b") as file:
            file.write(b"rot")

    monkeypatch.setattr(module, "_copy", rotten)
    manifest = shelf.add(document())
    with pytest.raises(ModelCorrupt, match="brain.onnx: expected sha256"):
        publish(shelf.root, manifest, fetch(shelf))
    assert left(shelf.root) == []


def test_archive_is_unpacked_and_recorded(shelf: Shelf) -> None:
    content = make_zip({"voice-1/am/final.mdl": b"model", "voice-1/conf": b"conf"})
    manifest = shelf.add(zipped(content))
    shelf.root.mkdir()
    path = shelf.home / "voice.zip"
    path.write_bytes(content)
    home = publish(shelf.root, manifest, {"voice.zip": Fetched(path, "test")})
    assert (home / "am" / "final.mdl").read_bytes() == b"model"
    assert not (home / "voice.zip").exists()
    assert [row["path"] for row in json.loads((home / RECORD).read_text())["files"]] == ["am/final.mdl", "conf"]
    path.write_bytes(content + b"x")
    with pytest.raises(ModelCorrupt, match="voice.zip: expected"):
        publish(shelf.root, manifest, {"voice.zip": Fetched(path, "test")})


def test_hostile_archive_with_the_right_hash_publishes_nothing(shelf: Shelf) -> None:
    content = make_zip({"voice-1/a": b"a", "voice-1/../../../evil": b"evil"})
    manifest = shelf.add(zipped(content))
    shelf.root.mkdir()
    path = shelf.home / "voice.zip"
    path.write_bytes(content)
    with pytest.raises(ModelCorrupt, match="names inside"):
        publish(shelf.root, manifest, {"voice.zip": Fetched(path, "test")})
    assert left(shelf.root) == []
    assert not list(shelf.home.rglob("evil"))


def test_damaged_model_is_replaced(shelf: Shelf) -> None:
    manifest = shelf.add(document())
    home = publish(shelf.root, manifest, fetch(shelf))
    (home / "brain.onnx").write_bytes(b"")
    publish(shelf.root, manifest, fetch(shelf))
    assert (home / "brain.onnx").read_bytes() == BRAIN
    assert left(shelf.root) == ["tiny"]


KILLED = """
    import os, signal, sys
    from pathlib import Path
    import appliance.artifacts.publish as module
    from appliance.artifacts.disk import exclusive
    from appliance.artifacts.manifest import load_manifest

    home, point, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    manifest = load_manifest(home / "manifests" / "tiny" / "manifest.yaml")
    fetched = {e.path: module.Fetched(home / "fetched" / e.path, "test") for e in manifest.files}

    def die():
        global count
        count -= 1
        if count == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def listen(event, /, **fields):
        if fields.get("stage") == point:
            die()

    real = Path.rename

    def rename(self, target):
        if point == "before-rename": die()
        done = real(self, target)
        if point == "after-rename": die()
        return done

    Path.rename = rename
    with exclusive(home / "store"):
        module.publish(home / "store", manifest, fetched, listen)
"""


POINTS = [("copy", 1), ("copy", 2), ("hash", 3), ("before-rename", 1), ("after-rename", 1)]


@pytest.mark.parametrize(
    "before, point, count",
    [("nothing", *point) for point in POINTS]
    + [("damaged", *point) for point in POINTS]
    + [("damaged", "before-rename", 2)],  # between the old one's leaving and the new one's coming
)
def test_killed_at_any_point_leaves_the_whole_model_or_none(shelf: Shelf, before: str, point: str, count: int) -> None:
    manifest = shelf.add(document())
    home = shelf.root / "tiny" / manifest.digest
    fetched = fetch(shelf)
    if before == "damaged":
        publish(shelf.root, manifest, fetched)
        (home / "brain.onnx").write_bytes(b"short")
    script = textwrap.dedent(KILLED)
    command = [sys.executable, "-c", script, str(shelf.home), point, str(count)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    state = shelf.store().state("tiny").state
    complete = point == "after-rename" and before == "nothing"
    assert state == "installed" if complete else state in ("missing", "corrupt")
    with exclusive(shelf.root):  # the next process clears up
        assert left(shelf.root) in ([], ["tiny"])
        publish(shelf.root, manifest, fetched)
    assert shelf.store().state("tiny").state == "installed"


def test_no_room(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = shelf.add(document())
    fetched = fetch(shelf)
    usage = shutil.disk_usage(shelf.root)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(StorageFailed, match=r"expected 0 MB free, got 0 MB") as caught:
        publish(shelf.root, manifest, fetched)
    assert "APPLIANCE_DATA_DIR" in caught.value.remedy


def test_disk_that_stops_writing(shelf: Shelf) -> None:
    """A real refusal by the kernel, half way through a file."""
    manifest = shelf.add(document())
    fetched = fetch(shelf)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(StorageFailed, match="File too large"):
            publish(shelf.root, manifest, fetched)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert left(shelf.root) == []


def test_store_that_cannot_be_made(shelf: Shelf) -> None:
    shelf.root.write_bytes(b"a file where the folder should be")
    with pytest.raises(StorageFailed, match="store"), exclusive(shelf.root):
        pass


def test_manifest_digest_is_the_folder(shelf: Shelf) -> None:
    first: Manifest = shelf.add(document())
    one = publish(shelf.root, first, fetch(shelf))
    newer = document()
    newer["files"][0] |= {"sha256": digest(BRAIN[::-1]), "size": len(BRAIN)}
    two = publish(shelf.root, shelf.add(newer), fetch(shelf, brain=BRAIN[::-1]))
    assert one != two
    assert (one / "brain.onnx").read_bytes() == BRAIN
    assert (two / "brain.onnx").read_bytes() == BRAIN[::-1]
