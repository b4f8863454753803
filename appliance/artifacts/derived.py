"""Files that are made of a model's files where it is installed: found, verified, published.

They lie in `derived/` beside the model's own files, each with a record of what it was made of, by which recipe, and
what it scored on the model's cases. The record is written last, so that a file without one was never finished.

Two kinds: a prepared network takes the place of one that is fetched, and nothing serves without it; another precision
of a network (a derivation) is preferred where its backend serves, and the network itself serves without it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from appliance.artifacts.digest import sha256_of
from appliance.artifacts.disk import storage, sync
from appliance.artifacts.manifest import Derivation, Prepared
from appliance.artifacts.store import ModelStore
from appliance.errors import ModelCorrupt, ModelMissing

FOLDER = "derived"
REVISION = 4
"""Changes when a recipe of other precisions does: files made by another revision are made anew."""
PREPARED_REVISION = 1
"""The same of prepared networks; apart, because until they are made anew nothing serves in their place."""


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of a file that was made."""

    source: str
    """sha256 of the file that it was made of."""
    recipe: str
    """How it was made."""
    revision: int
    """Revision of the code that made it (see `revision_of`)."""
    sha256: str
    """Its own hash."""
    size: int
    """Its bytes."""
    metric: str
    """Task metric of the gate that it passed; empty without a gate."""
    value: float
    """What it scored; 0 without a gate."""
    threshold: float
    """What it had to score; 0 without a gate."""
    tools: Mapping[str, str]
    """Versions of the libraries that made it."""


def place(store: ModelStore, name: str, file: str, made: Derivation | Prepared) -> Path:
    """Where a derivation of the network in `file`, or a prepared `file` itself, belongs, whether or not it is there."""
    own = file if isinstance(made, Prepared) else f"{Path(file).stem}.{made.precision}.{made.recipe}.onnx"
    return store.home(name) / FOLDER / own


def record_of(store: ModelStore, name: str, file: str, made: Derivation | Prepared) -> Record:
    """The record of a file at its `place` that is whole, and made of this version's file by this revision's recipe.

    Raises ModelMissing or ModelCorrupt, naming what was expected, what was found and the command to run.
    """
    path = place(store, name, file, made)
    remedy = (f"请运行 `appliance models pull {name}`", f"Run `appliance models pull {name}`")
    try:
        row = json.loads(path.with_suffix(".json").read_text("utf-8"))
        record = Record(**row)
        got = sha256_of(path) if path.stat().st_size == record.size else "another size"
    except FileNotFoundError:
        raise ModelMissing(
            f"{name}: expected {path.name}, made when the model is installed, found none", remedy=remedy
        ) from None
    except (OSError, ValueError, TypeError) as error:
        said = error.strerror if isinstance(error, OSError) else str(error)  # no path: the page shows it
        raise ModelCorrupt(f"{name}: expected the record of {path.name}, got {said}", remedy=remedy) from error
    source = source_of(store, name, file, made)
    wanted = (source, made.recipe, revision_of(made), record.sha256)
    found = (record.source, record.recipe, record.revision, got)
    if found != wanted:
        raise ModelCorrupt(f"{name}: {path.name}: expected {wanted}, got {found}", remedy=remedy)
    return record


def revision_of(made: Derivation | Prepared) -> int:
    """Revision of the code that makes it now."""
    return PREPARED_REVISION if isinstance(made, Prepared) else REVISION


def source_of(store: ModelStore, name: str, file: str, made: Derivation | Prepared) -> str:
    """sha256 of the file that `made` has to be made of. Raises as `record_of` when that one has to be made, too."""
    manifest = store.manifest(name)
    if isinstance(made, Prepared):
        return manifest.file(made.of).sha256
    prepared = manifest.prepared.get(file)
    return manifest.file(file).sha256 if prepared is None else record_of(store, name, file, prepared).sha256


def network_path(store: ModelStore, name: str, file: str) -> Path:
    """Path of the verified file of a network: one of the model's own, or one prepared of them.

    Raises as `ModelStore.path` and `record_of` do. A prepared file counts only beside a whole one that it is made of.
    """
    prepared = store.manifest(name).prepared.get(file)
    if prepared is None:
        return store.path(name, file)
    store.path(name, prepared.of)
    record_of(store, name, file, prepared)
    return place(store, name, file, prepared)


def publish(target: Path, made: Path, record: Record) -> None:
    """Put the file at `made` (same disk) in its place with its record. Raises StorageFailed."""
    with storage(target.parent):
        sync(made)
        note = made.with_suffix(".json")
        note.write_text(json.dumps(asdict(record), indent=1) + "\n", "utf-8")
        sync(note)
        made.chmod(0o644)
        note.chmod(0o644)
        target.with_suffix(".json").unlink(missing_ok=True)
        made.replace(target)
        note.replace(target.with_suffix(".json"))
        sync(target.parent)
