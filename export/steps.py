"""The steps of one network from its file to the figures of all its precisions, as stages that are done once.

A step's key holds the hashes of the model's files and cases, of the code that it runs and the versions of libraries
(see `train.stages`). Each writes what it found to result.json in its folder; networks lie in a store of their own,
laid out as on a device, so that what makes them there makes them here.
"""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

from appliance.app import derive, gates
from appliance.artifacts.derived import network_path, place, record_of
from appliance.artifacts.manifest import Derivation, Prepared
from appliance.errors import ApplianceError, BackendFailed, GateRefused, ModelMismatch
from appliance.inference.onnxruntime import library
from export import figures
from export.code import code_of
from export.train.stages import Stage
from export.variants import Network

RESULT = "result.json"
REBUILD, ARRIVE, PREPARE, MEASURE = "rebuild", "arrive", "prepare", "measure"
TRAINED = ("understand-zh/model.onnx", "entities-zh/tagger.onnx")
"""Networks whose PyTorch code is here (`rebuild.TRAINED`, which imports torch)."""
_DERIVE = ("appliance.app.derive",)
_TORCH = ("torch", "transformers", "onnxscript", "onnx-ir")


def steps(network: Network, *, halves: bool = True) -> list[Stage]:
    """All steps of a network; `halves` adds the run of its fp16 file in real halves, which takes minutes."""
    found = []
    if network.name in TRAINED:
        found.append(_stage(network, REBUILD, _rebuild, ("export.rebuild", "appliance.app.gates"), _TORCH))
    found.append(_stage(network, ARRIVE, _arrive, ("export.arrival", *_DERIVE), ("onnxslim",)))
    prepared = network.manifest.prepared.get(network.file)
    if prepared is not None:
        found.append(_stage(network, PREPARE, _prepare, (*_DERIVE, "export.figures", "export.arrival"), made=prepared))
    before = tuple(stage.name for stage in found if stage.name == PREPARE)
    files = []
    for variant in network.variants:
        made, name = variant.made, variant.step
        files.append(name)
        found.append(_stage(network, name, _derive, _DERIVE, needs=before, made=made))
        if halves and made.recipe == "half":
            found.append(_stage(network, in_halves(name), _in_halves, ("export.half",), ("torch",), (name,), made))
    found.append(_stage(network, MEASURE, _measure, (*_DERIVE, "export.figures"), needs=(*before, *files)))
    return found


def in_halves(step: str) -> str:
    """Name of the step that runs in real halves what another step made."""
    return f"{step}.torch"


def forget(network: Network, root: Path) -> None:
    """Remove what the steps in `root` found of files that are not there any more, or not whole."""
    ways: dict[str, Derivation | Prepared] = {variant.step: variant.made for variant in network.variants}
    if network.file in network.manifest.prepared:
        ways[PREPARE] = network.manifest.prepared[network.file]
    for name, made in ways.items():
        if "problem" in result(root / name):
            continue
        try:
            record_of(network.store, network.manifest.name, network.file, made)
        except ApplianceError:
            shutil.rmtree(root / name, ignore_errors=True)


def result(folder: Path) -> dict[str, Any]:
    """What a step found; empty where it found nothing yet."""
    try:
        found: dict[str, Any] = json.loads((folder / RESULT).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def _stage(
    network: Network,
    name: str,
    make: Callable[[Network, Path, Any], Any],
    code: tuple[str, ...],
    tools: tuple[str, ...] = (),
    needs: tuple[str, ...] = (),
    made: Derivation | Prepared | None = None,
) -> Stage:
    def making(out: Path, _: Mapping[str, Path]) -> None:
        found = make(network, out, made)
        (out / RESULT).write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")

    parameters = {
        "model": network.manifest.digest,
        "spec": asdict(network.spec),
        "made": asdict(made) if made is not None else None,
        "tools": _versions(*tools),
    }
    return Stage(name, making, needs, (*code_of(*code), Path(__file__), network.manifest.home / "cases"), parameters)


def _versions(*tools: str) -> dict[str, str]:
    found = {name: metadata.version(name) for name in ("numpy", "onnx", *tools)}
    # The package onnxruntime has several names (onnxruntime-gpu); the module knows its version.
    return found | {"onnxruntime": str(library().__version__), "python": platform.python_version()}


def _rebuild(network: Network, out: Path, made: None) -> dict[str, Any]:
    from export.rebuild import TRAINED as REMAKES
    from export.rebuild import rebuild

    remake = REMAKES[network.name]
    return asdict(rebuild(remake, network.folder, out / "again", network.file, network.spec, network.feeds()))


def _arrive(network: Network, out: Path, made: None) -> dict[str, Any]:
    """Check the file that the network is, or is prepared of."""
    from export.arrival import check

    prepared = network.manifest.prepared.get(network.file)
    file = prepared.of if prepared else network.file
    found = check(network.spec, network.folder / file, out / f"{Path(file).stem}.slim.onnx")
    if prepared is None:
        with derive.running(network.spec, network.folder / file):  # raises ModelMismatch where file and spec disagree
            pass
    return {"file": file, **asdict(found)}


def _prepare(network: Network, out: Path, made: Prepared) -> dict[str, Any]:
    """Make the network of its source, and compare the two on the cases."""
    found = _anew(network, made)
    if "problem" in found:
        return found
    from export.arrival import on_oldest

    path = network_path(network.store, network.manifest.name, network.file)
    parity = figures.against_softmax(network, network.folder / made.of, path)
    return {**found, "parity": parity, "oldest": on_oldest(network.spec, path)}


def _derive(network: Network, out: Path, made: Derivation) -> dict[str, Any]:
    return _anew(network, made)


def _anew(network: Network, made: Derivation | Prepared) -> dict[str, Any]:
    """The record of a file that is made anew as on a device, or why its gate or its recipe refused."""
    name = network.manifest.name
    target = place(network.store, name, network.file, made)
    for path in (target.with_suffix(".json"), target):
        path.unlink(missing_ok=True)
    store = network.alone(*([made] if isinstance(made, Derivation) else []))
    try:
        derive.derive(store, name)
    except (GateRefused, BackendFailed, ModelMismatch) as error:
        return {"problem": error.detail, "code": error.code}
    return asdict(record_of(network.store, name, network.file, made))


def _in_halves(network: Network, out: Path, made: Derivation) -> dict[str, Any]:
    """What the float16 file scores when torch computes it in float16."""
    path = place(network.store, network.manifest.name, network.file, made)
    if not path.exists():
        return {"note": f"{path.name} was refused before"}
    import torch

    from export.half import Halves

    try:
        run = Halves(path)
    except NotImplementedError as error:
        return {"note": str(error)}
    # A sentence takes 0.19 s so; with two threads that wait for each other beside other work, up to 0.8 s.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        spec = network.spec
        value = gates.score(run, spec, network.manifest.cases(), network.folder)
    finally:
        torch.set_num_threads(threads)
    found: dict[str, Any] = {"value": round(value, 4)}
    if spec.gate is not None and not value >= spec.gate.threshold:
        wanted = f"{spec.gate.metric} of at least {spec.gate.threshold}"
        found["problem"] = f"{path.name}: expected {wanted} in real halves, got {value:.4f}"
    return found


def _measure(network: Network, out: Path, made: None) -> dict[str, Any]:
    """Figures of all files that there are, and what float32 scores."""
    name = network.manifest.name
    files = {"fp32": network_path(network.store, name, network.file)}
    for variant in network.variants:
        with suppress(ApplianceError):
            record_of(network.store, name, network.file, variant.made)
            files[variant.step] = place(network.store, name, network.file, variant.made)
    value = derive.score(network.spec, network.manifest, network.folder, files["fp32"])
    return {"value": round(value, 4), **figures.measure(network, files)}
