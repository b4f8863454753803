"""Files made of a model's files: where they lie, what makes one of them count, and how they come into place."""

from __future__ import annotations

import json
import shutil
import stat
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from appliance.artifacts.derived import REVISION, Record, place, publish, record_of
from appliance.artifacts.manifest import Derivation
from appliance.artifacts.pull import Puller
from appliance.artifacts.store import ModelStore
from appliance.errors import ApplianceError, ManifestInvalid, ModelCorrupt, ModelMissing, StorageFailed
from tests.artifacts.conftest import BRAIN, EARS, Document, Shelf, digest, document

INT8 = Derivation("int8", "dynamic", "onnxruntime-cpu")
MADE = b"a smaller brain" * 100


def deriving(*rows: Document) -> Document:
    made = document()
    made["networks"]["brain.onnx"]["derived"] = list(rows or (asdict(INT8),))
    return made


@pytest.fixture
def store(shelf: Shelf, wheels: Path) -> ModelStore:
    """A store with the small model installed."""
    shelf.add(deriving())
    made = shelf.store()
    outcome = Puller(made, environ={}, folder=wheels).pull("tiny")
    assert outcome.error is None
    return made


def record(**other: Any) -> Record:
    """What is true of MADE."""
    truth: dict[str, Any] = {
        "source": digest(BRAIN),
        "recipe": "dynamic",
        "revision": REVISION,
        "sha256": digest(MADE),
        "size": len(MADE),
        "metric": "accuracy",
        "value": 0.95,
        "threshold": 0.9,
        "tools": {"onnx": "1.2.3"},
    }
    return Record(**(truth | other))


def published(store: ModelStore, known: Record | None = None) -> Path:
    """MADE in its place, as a maker publishes it; returns the path."""
    target = place(store, "tiny", "brain.onnx", INT8)
    target.parent.mkdir(exist_ok=True)
    trial = store.root / ".try-it"
    trial.mkdir()
    (trial / target.name).write_bytes(MADE)
    publish(target, trial / target.name, known or record())
    assert not list(trial.iterdir()), "moved, not copied"
    trial.rmdir()
    return target


def test_the_place_names_precision_and_recipe_and_never_two_the_same(store: ModelStore) -> None:
    target = place(store, "tiny", "brain.onnx", INT8)
    assert target == store.home("tiny") / "derived" / "brain.int8.dynamic.onnx"
    others = (replace(INT8, recipe="qdq"), replace(INT8, precision="fp16"))
    assert len({target, *(place(store, "tiny", "brain.onnx", other) for other in others)}) == 3
    assert place(store, "tiny", "ears.onnx", INT8) != target


def test_what_was_published_is_found_with_its_record(store: ModelStore) -> None:
    target = published(store)
    assert record_of(store, "tiny", "brain.onnx", INT8) == record()
    assert target.read_bytes() == MADE
    assert sorted(path.name for path in target.parent.iterdir()) == [
        "brain.int8.dynamic.json",
        "brain.int8.dynamic.onnx",
    ]
    for path in target.parent.iterdir():  # the service may run as another user than the one who installs
        assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert store.state("tiny").state == "installed", "what is derived is none of the model's own files"


def test_a_new_file_takes_the_place_of_an_older_one(store: ModelStore) -> None:
    published(store, record(revision=REVISION - 1, value=0.91))
    published(store)
    assert record_of(store, "tiny", "brain.onnx", INT8) == record()


def test_what_was_never_made_is_missing_with_the_command(store: ModelStore) -> None:
    with pytest.raises(ModelMissing, match=r"tiny: expected brain\.int8\.dynamic\.onnx, made when .*, found none") as e:
        record_of(store, "tiny", "brain.onnx", INT8)
    assert "`appliance models pull tiny`" in e.value.remedy


@pytest.mark.parametrize("suffix", [".json", ".onnx"])
def test_half_of_the_pair_is_nothing(store: ModelStore, suffix: str) -> None:
    published(store).with_suffix(suffix).unlink()
    with pytest.raises(ModelMissing):
        record_of(store, "tiny", "brain.onnx", INT8)


def test_another_recipe_or_file_is_not_taken_for_this_one(store: ModelStore) -> None:
    published(store)
    for other in (replace(INT8, recipe="qdq"), replace(INT8, precision="fp16")):
        with pytest.raises(ModelMissing):
            record_of(store, "tiny", "brain.onnx", other)
    with pytest.raises(ModelMissing):
        record_of(store, "tiny", "ears.onnx", INT8)


@pytest.mark.parametrize(
    ("known", "complaint"),
    [
        ({"source": digest(EARS)}, digest(EARS)),
        ({"recipe": "half"}, "half"),
        ({"revision": REVISION + 1}, f", {REVISION + 1},"),
        ({"sha256": digest(EARS)}, digest(MADE)),
        ({"size": len(MADE) + 1}, "another size"),
        ({"size": str(len(MADE))}, "another size"),
    ],
)
def test_a_record_of_something_else_counts_for_nothing(
    store: ModelStore, known: dict[str, Any], complaint: str
) -> None:
    published(store, record(**known))
    with pytest.raises(ModelCorrupt, match=r"tiny: brain\.int8\.dynamic\.onnx: expected .*, got ") as caught:
        record_of(store, "tiny", "brain.onnx", INT8)
    assert complaint in caught.value.detail.partition(", got ")[2]
    assert "`appliance models pull tiny`" in caught.value.remedy


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_bytes(MADE[::-1]),
        lambda path: path.write_bytes(MADE[:-1]),
        lambda path: path.write_bytes(b""),
    ],
    ids=["other bytes", "cut", "empty"],
)
def test_a_file_that_changed_counts_for_nothing(store: ModelStore, change: Callable[[Path], object]) -> None:
    target = published(store)
    record_of(store, "tiny", "brain.onnx", INT8)
    change(target)
    with pytest.raises(ModelCorrupt):
        record_of(store, "tiny", "brain.onnx", INT8)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b"[1, 2]", b"null", b"{}", json.dumps(asdict(record()) | {"more": 1}).encode()],
    ids=["empty", "cut", "no text", "list", "null", "lacking", "unknown key"],
)
def test_a_record_that_is_none_is_named(store: ModelStore, content: bytes) -> None:
    target = published(store)
    target.with_suffix(".json").write_bytes(content)
    with pytest.raises(ModelCorrupt, match=r"tiny: expected the record of brain\.int8\.dynamic\.onnx, got ") as caught:
        record_of(store, "tiny", "brain.onnx", INT8)
    assert "`appliance models pull tiny`" in caught.value.remedy


def test_a_death_between_file_and_record_leaves_no_file_that_counts(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The older record is gone before the new file comes: it would not be true of it."""
    target = published(store)
    real = Path.replace

    def dying(self: Path, to: Path) -> Path:
        if self.suffix == ".json":
            raise OSError(5, "Input/output error", str(self))
        return real(self, to)

    monkeypatch.setattr(Path, "replace", dying)
    trial = store.root / ".try-it"
    trial.mkdir()
    (trial / target.name).write_bytes(MADE * 2)
    with pytest.raises(StorageFailed, match="Input/output error"):
        publish(target, trial / target.name, record(sha256=digest(MADE * 2), size=2 * len(MADE)))
    assert target.read_bytes() == MADE * 2
    with pytest.raises(ModelMissing):
        record_of(store, "tiny", "brain.onnx", INT8)


def test_a_place_that_cannot_be_written_is_named(store: ModelStore) -> None:
    trial = store.root / ".try-it"
    trial.mkdir()
    (trial / "made.onnx").write_bytes(MADE)
    with pytest.raises(StorageFailed, match="No such file or directory") as caught:
        publish(place(store, "tiny", "brain.onnx", INT8), trial / "made.onnx", record())
    assert str(store.home("tiny") / "derived") in caught.value.remedy


def test_another_version_of_the_model_has_none_of_it(store: ModelStore, shelf: Shelf) -> None:
    published(store)
    newer = deriving()
    newer["files"][0] |= {"sha256": digest(BRAIN[::-1])}
    shelf.add(newer)
    with pytest.raises(ModelMissing):
        record_of(shelf.store(), "tiny", "brain.onnx", INT8)


def test_removing_a_model_removes_what_was_derived(store: ModelStore) -> None:
    target = published(store)
    store.remove("tiny")
    assert not target.exists()
    assert not (store.root / "tiny").exists()


def test_installing_anew_leaves_nothing_of_the_damaged_model(store: ModelStore, wheels: Path) -> None:
    target = published(store)
    (store.home("tiny") / "brain.onnx").write_bytes(b"damaged")
    outcome = Puller(store, environ={}, folder=wheels).pull("tiny")
    assert outcome.result == "installed"
    assert not target.exists(), "nobody knows what else was damaged; it is made anew"


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ({"precision": "int4"}, r"derived.*precision: expected one of fp16, int8, got 'int4'"),
        ({"recipe": ""}, "recipe: expected text"),
        ({"backend": 3}, "backend: expected text"),
        ({"speed": "high"}, "speed"),
    ],
)
def test_a_manifest_that_derives_something_odd_is_named(shelf: Shelf, row: Document, complaint: str) -> None:
    with pytest.raises(ManifestInvalid, match=complaint):
        shelf.add(deriving(asdict(INT8) | row))


def test_a_manifest_says_what_is_derived_of_each_network(shelf: Shelf) -> None:
    half = Derivation("fp16", "half", "onnxruntime-cuda")
    assert shelf.add(deriving(asdict(INT8), asdict(half))).derived == {"brain.onnx": (INT8, half)}
    assert shelf.add(document()).derived == {}


def test_every_refusal_is_an_error_of_the_appliance(store: ModelStore) -> None:
    """Whoever serves goes on with the model's own file: nothing else may come out."""
    target = published(store)
    target.unlink()
    target.mkdir()
    with pytest.raises(ApplianceError):
        record_of(store, "tiny", "brain.onnx", INT8)
    shutil.rmtree(target.parent)
    target.parent.write_text("a file where a folder should be")
    with pytest.raises(ApplianceError):
        record_of(store, "tiny", "brain.onnx", INT8)
