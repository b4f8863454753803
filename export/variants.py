"""A network with all the precisions in which there may be a file of it, and the place where they are made."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from appliance.app import gates
from appliance.artifacts.manifest import Derivation, Manifest
from appliance.artifacts.sources import Shipped
from appliance.artifacts.store import ModelStore
from appliance.errors import ApplianceError
from appliance.inference.signature import Arrays
from appliance.specs import ModelSpec

TRIALS: Mapping[str, str] = {"fp16": "half", "int8": "qdq"}
"""How a precision is made that a spec names and the manifest does not make: only to see what it would score."""


@dataclass(frozen=True, slots=True)
class Variant:
    """Another precision of a network: one file, which several backends may prefer."""

    made: Derivation
    """How it is made, and the first backend."""
    backends: tuple[str, ...]
    """All backends that prefer it; none where the manifest does not promise it."""

    @property
    def promised(self) -> bool:
        """True when the manifest has it made where the model is installed."""
        return bool(self.backends)

    @property
    def step(self) -> str:
        """Name of the step that makes it."""
        return f"{self.made.precision}.{self.made.recipe}"


@dataclass(frozen=True, slots=True)
class Network:
    """A network of a model."""

    manifest: Manifest
    """Its model's."""
    file: str
    """Its file, as the manifest names it."""
    store: ModelStore
    """Where the model's files lie and what is made of them goes."""

    @property
    def name(self) -> str:
        """MODEL/FILE."""
        return f"{self.manifest.name}/{self.file}"

    @property
    def spec(self) -> ModelSpec:
        """What it is."""
        return self.manifest.network(self.file)

    @property
    def folder(self) -> Path:
        """Where its model lies."""
        return self.store.home(self.manifest.name)

    @property
    def variants(self) -> tuple[Variant, ...]:
        """Its other precisions: those that the manifest makes, then those that only its spec names."""
        promised = self.manifest.derived.get(self.file, ())
        found = {(one.precision, one.recipe): one for one in reversed(promised)}
        there = {one.precision for one in promised}
        return (
            *(
                Variant(made, tuple(one.backend for one in promised if (one.precision, one.recipe) == way))
                for way, made in reversed(found.items())
            ),
            *(
                Variant(Derivation(precision, recipe, ""), ())
                for precision, recipe in TRIALS.items()
                if precision in self.spec.precisions and precision not in there
            ),
        )

    def feeds(self) -> Iterator[Arrays]:
        """Its own inputs, from the model's cases."""
        return gates.feeds(self.spec, self.manifest.cases(), self.folder)

    def alone(self, *derivations: Derivation) -> ModelStore:
        """The store as if these were all that the manifest has made of this one network."""
        prepared = {file: how for file, how in self.manifest.prepared.items() if file == self.file}
        manifest = replace(self.manifest, prepared=prepared, derived={self.file: derivations} if derivations else {})
        return ModelStore(self.store.root, {manifest.name: manifest})


def mirror(manifest: Manifest, installed: ModelStore, root: Path) -> ModelStore:
    """A store at `root` with the files of one model: those of the tree, else of the `installed` one.

    Raises ModelMissing, ModelCorrupt as `installed` does.
    """
    store = ModelStore(root, {manifest.name: manifest})
    for entry in manifest.files:
        try:
            store.path(manifest.name, entry.path)
        except ApplianceError:
            shipped = next((manifest.home / s.path for s in entry.sources if isinstance(s, Shipped)), None)
            target = store.home(manifest.name) / entry.path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(shipped or installed.path(manifest.name, entry.path), target)
            store.path(manifest.name, entry.path)
    return store
