"""Makes what a model's manifest derives from its files, and lets only those through that pass the model's gate."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

from appliance.artifacts.derived import REVISION, Record, place, publish, record_of
from appliance.artifacts.digest import sha256_of
from appliance.artifacts.disk import TRIAL, exclusive, storage
from appliance.artifacts.manifest import Derivation, Manifest
from appliance.artifacts.store import ModelStore
from appliance.errors import ApplianceError, BackendFailed, GateRefused, ManifestInvalid
from appliance.inference.backend import Run
from appliance.inference.onnxruntime import OnnxRuntimeBackend, library
from appliance.inference.quantise import RECIPES, Feeds
from appliance.language import gate
from appliance.listener import Listener, silent
from appliance.specs import ModelSpec


def derive(store: ModelStore, name: str, listener: Listener = silent) -> tuple[Path, ...]:
    """Make what is missing of model `name`, which must be installed; the files that were made now.

    Raises GateRefused when one scores too low on the cases (it is not kept) or BackendFailed when one cannot be made,
    after the others; StorageFailed, ManifestInvalid for an unknown recipe, ModelMissing when it is not installed.
    """
    manifest = store.manifest(name)
    made: list[Path] = []
    refused: list[ApplianceError] = []
    for file, derivations in manifest.derived.items():
        for wanted in derivations:
            target = place(store, name, file, wanted)
            try:
                record_of(store, name, file, wanted)
            except ApplianceError:
                listener("models.derive", model=name, file=target.name, recipe=wanted.recipe)
                try:
                    _make(store, manifest, file, wanted, target)
                    made.append(target)
                except (GateRefused, BackendFailed) as error:  # one that cannot be made keeps no other from being made
                    refused.append(error)
    if refused:
        raise refused[0]
    return tuple(made)


def _make(store: ModelStore, manifest: Manifest, file: str, wanted: Derivation, target: Path) -> None:
    if wanted.recipe not in RECIPES:
        known = ", ".join(RECIPES)
        raise ManifestInvalid(f"{manifest.name}: {file}: expected a recipe of {known}, got {wanted.recipe}")
    source = store.path(manifest.name, file)
    with exclusive(store.root), storage(store.root):
        target.parent.mkdir(exist_ok=True)
        target.parent.chmod(0o755)
        with tempfile.TemporaryDirectory(prefix=TRIAL, dir=store.root) as folder:
            trial = Path(folder) / target.name
            spec = manifest.network(file)
            RECIPES[wanted.recipe](source, trial, feeds(spec, manifest, store.folder(manifest.name)))
            value = score(spec, manifest, store.folder(manifest.name), trial)
            threshold = spec.gate.threshold if spec.gate else 0.0
            if value < threshold:
                raise GateRefused(
                    f"{target.name}: expected {spec.gate.metric if spec.gate else ''} of at least {threshold} on the "
                    f"model's cases, got {value:.4f}"
                )
            record = Record(
                source=manifest.file(file).sha256,
                recipe=wanted.recipe,
                revision=REVISION,
                sha256=sha256_of(trial),
                size=trial.stat().st_size,
                metric=spec.gate.metric if spec.gate else "",
                value=round(value, 4),
                threshold=threshold,
                # The package onnxruntime has several names (onnxruntime-gpu); the module knows its version.
                tools={"onnx": metadata.version("onnx"), "onnxruntime": str(library().__version__)},
            )
            publish(target, trial, record)


def feeds(spec: ModelSpec, manifest: Manifest, folder: Path) -> Feeds:
    """Inputs to calibrate on: the model's cases, as the network is given them."""
    make = gate.FEEDS.get(spec.gate.metric) if spec.gate else None
    return make(folder, _samples(manifest)) if make else ()


def _samples(manifest: Manifest) -> list[gate.Sample]:
    return [sample for case in manifest.cases() if case.kind == "sentences" for sample in gate.samples(case.path)]


def score(spec: ModelSpec, manifest: Manifest, folder: Path, path: Path) -> float:
    """What the network in `path` scores by its gate's metric on the model's cases; 0 without a gate."""
    if spec.gate is None:
        return 0.0
    measure: Callable[..., float] | None = gate.METRICS.get(spec.gate.metric)
    if measure is None:
        raise ManifestInvalid(f"{spec.name}: expected a metric of {', '.join(gate.METRICS)}, got {spec.gate.metric}")
    with running(spec, path) as run:
        return measure(run, folder, _samples(manifest))


@contextmanager
def running(spec: ModelSpec, path: Path) -> Iterator[Run]:
    """The network in `path` on the CPU, one thread, in this thread."""
    with OnnxRuntimeBackend(spec, path, threads=1) as backend:
        yield lambda inputs, /, *, deadline=None: backend.infer(inputs)
