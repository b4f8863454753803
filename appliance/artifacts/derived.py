"""Files that are made of a model's files where it is installed: found, verified, published.

They lie in `derived/` beside the model's own files, each with a record of what it was made of, by which recipe, and
what it scored on the model's cases. The record is written last, so that a file without one was never finished.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from appliance.artifacts.digest import sha256_of
from appliance.artifacts.disk import storage, sync
from appliance.artifacts.manifest import Derivation
from appliance.artifacts.store import ModelStore
from appliance.errors import ModelCorrupt, ModelMissing

FOLDER = "derived"
REVISION = 2
"""Changes when a recipe does: files made by another revision are made anew."""


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of a derived file."""

    source: str
    """sha256 of the file that it was made of."""
    recipe: str
    """How it was made."""
    revision: int
    """REVISION of the code that made it."""
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


def place(store: ModelStore, name: str, file: str, made: Derivation) -> Path:
    """Where the derived file belongs, whether or not it is there."""
    return store.home(name) / FOLDER / f"{Path(file).stem}.{made.precision}.{made.recipe}.onnx"


def record_of(store: ModelStore, name: str, file: str, made: Derivation) -> Record:
    """The record of a derived file that is there, whole, and made of this version's file by this revision's recipe.

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
    wanted = (store.manifest(name).file(file).sha256, made.recipe, REVISION, record.sha256)
    found = (record.source, record.recipe, record.revision, got)
    if found != wanted:
        raise ModelCorrupt(f"{name}: {path.name}: expected {wanted}, got {found}", remedy=remedy)
    return record


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
