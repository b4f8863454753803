"""Nothing is used that is not the manifest's own file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import appliance.artifacts.store as module
from appliance.artifacts.publish import Fetched, publish
from appliance.artifacts.store import RECORD, ModelStore
from appliance.errors import InvalidInput, ModelCorrupt, ModelMissing, StorageFailed
from tests.artifacts.conftest import BRAIN, EARS, LABELS, Shelf, digest, document, make_zip, zipped


@pytest.fixture
def store(shelf: Shelf) -> ModelStore:
    """A store with `tiny` installed, and `voice` from a zip."""
    shelf.root.mkdir()
    content = make_zip({"voice-1/am/final.mdl": b"model", "voice-1/conf": b"conf"})
    given = {"brain.onnx": BRAIN, "ears.onnx": EARS, "labels.txt": LABELS, "voice.zip": content}
    fetched = {}
    for path, data in given.items():
        (shelf.home / path).write_bytes(data)
        fetched[path] = Fetched(shelf.home / path, "test")
    publish(shelf.root, shelf.add(document()), fetched)
    publish(shelf.root, shelf.add(zipped(content)), fetched)
    return shelf.store()


def test_paths_and_folders(store: ModelStore) -> None:
    assert store.path("tiny", "brain.onnx").read_bytes() == BRAIN
    assert (store.folder("voice") / "am" / "final.mdl").read_bytes() == b"model"
    assert store.path("voice", "conf").read_bytes() == b"conf"
    assert store.installed() == ("tiny", "voice")
    assert store.state("tiny").state == "installed"


def test_constructor_touches_nothing(shelf: Shelf) -> None:
    shelf.add(document())
    store = shelf.store()
    assert not shelf.root.exists()
    assert store.state("tiny").state == "missing"
    assert store.installed() == ()
    assert store.outdated() == ()
    assert not shelf.root.exists()


def test_missing_names_the_command(shelf: Shelf) -> None:
    shelf.add(document())
    shelf.add(zipped(make_zip({"voice-1/a": b"a"})))
    with pytest.raises(ModelMissing, match="brain.onnx: expected the file, found none") as caught:
        shelf.store().path("tiny", "brain.onnx")
    assert "appliance models pull tiny" in caught.value.remedy
    with pytest.raises(ModelMissing, match=r"voice: expected .*store/voice/"):
        shelf.store().folder("voice")


def swap(path: Path) -> None:
    path.write_bytes(path.read_bytes()[::-1])


def truncate(path: Path) -> None:
    os.truncate(path, 1)


def into_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("model, file", [("tiny", "brain.onnx"), ("voice", "am/final.mdl")])
@pytest.mark.parametrize(
    "damage, error, message",
    [
        (truncate, ModelCorrupt, r"expected \d+ bytes, got 1"),
        (swap, ModelCorrupt, r"expected sha256 [0-9a-f]{64}, got [0-9a-f]{64}"),
        (Path.unlink, ModelMissing, "expected the file, found none"),
        (into_folder, ModelCorrupt, "expected"),
    ],
)
@pytest.mark.parametrize("seen", [False, True])
def test_damage_is_found(
    store: ModelStore,
    seen: bool,
    damage: Callable[[Path], None],
    error: type[Exception],
    message: str,
    model: str,
    file: str,
) -> None:
    if seen:
        store.path(model, file)
    damage(store.home(model) / file)
    with pytest.raises(error, match=message):
        store.path(model, file)
    with pytest.raises(error):
        store.verify(model)
    assert store.state(model).state == ("missing" if error is ModelMissing else "corrupt")
    assert store.installed() == (("voice",) if model == "tiny" else ("tiny",))


def test_hashed_once_per_process_and_state_of_the_file(store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []
    real = module.sha256_of
    monkeypatch.setattr(module, "sha256_of", lambda path, progress: (hashed.append(path.name), real(path, progress))[1])
    for _ in range(3):
        store.path("tiny", "brain.onnx")
    assert hashed == ["brain.onnx"]
    os.utime(store.home("tiny") / "brain.onnx")
    store.path("tiny", "brain.onnx")
    assert hashed == ["brain.onnx"] * 2
    copy = store.home("tiny") / "copy"
    copy.write_bytes(BRAIN)
    copy.rename(store.home("tiny") / "brain.onnx")
    store.path("tiny", "brain.onnx")
    assert len(hashed) == 3
    store.verify("tiny", again=True)
    assert hashed[3:] == ["brain.onnx", "ears.onnx", "labels.txt"]


def test_progress_of_hashing(shelf: Shelf, store: ModelStore) -> None:
    events: list[tuple[object, ...]] = []
    told = ModelStore(
        shelf.root, store.manifests, lambda event, /, **f: events.append((event, f["file"], f["stage"], f["done"]))
    )
    told.path("tiny", "ears.onnx")
    assert events == [("models.bytes", "ears.onnx", "hash", len(EARS))]


@pytest.mark.parametrize(
    "record", ["", "[]", '{"files": [], "digest": "x"}', '{"files": [{"path": "../../x", "sha256": "a", "size": 1}]}']
)
def test_record_that_was_tampered_with(store: ModelStore, record: str) -> None:
    (store.home("voice") / RECORD).write_text(record)
    with pytest.raises(ModelCorrupt, match=RECORD):
        store.folder("voice")
    assert store.state("voice").state == "corrupt"


def test_record_of_another_version(store: ModelStore) -> None:
    record = store.home("voice") / RECORD
    record.write_text(record.read_text().replace(store.manifest("voice").digest, "0" * 16))
    with pytest.raises(ModelCorrupt, match="got others"):
        store.folder("voice")


def test_unknown_names(store: ModelStore) -> None:
    with pytest.raises(InvalidInput, match="ghost: expected one of the models tiny, voice"):
        store.path("ghost", "x")
    with pytest.raises(InvalidInput, match="one of its files, got ghost"):
        store.path("tiny", "ghost")


def test_remove(store: ModelStore) -> None:
    freed = store.remove("tiny")
    assert freed > len(BRAIN) + len(EARS)
    assert store.state("tiny").state == "missing"
    assert sorted(path.name for path in store.root.iterdir()) == [".lock", "voice"]
    with pytest.raises(ModelMissing, match="found none"):
        store.remove("tiny")


def test_remove_that_the_disk_refuses(store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "tiny")

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(StorageFailed, match="Permission denied"):
        store.remove("tiny")


def test_other_versions(store: ModelStore, shelf: Shelf) -> None:
    assert store.outdated() == ()
    newer = document()
    newer["files"][0]["sha256"] = digest(b"newer")
    shelf.add(newer)
    (shelf.root / "gone" / ("0" * 16)).mkdir(parents=True)
    (shelf.root / ".cache").mkdir()
    later = shelf.store()
    assert later.state("tiny").state == "missing"
    assert [path.parent.name for path in later.outdated()] == ["gone", "tiny"]
    for path in later.outdated():
        later.discard(path)
    assert later.outdated() == ()
    assert later.installed() == ("voice",)
