"""Makes what a model's manifest has made of its files, and lets only those through that pass the model's gate."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from appliance.app import gates
from appliance.artifacts.derived import Record, network_path, place, publish, record_of, revision_of, source_of
from appliance.artifacts.digest import sha256_of
from appliance.artifacts.disk import TRIAL, exclusive, storage
from appliance.artifacts.manifest import Derivation, Manifest, Prepared
from appliance.artifacts.store import ModelStore
from appliance.errors import ApplianceError, BackendFailed, Both, GateRefused, ManifestInvalid
from appliance.inference import ranges
from appliance.inference.arrive import PREPARATIONS
from appliance.inference.backend import Run
from appliance.inference.onnxruntime import OnnxRuntimeBackend, library
from appliance.inference.quantise import RECIPES
from appliance.inference.ranges import Feeds
from appliance.listener import Listener, silent
from appliance.specs import ModelSpec

_NOTHING_ELSE: Both = (
    "此功能由备用方式继续提供；请把 onnx 和 onnxruntime 的版本和本机型号告知维护者",
    "What is below this model serves; tell the maintainers this machine and the versions of onnx and onnxruntime",
)
"""What to do about a prepared network that is refused: there is no file of the model's own to serve instead."""


def prepare(store: ModelStore, name: str, listener: Listener = silent) -> tuple[Path, ...]:
    """Make what is missing of the networks that are prepared of model `name`, which must be installed; those made now.

    Nothing serves in place of one, so the first that fails ends it. Raises GateRefused when it scores too low on the
    cases (it is not kept), ModelMismatch when the recipe is not for its source, BackendFailed, StorageFailed,
    ManifestInvalid for an unknown recipe, ModelMissing when the model is not installed.
    """
    made: list[Path] = []
    for file, wanted in store.manifest(name).prepared.items():
        made += _made(store, name, file, wanted, listener)
    return tuple(made)


def backends_here() -> frozenset[str]:
    """Backends that may serve on this machine, by what is installed: files for others would be made for nobody."""
    found = {"onnxruntime-cpu"}
    with suppress(metadata.PackageNotFoundError):
        metadata.version("onnxruntime-gpu")
        found.add("onnxruntime-cuda")
    if find_spec("tensorrt") is not None:
        found.add("tensorrt")
    return frozenset(found)


def derive(
    store: ModelStore, name: str, listener: Listener = silent, backends: Collection[str] | None = None
) -> tuple[Path, ...]:
    """Make what is missing of model `name`, which must be installed: `prepare`, then other precisions; those made now.

    Only what one of `backends` prefers; without them all.

    Raises what `prepare` does; GateRefused when another precision scores too low on the cases (it is not kept) or
    BackendFailed when it cannot be made, after the others.
    """
    made = list(prepare(store, name, listener))
    refused: list[ApplianceError] = []
    for file, derivations in store.manifest(name).derived.items():
        for wanted in derivations:
            if backends is not None and wanted.backend not in backends:
                continue
            try:
                made += _made(store, name, file, wanted, listener)
            except (GateRefused, BackendFailed) as error:  # one that cannot be made keeps no other from being made
                refused.append(error)
    if refused:
        raise refused[0]
    return tuple(made)


def _made(
    store: ModelStore, name: str, file: str, wanted: Derivation | Prepared, listener: Listener
) -> tuple[Path, ...]:
    """The file that was made now; none when it was there."""
    target = place(store, name, file, wanted)
    try:
        record_of(store, name, file, wanted)
    except ApplianceError:
        listener("models.derive", model=name, file=target.name, recipe=wanted.recipe)
        _make(store, store.manifest(name), file, wanted, target)
        return (target,)
    return ()


def _make(store: ModelStore, manifest: Manifest, file: str, wanted: Derivation | Prepared, target: Path) -> None:
    write = _writer(store, manifest, file, wanted)
    with exclusive(store.root), storage(store.root):
        target.parent.mkdir(exist_ok=True)
        target.parent.chmod(0o755)
        with tempfile.TemporaryDirectory(prefix=TRIAL, dir=store.root) as folder:
            trial = Path(folder) / target.name
            write(trial)
            gate = manifest.network(file).gate
            value = _value(manifest, file, store.folder(manifest.name), trial)
            if gate is not None and not value >= gate.threshold:  # what is no number does not reach it either
                raise GateRefused(
                    f"{target.name}: expected {gate.metric} of at least {gate.threshold} on the model's cases, "
                    f"got {value:.4f}",
                    remedy=_NOTHING_ELSE if isinstance(wanted, Prepared) else None,
                )
            record = Record(
                source=source_of(store, manifest.name, file, wanted),
                recipe=wanted.recipe,
                revision=revision_of(wanted),
                sha256=sha256_of(trial),
                size=trial.stat().st_size,
                metric=gate.metric if gate else "",
                value=round(value, 4),
                threshold=gate.threshold if gate else 0.0,
                # The package onnxruntime has several names (onnxruntime-gpu); the module knows its version.
                tools={"onnx": metadata.version("onnx"), "onnxruntime": str(library().__version__)},
            )
            publish(target, trial, record)


def _writer(store: ModelStore, manifest: Manifest, file: str, wanted: Derivation | Prepared) -> Callable[[Path], None]:
    """What writes the file to a path. Raises ManifestInvalid for an unknown recipe, or as `network_path` does."""
    recipes: Mapping[str, object] = PREPARATIONS if isinstance(wanted, Prepared) else RECIPES
    if wanted.recipe not in recipes:
        known = ", ".join(recipes)
        raise ManifestInvalid(f"{manifest.name}: {file}: expected a recipe of {known}, got {wanted.recipe}")
    if isinstance(wanted, Prepared):
        fetched, classes = store.path(manifest.name, wanted.of), wanted.classes
        return lambda target: PREPARATIONS[wanted.recipe](fetched, target, classes)
    source, spec = network_path(store, manifest.name, file), manifest.network(file)
    proved(spec, manifest, store.folder(manifest.name), source, wanted)
    return lambda target: RECIPES[wanted.recipe](source, target, feeds(spec, manifest, store.folder(manifest.name)))


def _value(manifest: Manifest, file: str, folder: Path, path: Path) -> float:
    """What a file scores; without a gate 0, but it has to load as the network that the manifest describes."""
    spec = manifest.network(file)
    if spec.gate is not None:
        return score(spec, manifest, folder, path)
    with running(spec, path):
        return 0.0


def feeds(spec: ModelSpec, manifest: Manifest, folder: Path) -> Feeds:
    """Inputs to calibrate on: the model's cases, as the network is given them."""
    return gates.feeds(spec, manifest.cases(), folder)


def proved(spec: ModelSpec, manifest: Manifest, folder: Path, source: Path, wanted: Derivation | Prepared) -> None:
    """Raise GateRefused when halves cannot hold what the network in `source` computes on the model's cases.

    ONNX Runtime's CPU computes float16 files in float32: the score of one says nothing about overflow.
    """
    if wanted.recipe == "half":
        ranges.check(source, feeds(spec, manifest, folder))


def score(spec: ModelSpec, manifest: Manifest, folder: Path, path: Path) -> float:
    """What the network in `path` scores by its gate's metric on the model's cases; 0 without a gate."""
    if spec.gate is None:
        return 0.0
    with running(spec, path) as run:
        return gates.score(run, spec, manifest.cases(), folder)


class _AsWritten(OnnxRuntimeBackend):
    """Computes what the file says, the same on every machine.

    Products between scales are else joined into integer ones, and those of an x86 without VNNI cut off sums beyond 16
    bits. ONNX Runtime 1.23.2, the last for JetPack 6, fails at a layer normalisation in float16 that it joins.
    """

    def _options(self) -> Any:
        options = super()._options()
        options.add_session_config_entry("session.disable_quant_qdq", "1")
        options.add_session_config_entry("optimization.disable_specified_optimizers", "SimplifiedLayerNormFusion")
        return options


@contextmanager
def running(spec: ModelSpec, path: Path) -> Iterator[Run]:
    """The network in `path` on the CPU, one thread, in this thread."""
    with _AsWritten(spec, path, threads=1) as backend:
        yield lambda inputs, /, *, deadline=None: backend.infer(inputs)
