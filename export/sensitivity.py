"""Which layers of a network can be int8: each group of layers quantised alone, what the network then scores and gives.

    python -m export.sensitivity MODEL/NETWORK.onnx... [--data-dir DIR] [--groups N]

Where the task metric stands still, the outputs say more: the distance is that of the outputs to those in float32 on the
network's own inputs, as a share of their length (for ids the share of values that differ). The last lines are all
groups together, and what the recipes of `inference.quantise` make of them: layers are spared by this table, not by
habit.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from appliance.app import gates
from appliance.app.derive import running
from appliance.artifacts.derived import network_path
from appliance.artifacts.manifest import load_manifests, shipped_root
from appliance.artifacts.store import ModelStore
from appliance.inference.arrive import read
from appliance.inference.backend import Run
from appliance.inference.quantise import IN_INT8, chosen
from appliance.inference.ranges import peaks
from appliance.inference.scale import layers, scaled
from appliance.inference.signature import Arrays
from appliance.inference.smooth import smoothed
from appliance.inference.wide import widened
from appliance.settings import data_dir, load_settings
from appliance.specs import ModelSpec


@dataclass(frozen=True, slots=True)
class Effect:
    """What quantising some layers alone does."""

    group: str
    """Kind of the layers and where they stand, 1 being next to the inputs."""
    layers: int
    """How many they are."""
    weights: int
    """Numbers in their weights."""
    metric: float
    """What the network scores by its gate's metric."""
    distance: float
    """How far its outputs are from those in float32, as a share of these; for ids the share of those that differ."""


@dataclass(frozen=True, slots=True)
class Network:
    """A network of an installed model."""

    spec: ModelSpec
    """What it is."""
    path: Path
    """Its float32 file."""
    folder: Path
    """Folder of the installed model."""
    cases: Sequence[Any]
    """The model's cases."""


def kind_of(node: Any, shape: Sequence[int]) -> str:
    """What sort of layer a node is, by its operator and the shape of its weights."""
    if node.op_type in ("MatMul", "Gemm"):
        rows, columns = shape
        return "narrowing" if rows > 2 * columns else "widening" if columns > 2 * rows else "product"
    if node.op_type == "ConvTranspose":
        return "transposed"
    group = next((a.i for a in node.attribute if a.name == "group"), 1)
    return "depthwise" if group > 1 else "pointwise" if max(shape[2:]) == 1 else "spatial"


def effects(network: Network, groups: int = 3) -> Iterator[Effect]:
    """Every kind of layer in each of `groups` parts of the graph alone, then all, then those of each recipe."""
    spec, folder, cases = network.spec, network.folder, network.cases
    feeds = [dict(feed) for feed in gates.feeds(spec, cases, folder)]
    model = smoothed(widened(read(network.path)), feeds, every=True)
    found = layers(model)
    shapes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    largest = peaks(model, {node.input[0] for node in found}, feeds)
    parts: dict[str, list[Any]] = {}
    for at, node in enumerate(found):
        parts.setdefault(f"{kind_of(node, shapes[node.input[1]])} {at * groups // len(found) + 1}", []).append(node)
    parts |= {"all": found} | {recipe: chosen(model, recipe) for recipe in IN_INT8}
    with running(spec, network.path) as run:
        wanted = [run(feed) for feed in feeds]
        yield Effect("none (float32)", 0, 0, gates.score(run, spec, cases, folder), 0.0)
    with tempfile.TemporaryDirectory() as place:
        for name, nodes in parts.items():
            trial = onnx.ModelProto()
            trial.CopyFrom(model)
            path = Path(place) / "trial.onnx"
            onnx.save(scaled(trial, largest, {node.output[0] for node in nodes}), str(path))
            with running(spec, path) as run:
                metric, far = gates.score(run, spec, cases, folder), distance(run, feeds, wanted)
            weights = sum(int(np.prod(shapes[node.input[1]])) for node in nodes)
            yield Effect(name, len(nodes), weights, metric, far)


def distance(run: Run, feeds: Collection[Arrays], wanted: Collection[Arrays]) -> float:
    """The largest over the outputs: root of the squared differences over that of the squares, or share that differs."""
    apart: dict[str, list[float]] = {}
    for feed, right in zip(feeds, wanted, strict=True):
        for name, values in run(feed).items():
            truth = right[name]
            if truth.dtype.kind == "f":
                error, size = float(np.square(values - truth).sum()), float(np.square(truth).sum())
            else:
                error, size = float((values != truth).sum()), float(truth.size)
            sums = apart.setdefault(f"{name} {truth.dtype.kind}", [0.0, 0.0])
            sums[0], sums[1] = sums[0] + error, sums[1] + size
    return max((e / max(s, 1e-30)) ** (0.5 if name.endswith("f") else 1.0) for name, (e, s) in apart.items())


def main() -> None:
    """Print a table for each network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="+", metavar="MODEL/NETWORK.onnx")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--groups", type=int, default=3, help="parts into which a graph is cut (3)")
    options = parser.parse_args()
    store = ModelStore((options.data_dir or data_dir(load_settings())) / "models", load_manifests(shipped_root()))
    for asked in options.networks:
        name, _, file = asked.partition("/")
        manifest = store.manifest(name)
        spec = manifest.network(file)
        network = Network(spec, network_path(store, name, file), store.folder(name), manifest.cases())
        print(f"{asked}: {spec.gate.metric if spec.gate else 'no metric'}, int8 by group")
        print(f"{'group':>20} {'layers':>6} {'weights':>9} {'metric':>7} {'distance':>9}")
        for effect in effects(network, options.groups):
            print(
                f"{effect.group:>20} {effect.layers:6} {effect.weights:9} {effect.metric:7.4f} {effect.distance:9.5f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
