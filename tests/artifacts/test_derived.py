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

from appliance.artifacts.derived import (
    PREPARED_REVISION,
    REVISION,
    Record,
    network_path,
    place,
    publish,
    record_of,
    revision_of,
    source_of,
)
from appliance.artifacts.manifest import Derivation, Prepared
from appliance.artifacts.pull import Puller
from appliance.artifacts.store import ModelStore
from appliance.errors import ApplianceError, InvalidInput, ManifestInvalid, ModelCorrupt, ModelMissing, StorageFailed
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


TOPK = Prepared("brain.onnx", "topk", 7)
FILE = "brain.topk.onnx"


@pytest.fixture
def prepared(shelf: Shelf, wheels: Path) -> ModelStore:
    """A store with a model installed whose network is made of one of its files, and another precision of it."""
    made = deriving()
    made["networks"] = {FILE: made["networks"]["brain.onnx"] | {"prepared": asdict(TOPK)}}
    shelf.add(made)
    store = shelf.store()
    outcome = Puller(store, environ={}, folder=wheels).pull("tiny")
    assert outcome.error is None
    return store


def put(store: ModelStore, made: Derivation | Prepared, content: bytes, **known: Any) -> Path:
    """`content` in the place of what is made, with a record of it."""
    target = place(store, "tiny", FILE, made)
    target.parent.mkdir(exist_ok=True)
    (store.root / target.name).write_bytes(content)
    truth = {"recipe": made.recipe, "revision": revision_of(made), "sha256": digest(content), "size": len(content)}
    publish(target, store.root / target.name, record(**(truth | known)))
    return target


def test_a_prepared_network_is_found_beside_the_file_that_it_is_made_of(prepared: ModelStore) -> None:
    target = put(prepared, TOPK, MADE)
    assert target == prepared.home("tiny") / "derived" / FILE
    assert network_path(prepared, "tiny", FILE) == target
    assert record_of(prepared, "tiny", FILE, TOPK) == record(recipe="topk", revision=PREPARED_REVISION)
    with pytest.raises(InvalidInput, match="expected one of its files, got brain.topk.onnx"):
        prepared.path("tiny", FILE)  # the store knows what is fetched, and nothing else


def test_any_other_network_is_the_file_itself(store: ModelStore) -> None:
    assert network_path(store, "tiny", "brain.onnx") == store.path("tiny", "brain.onnx")
    with pytest.raises(InvalidInput, match="got ghost.onnx"):
        network_path(store, "tiny", "ghost.onnx")


def test_a_prepared_network_that_was_never_made_is_missing_with_the_command(prepared: ModelStore) -> None:
    with pytest.raises(ModelMissing, match=r"tiny: expected brain\.topk\.onnx, made when .*, found none") as caught:
        network_path(prepared, "tiny", FILE)
    assert "`appliance models pull tiny`" in caught.value.remedy


@pytest.mark.parametrize(
    "known",
    [{"source": digest(EARS)}, {"recipe": "dynamic"}, {"revision": PREPARED_REVISION - 1}, {"sha256": digest(EARS)}],
    ids=["another source", "another recipe", "older revision", "other bytes"],
)
def test_a_prepared_network_of_something_else_counts_for_nothing(prepared: ModelStore, known: dict[str, Any]) -> None:
    put(prepared, TOPK, MADE, **known)
    with pytest.raises(ModelCorrupt, match=r"tiny: brain\.topk\.onnx: expected .*, got ") as caught:
        network_path(prepared, "tiny", FILE)
    assert "`appliance models pull tiny`" in caught.value.remedy


def test_a_new_revision_of_other_precisions_leaves_prepared_networks_as_they_are(
    prepared: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing serves in their place until somebody runs the command."""
    put(prepared, TOPK, MADE)
    put(prepared, INT8, MADE, source=digest(MADE))
    monkeypatch.setattr("appliance.artifacts.derived.REVISION", REVISION + 1)
    assert network_path(prepared, "tiny", FILE).is_file()
    with pytest.raises(ModelCorrupt, match=f", {REVISION + 1},"):
        record_of(prepared, "tiny", FILE, INT8)


def test_a_prepared_network_alone_does_not_stand_for_a_damaged_model(prepared: ModelStore) -> None:
    put(prepared, TOPK, MADE)
    (prepared.home("tiny") / "brain.onnx").write_bytes(b"damaged")
    with pytest.raises(ModelCorrupt, match=r"brain\.onnx: expected 307200 bytes"):
        network_path(prepared, "tiny", FILE)


def test_another_precision_of_a_prepared_network_is_made_of_the_prepared_file(prepared: ModelStore) -> None:
    assert place(prepared, "tiny", FILE, INT8).name == "brain.topk.int8.dynamic.onnx"
    put(prepared, INT8, MADE * 2, source=digest(MADE))
    with pytest.raises(ModelMissing, match=r"expected brain\.topk\.onnx"):
        record_of(prepared, "tiny", FILE, INT8)
    put(prepared, TOPK, MADE)
    assert source_of(prepared, "tiny", FILE, INT8) == digest(MADE)
    assert record_of(prepared, "tiny", FILE, INT8).source == digest(MADE)
    put(prepared, TOPK, MADE[::-1])
    with pytest.raises(ModelCorrupt, match=digest(MADE)):
        record_of(prepared, "tiny", FILE, INT8)


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
