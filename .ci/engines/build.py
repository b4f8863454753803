"""Builds every shipped network in every precision with TensorRT-RTX, through the product's own builder.

`build.py --out FOLDER [--also MODELS WORK]`, in the environment that `make engines-check` makes; with `--also` those of
the folder MODELS as well, whose files `export.all --work WORK` has made. TensorRT-RTX has the parser and the
strongly typed builder of TensorRT 11 and needs no GPU; its plans run on no Jetson and are thrown away. Each file is
built for each of `CAPABILITIES` and put before Polygraphy, whose report stays in FOLDER beside `build.json`.

A check that cannot fail proves nothing: first three networks that must be refused are (`controls`).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from importlib import metadata
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))
from appliance.artifacts.derived import network_path, place, record_of
from appliance.artifacts.manifest import load_manifests, shipped_root
from appliance.artifacts.store import ModelStore
from appliance.errors import ApplianceError, EngineBuildFailed
from appliance.inference.tensorrt import compat
from appliance.inference.tensorrt.build import BuildOptions, build
from appliance.inference.tensorrt.log import logger
from appliance.settings import data_dir, load_settings
from appliance.specs import ModelSpec, ShapeProfile, TensorSpec

CAPABILITIES = ("SM86", "SM89")
"""What plans are built for. TensorRT-RTX knows no SM87 (Orin) and no SM110 (Thor); SM86 is Orin's nearest relation."""
WORKSPACE = 1 << 30
JOBS = 2
CPU = "onnxruntime-cpu"
"""Files that are made for it hold operators of ONNX Runtime alone (DynamicQuantizeLinear): no engine comes of them."""
SUPPORTED = "Graph is fully supported by TensorRT"


@dataclass(frozen=True)
class File:
    """A network in one precision."""

    network: str
    """`understand-zh/model`."""
    precision: str
    """`fp32`, `fp16` or `int8`."""
    path: Path
    """Where it lies."""
    spec: ModelSpec
    """Its inputs and profiles."""


@dataclass(frozen=True)
class Row:
    """What became of a file."""

    network: str
    precision: str
    file: str
    sha256: str
    plans: dict[str, int]
    """Capability to the bytes of its plan."""
    seconds: dict[str, float]
    """Capability to the seconds of CPU that it took."""
    supported: bool
    """Polygraphy found every operator supported."""
    report: str
    """File of its report, in FOLDER."""
    problems: list[str]
    """Why a plan was not built."""


def promised(store: ModelStore, problems: list[str]) -> Iterator[File]:
    """Every file that TensorRT is to build an engine of; what should be there and is not goes to `problems`."""
    for name, manifest in store.manifests.items():
        for file, spec in manifest.networks.items():
            found, cpu, files = set(), set(), set()
            try:
                yield File(spec.name, "fp32", network_path(store, name, file), spec)
                found.add("fp32")
                for made in manifest.derived.get(file, ()):
                    if made.backend == CPU:
                        cpu.add(made.precision)
                    else:
                        record_of(store, name, file, made)
                        path = place(store, name, file, made)
                        if path not in files:  # one file may serve two backends
                            yield File(spec.name, made.precision, path, spec)
                        files.add(path)
                        found.add(made.precision)
            except ApplianceError as error:
                problems.append(f"{spec.name}: {error.account}")
                continue
            problems += [
                f"{spec.name}: expected a file in {wanted} for an engine, as its manifest's precisions say, found none"
                for wanted in spec.precisions
                if wanted not in found | cpu
            ]


def library() -> Any:
    """TensorRT-RTX, quiet: what matters of what it says stands in the errors."""
    logging.getLogger("appliance.tensorrt").setLevel(logging.CRITICAL)
    return compat.load(("tensorrt_rtx",))


def tried(file: File, out: Path) -> Row:
    """Build one file for every capability and have Polygraphy look at it. Runs in a process of its own."""
    trt = library()
    plans, seconds = {}, {}
    refusals: dict[str, list[str]] = {}
    for capability in CAPABILITIES:
        began = time.process_time()
        try:
            built = build(trt, file.spec, file.path, BuildOptions(WORKSPACE, targets=(capability,)))
            plans[capability] = len(built.plan)
        except ApplianceError as error:
            refusals.setdefault(error.detail, []).append(capability)
        seconds[capability] = round(time.process_time() - began, 2)
    nodes = refused(trt, file.path) if refusals else []
    problems = [f"node {line}" for line in nodes] or [f"{', '.join(those)}: {said}" for said, those in refusals.items()]
    report = f"{file.network.partition('/')[0]}-{file.path.stem}.txt"
    supported, problem = capability_report(file.path, out / report)
    return Row(
        network=file.network,
        precision=file.precision,
        file=file.path.name,
        sha256=hashlib.sha256(file.path.read_bytes()).hexdigest(),
        plans=plans,
        seconds=seconds,
        supported=supported,
        report=report,
        problems=problems + ([problem] if problem else []),
    )


def refused(trt: Any, path: Path) -> list[str]:
    """Every node that the parser does not take, with its operator."""
    made, _ = logger(trt)
    builder = trt.Builder(made)
    network = builder.create_network(compat.network_flags(trt))
    parser = trt.OnnxParser(network, made)
    parser.parse_from_file(str(path))
    errors = [parser.get_error(number) for number in range(parser.num_errors)]
    return [f"{e.node_name() or '?'} ({e.node_operator() or '?'}): {' '.join(e.desc().split())}" for e in errors]


def capability_report(path: Path, target: Path) -> tuple[bool, str]:
    """Write what `polygraphy inspect capability` says to `target`; whether all is supported, and what is wrong."""
    command = [str(Path(sys.executable).with_name("polygraphy")), "inspect", "capability", str(path)]
    environ = {**os.environ, "POLYGRAPHY_USE_TENSORRT_RTX": "1"}
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [*command, "-o", folder], capture_output=True, text=True, env=environ, timeout=300, check=False
        )
        parts = sorted(Path(folder).glob("results.txt"))
        said = "".join([done.stdout, done.stderr, *(part.read_text("utf-8") for part in parts)])
    target.write_text(said.replace(str(path), path.name), "utf-8")
    supported = done.returncode == 0 and SUPPORTED in said
    return supported, "" if supported else f"polygraphy: expected all supported, see {target.name}"


def controls(trt: Any, folder: Path) -> list[str]:
    """Networks and targets that must be refused, with the node or the reason named; what was not."""
    cases = (
        ("an operator of the CPU alone", "StringNormalizer", "SM86", ("lower", "StringNormalizer")),
        ("a capability that TensorRT-RTX does not know", "MatMul", "SM87", ("SM87",)),
        ("float32 products on SM75", "MatMul", "SM75", ("SM75", "GEMM")),
    )
    problems = []
    for what, operator, capability, named in cases:
        path, spec = _network(folder / f"{operator}.onnx", operator)
        try:
            build(trt, spec, path, BuildOptions(WORKSPACE, targets=(capability,)))
            problems.append(f"control: {what}: expected to be refused, was built")
        except EngineBuildFailed as error:
            if not all(word in error.detail for word in named):
                problems.append(f"control: {what}: expected {' and '.join(named)} to be named, got {error.detail}")
    return problems


def _network(path: Path, operator: str) -> tuple[Path, ModelSpec]:
    """A network of one node, `lower`, with 32 x 32 weights where it multiplies."""
    import numpy as np
    import onnx
    from onnx import helper

    text = operator == "StringNormalizer"
    kind = onnx.TensorProto.STRING if text else onnx.TensorProto.FLOAT
    shape: list[int | str] = ["rows"] if text else ["rows", 32]
    ends = [helper.make_tensor_value_info(name, kind, shape) for name in ("x", "y")]
    weights = [] if text else [onnx.numpy_helper.from_array(np.ones((32, 32), np.float32), "w")]
    node = helper.make_node(operator, ["x", *(tensor.name for tensor in weights)], ["y"], name="lower")
    graph = helper.make_graph([node], "control", ends[:1], ends[1:], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    tensors = [TensorSpec(name, "float32", tuple(shape)) for name in ("x", "y")]
    sizes = ShapeProfile({"rows": 1}, {"rows": 4}, {"rows": 8})
    return path, ModelSpec("control", (tensors[0],), (tensors[1],), profiles=(sizes,))


def told(row: Row) -> list[str]:
    """What to print of a file."""
    took = " ".join(f"{row.seconds[one]:.1f}" for one in CAPABILITIES)
    line = (
        f"{'FAIL' if row.problems else 'ok  '} {row.network:28} {row.precision}  {len(row.plans)} of "
        f"{len(CAPABILITIES)} plans, {max(row.plans.values(), default=0) / 1e6:5.1f} MB, {took} s of CPU  {row.file}"
    )
    return [line, *(f"       {problem}" for problem in row.problems)]


def main() -> int:
    """Build everything, print a line for each file and write build.json; 1 when anything was not built."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True, help="folder of build.json and Polygraphy's reports")
    parser.add_argument("--also", type=Path, nargs=2, metavar=("MODELS", "WORK"), help="further models")
    asked = parser.parse_args()
    out: Path = asked.out
    out.mkdir(parents=True, exist_ok=True)
    stores = [ModelStore(data_dir(load_settings()) / "models", load_manifests(shipped_root()))]
    if asked.also:
        stores.append(ModelStore(asked.also[1] / "models", load_manifests(asked.also[0])))
    with tempfile.TemporaryDirectory() as folder:
        problems = controls(library(), Path(folder))
    problems += [f"{store.root}: expected models, found none" for store in stores if not store.manifests]
    files = sorted((file for store in stores for file in promised(store, problems)), key=lambda file: file.network)
    rows = []
    # Processes, not threads: the library has one logger in each, whose words must not mix.
    with ProcessPoolExecutor(JOBS, mp_context=get_context("spawn")) as pool:
        for row in pool.map(tried, files, repeat(out)):
            rows.append(row)
            print("\n".join(told(row)), flush=True)
    for problem in problems:
        print(f"FAIL {problem}", flush=True)
    tools = {name: metadata.version(name) for name in ("tensorrt-rtx", "polygraphy", "onnx", "numpy")}
    result = {
        "tools": tools,
        "capabilities": CAPABILITIES,
        "files": [asdict(row) for row in rows],
        "problems": problems,
    }
    (out / "build.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return int(bool(problems) or any(row.problems for row in rows) or not rows)


if __name__ == "__main__":
    sys.exit(main())
