"""What every network's file has to bear before it is built on: sizes, versions, onnxslim, and the oldest ONNX Runtime.

For a file that comes as ONNX these stand in place of the export's own comparison with PyTorch.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from appliance.inference import arrive
from appliance.inference.onnxruntime import CPU, library
from appliance.inference.signature import Arrays
from appliance.specs import ModelSpec

APART = 1e-4
"""Most by which a slimmed file's outputs may differ from those of the file itself."""
OLDEST = "1.23.2"
"""The last ONNX Runtime for the Python of JetPack 6."""
OLDEST_PYTHON = Path(f"{sys.prefix.removesuffix('-export')}-ort1232") / "bin" / "python"
"""Where the Makefile puts it: in an environment of its own beside this one."""
_RUNS = """\
import json, sys, numpy, onnxruntime
file, given, taken = sys.argv[1:]
session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
with numpy.load(given) as inputs:
    numpy.savez(taken, *session.run(None, dict(inputs)))
print(json.dumps(onnxruntime.__version__))
"""


@dataclass(frozen=True, slots=True)
class Slim:
    """What onnxslim makes of a file."""

    size: int
    """Bytes; 0 where it could not be made."""
    difference: float
    """Largest difference of its outputs to those of the file itself; nan where it was not compared."""
    why: str
    """Why it is not used; empty where it is."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What is known of a file that passed."""

    opset: int
    """Version of ONNX's operators."""
    ir: int
    """Version of the file format."""
    shapes: int
    """Sizes at which it ran."""
    slim: Slim
    """What onnxslim makes of it."""
    oldest: float | None
    """Largest difference on the oldest ONNX Runtime; None where there is no such environment."""


def sizes_of(spec: ModelSpec) -> list[dict[str, int]]:
    """Each profile's minimum, optimum, and a size between that is none of a profile's own.

    An axis may only have some sizes, such as multiples of 32: every size that the profiles name is a multiple of those.
    """
    found: list[dict[str, int]] = []
    named = [dict(sizes) for p in spec.profiles for sizes in (p.minimum, p.optimum, p.maximum)]
    steps = {axis: math.gcd(*(sizes[axis] for sizes in named)) for axis in (named[0] if named else {})}
    for profile in spec.profiles:
        between = {}
        for axis, step in steps.items():
            least, most = profile.minimum[axis], profile.maximum[axis]
            # About a third of the way, and an odd number of steps in all: what halves sizes has something to round.
            between[axis] = min(most, ((least + (most - least) // 3) // step | 1) * step)
        found += [dict(profile.minimum), dict(profile.optimum), between]
    return [sizes for at, sizes in enumerate(found) if sizes not in found[:at]] or [{}]


def inputs_at(spec: ModelSpec, sizes: Mapping[str, int]) -> dict[str, npt.NDArray[Any]]:
    """Noise from 0 to 1 where inputs are floating, and zeros and ones where they count or index, none of them empty."""
    draw = np.random.default_rng(sum(sizes.values()))
    found = {}
    for name, zeros in spec.zeros(sizes).items():
        values = draw.random(zeros.shape) if zeros.dtype.kind == "f" else draw.integers(0, 2, zeros.shape)
        values[..., :1] = 1  # a mask that hides everything is no sentence
        found[name] = values.astype(zeros.dtype)
    return found


def check(spec: ModelSpec, path: Path, slim_to: Path) -> Arrival:
    """Check the file at `path`, whose inputs are those of `spec`; write onnxslim's result to `slim_to` if it is better.

    Raises ModelMismatch for an opset or an IR that is too new, ValueError when the oldest ONNX Runtime gives other
    outputs, OSError and BackendFailed when the file cannot be read or run.
    """
    model = arrive.read(path)
    inputs = [inputs_at(spec, sizes) for sizes in sizes_of(spec)]
    whole = list(_outputs(path, inputs))
    slim = _slim(path, slim_to, inputs, whole)
    return Arrival(arrive.opset(model), model.ir_version, len(inputs), slim, on_oldest(spec, path))


def difference(ours: Iterable[list[Any]], theirs: Iterable[list[Any]]) -> float:
    """The largest difference between outputs of the same runs: inf where whole numbers differ or shapes do."""
    worst = 0.0
    for mine, other in zip(ours, theirs, strict=True):
        for a, b in zip(mine, other, strict=True):
            if a.shape != b.shape or (a.dtype.kind != "f" and not np.array_equal(a, b)):
                return math.inf
            worst = max(worst, float(np.abs(a.astype(np.float64) - b).max(initial=0)))
    return worst


def _outputs(path: Path, inputs: Iterable[Arrays]) -> Iterator[list[Any]]:
    options = library().SessionOptions()
    options.log_severity_level, options.enable_mem_pattern = 4, False
    options.intra_op_num_threads = 1  # whoever else computes here must not make threads wait for each other
    session = library().InferenceSession(str(path), options, providers=[CPU])
    for feed in inputs:
        yield session.run(None, dict(feed))


def _slim(path: Path, target: Path, inputs: list[Any], whole: list[list[Any]]) -> Slim:
    """Make it, compare it and keep it where it gives the same and is not larger."""
    import onnx
    import onnxslim

    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        onnx.save(onnxslim.slim(str(path)), str(target))
        apart = difference(_outputs(target, inputs), whole)
    except Exception as error:  # noqa: BLE001  # it may fail in any way: then the file stays what it is
        target.unlink(missing_ok=True)
        return Slim(0, math.nan, f"{type(error).__name__}: {error}".splitlines()[0][:200])
    size, before = target.stat().st_size, path.stat().st_size
    why = ""
    if not apart <= APART:
        why = f"its outputs differ by {apart:.2e}"
    elif size > before:
        why = f"it is larger, {size / 1e6:.1f} MB for {before / 1e6:.1f} MB"
    if why:
        target.unlink()
    return Slim(size, apart, why)


def on_oldest(spec: ModelSpec, path: Path) -> float | None:
    """The largest difference of the file's outputs on the oldest ONNX Runtime; None without its environment.

    Raises ValueError when it does not run there, or gives others.
    """
    if not OLDEST_PYTHON.exists():
        return None
    inputs = inputs_at(spec, sizes_of(spec)[0])
    (whole,) = _outputs(path, [inputs])
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    with tempfile.TemporaryDirectory() as folder:
        given, taken = Path(folder) / "in.npz", Path(folder) / "out.npz"
        np.savez(given, **inputs)
        done = subprocess.run(
            [OLDEST_PYTHON, "-c", _RUNS, path, given, taken], capture_output=True, text=True, check=False, env=environ
        )
        if done.returncode:
            said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
            raise ValueError(f"{path.name}: expected to run on ONNX Runtime {OLDEST}, got {said}")
        version = json.loads(done.stdout.splitlines()[-1])
        with np.load(taken) as loaded:
            found = [loaded[f"arr_{number}"] for number in range(len(whole))]
    same = all(np.allclose(a, b, rtol=1e-3, atol=1e-4) for a, b in zip(found, whole, strict=True))
    if version != OLDEST or not same:
        raise ValueError(f"{path.name}: expected the same outputs on ONNX Runtime {OLDEST}, got others on {version}")
    return difference([found], [whole])
