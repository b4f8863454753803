"""What the language networks cost: CPU milliseconds on one thread, and resident memory."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from appliance.app.derive import derive
from appliance.artifacts.manifest import load_manifests, shipped_root
from appliance.artifacts.pull import Puller
from appliance.artifacts.store import ModelStore
from appliance.inference.backend import Run
from appliance.inference.onnxruntime import OnnxRuntimeBackend
from appliance.inference.quantise import dynamic
from appliance.language.tagger import Tagger
from appliance.specs import ModelSpec

SEQUENCE = 32
"""Pieces, or characters, of the sentence that is timed."""


def rival(work: Path) -> Path:
    """The 12-layer encoder alone in int8, exported by optimum from the folder of `make models`; kept there."""
    folder = work / "rival"
    target = folder / "model.int8.onnx"
    if not target.is_file():
        from optimum.exporters.onnx import main_export

        main_export(str(work / "encoder"), folder, task="feature-extraction", device="cpu", do_validation=True)
        dynamic(folder / "model.onnx", target)
    return target


def session(path: Path) -> onnxruntime.InferenceSession:
    """One thread, no spinning: as the appliance runs it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def encoder_run(path: Path) -> Callable[[], Any]:
    """One sentence of SEQUENCE pieces through an encoder."""
    loaded = session(path)
    names = {entry.name for entry in loaded.get_inputs()}
    inputs = {"input_ids": np.arange(4, 4 + SEQUENCE)[None], "attention_mask": np.ones((1, SEQUENCE), np.int64)}
    inputs |= {"token_type_ids": np.zeros((1, SEQUENCE), np.int64)}
    chosen = {name: values for name, values in inputs.items() if name in names}
    return lambda: loaded.run(None, chosen)


def timed(runs: Mapping[str, Callable[[], Any]], rounds: int = 15, each: int = 20) -> dict[str, dict[str, float]]:
    """CPU milliseconds of one call, least and median over `rounds` of `each` calls, in turn: all share a mood."""
    for run in runs.values():
        for _ in range(10):
            run()
    found: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            began = time.process_time()
            for _ in range(each):
                run()
            found[name].append((time.process_time() - began) * 1000 / each)
    return {
        name: {"min": round(min(values), 3), "median": round(statistics.median(values), 3)}
        for name, values in found.items()
    }


def run_of(spec: ModelSpec, path: Path) -> Run:
    """The network at `path` as the appliance runs it, on one thread and in the caller's."""
    backend = OnnxRuntimeBackend(spec, path, threads=1)
    backend.load()
    return lambda inputs, /, *, deadline=None: backend.infer(inputs)


def tagger_run(tagger: Tagger, text: str) -> Callable[[], Any]:
    """One sentence through the tagger, the search for the best tags included."""
    return lambda: tagger.find(text, ())


def parameters(path: Path) -> int:
    """Numbers in the weights of a network."""
    import onnx

    return sum(int(np.prod(tensor.dims)) for tensor in onnx.load(str(path)).graph.initializer)


_CHILD = """
import gc
from appliance.app.build import build
from appliance.settings import load_settings
from appliance.values import Turn
with build(load_settings(), senses=()) as appliance:
    for text in {texts!r}:
        appliance.turn(Turn(text))
    gc.collect()
    names = [model for feature in appliance.features() for model in feature.models]
    status = open("/proc/self/status").read()
    print(len(names), next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS")))
"""


def _resident(data: Path, texts: Sequence[str]) -> tuple[int, float]:
    """(Networks in service, resident MB) of an appliance without eyes and ears after these turns, in a child."""
    done = subprocess.run(
        [sys.executable, "-c", _CHILD.format(texts=list(texts))],
        env={**os.environ, "APPLIANCE_DATA_DIR": str(data)},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    models, resident = done.stdout.split()[-2:]
    return int(models), float(resident)


def added_memory(names: Sequence[str], texts: Sequence[str]) -> dict[str, float]:
    """Resident memory with the models `names` installed, less that without any."""
    with tempfile.TemporaryDirectory() as without, tempfile.TemporaryDirectory() as with_:
        store = ModelStore(Path(with_) / "models", load_manifests(shipped_root()))
        for name in names:
            outcome = Puller(store).pull(name)
            if outcome.error:
                raise outcome.error
            derive(store, name)
        none, before = _resident(Path(without), texts)
        served, after = _resident(Path(with_), texts)
    if (none, served) != (0, len(names)):
        raise ValueError(f"expected {len(names)} networks in service and none without files, got {served} and {none}")
    return {"without_mb": round(before, 1), "with_mb": round(after, 1), "added_mb": round(after - before, 1)}
