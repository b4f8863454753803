"""Runs networks in real halves: every float operator in torch.float16, as the float16 file says, on the CPU.

    python -m export.half [NAME...] [--data-dir DIR]

ONNX Runtime's CPU computes float16 files in float32 and drops the Casts, so that its score says nothing about overflow;
torch rounds and overflows as a GPU does. Prints the task metric of each network that has an fp16 file, in float32 and
in halves, by the gate of the manifest. Exits 1 when one is below its threshold.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import helper, numpy_helper

from appliance.app import gates
from appliance.app.derive import running
from appliance.artifacts.derived import network_path
from appliance.artifacts.manifest import Manifest, load_manifests, shipped_root
from appliance.artifacts.store import ModelStore
from appliance.inference.quantise import half
from appliance.settings import data_dir, load_settings
from export.operators import OPERATORS

Arrays = Mapping[str, npt.NDArray[Any]]


class Halves:
    """An ONNX file as torch computes it, every value in the type that the file gives it. It is a `backend.Run`."""

    def __init__(self, path: Path) -> None:
        """Read the file. Raises NotImplementedError for an operator that `export.operators` has not."""
        model = onnx.load(str(path))
        unknown = {node.op_type for node in model.graph.node} - {*OPERATORS, "Constant"}
        if unknown:
            raise NotImplementedError(f"{path.name}: expected operators of export.operators, got {', '.join(unknown)}")
        self._opset = max(one.version for one in model.opset_import if one.domain in ("", "ai.onnx"))
        self._weights = {t.name: _tensor(numpy_helper.to_array(t)) for t in model.graph.initializer}
        self._nodes = []
        for node in model.graph.node:
            named = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            if node.op_type == "Constant":
                self._weights[node.output[0]] = _tensor(numpy_helper.to_array(named["value"]))
            else:
                self._nodes.append((node.op_type, list(node.input), list(node.output), named))
        self._outputs = [output.name for output in model.graph.output]
        self._last = {name: at for at, (_, read, _, _) in enumerate(self._nodes) for name in read}

    @torch.inference_mode()
    def __call__(self, inputs: Arrays, /, *, deadline: float | None = None) -> dict[str, npt.NDArray[Any]]:
        """Outputs by name."""
        values = {name: _tensor(array) for name, array in inputs.items()}
        for at, (kind, read, made, named) in enumerate(self._nodes):
            given = [values.get(name, self._weights.get(name)) if name else None for name in read]
            more = {"opset": self._opset} if kind in ("Softmax", "LogSoftmax") else {}
            found = OPERATORS[kind](*given, **named, **more)
            found = found if isinstance(found, tuple) else (found,)
            values.update(zip(made, found, strict=False))
            for name in read:
                if self._last[name] == at and name not in self._outputs:
                    values.pop(name, None)
        return {name: values[name].numpy() for name in self._outputs}


def _tensor(array: npt.NDArray[Any]) -> torch.Tensor:
    return torch.from_numpy(np.array(array))


def scores(store: ModelStore, manifest: Manifest) -> dict[str, tuple[float, float]]:
    """What each network with an fp16 file scores in float32 and in real halves, by file."""
    found = {}
    for file, spec in manifest.networks.items():
        if spec.gate is None or not any(made.recipe == "half" for made in manifest.derived.get(file, ())):
            continue
        source, folder = network_path(store, manifest.name, file), store.folder(manifest.name)
        with running(spec, source) as run:
            whole = gates.score(run, spec, manifest.cases(), folder)
        with tempfile.TemporaryDirectory() as trial:
            half(source, Path(trial) / file)
            found[file] = (whole, gates.score(Halves(Path(trial) / file), spec, manifest.cases(), folder))
    return found


def main() -> None:
    """Print network, metric, both values and the threshold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="models; all by default")
    parser.add_argument("--data-dir", type=Path)
    options = parser.parse_args()
    root = (options.data_dir or data_dir(load_settings())) / "models"
    store = ModelStore(root, load_manifests(shipped_root()))
    failed = False
    for name in options.names or store.manifests:
        manifest = store.manifest(name)
        for file, (whole, halves) in scores(store, manifest).items():
            limit = manifest.network(file).gate
            if limit is not None:
                failed |= halves < limit.threshold
                print(
                    f"{name}/{file}: {limit.metric} fp32 {whole:.4f}, in real halves {halves:.4f} "
                    f"(threshold {limit.threshold})"
                )
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
