"""What the precisions of a network give and cost, beside each other and on its own inputs."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from appliance.app import derive
from appliance.inference.onnxruntime import CPU, OnnxRuntimeBackend, library
from export.variants import Network

ROUNDS = 2
"""Times that every case is run; the faster one counts."""
_LEAST = 1e-30
"""Probabilities are not told apart below this."""


def measure(network: Network, files: Mapping[str, Path]) -> dict[str, Any]:
    """Runs, and for each of `files` (one of them `fp32`) bytes, CPU milliseconds of a run, and distance to `fp32`.

    `parity` is the largest difference of a floating output, `differing` the share of whole numbers that differ (None
    without any), both of what the file says (`derive.running`). Time is that of the backend which serves: all run each
    case by turns, each in one thread, whose CPU time counts.
    """
    seconds, apart, differing = (dict.fromkeys(files, 0.0) for _ in range(3))
    runs = whole_numbers = 0
    with ExitStack() as opened:
        spec = network.spec
        written = {label: opened.enter_context(derive.running(spec, path)) for label, path in files.items()}
        serving = {
            label: opened.enter_context(OnnxRuntimeBackend(spec, path, threads=1)) for label, path in files.items()
        }
        for feed in network.feeds():
            taken = dict.fromkeys(files, math.inf)
            for _ in range(ROUNDS):
                for label, backend in serving.items():
                    began = time.thread_time()
                    backend.infer(feed)
                    taken[label] = min(taken[label], time.thread_time() - began)
            outputs = {label: run(feed) for label, run in written.items()}
            runs += 1
            for label, mine in outputs.items():
                seconds[label] += taken[label]
                for name, right in outputs["fp32"].items():
                    if right.dtype.kind == "f":
                        apart[label] = float(np.maximum(apart[label], np.abs(mine[name] - right).max(initial=0)))
                    else:
                        differing[label] += float((mine[name] != right).sum())
            whole_numbers += sum(right.size for right in outputs["fp32"].values() if right.dtype.kind != "f")
    return {
        "runs": runs,
        "files": {
            label: {
                "bytes": path.stat().st_size,
                "cpu_ms": round(1000 * seconds[label] / max(runs, 1), 2),
                "parity": apart[label],
                "differing": differing[label] / whole_numbers if whole_numbers else None,
            }
            for label, path in files.items()
        },
    }


def against_softmax(network: Network, source: Path, path: Path) -> float:
    """How far a recogniser made by `topk` is from its source on the cases, in probabilities and their logarithms.

    The ids are compared by the probabilities that the source gives them, so that two of the same may change places.
    """
    options = library().SessionOptions()
    options.intra_op_num_threads = 1
    whole = library().InferenceSession(str(source), options, providers=[CPU])
    worst = 0.0
    with derive.running(network.spec, path) as run:
        for feed in network.feeds():
            (probabilities,) = whole.run(None, dict(feed))
            best = run(feed)
            chosen = np.take_along_axis(probabilities, best["ids"].astype(np.int64), axis=-1)
            right = -np.sort(-probabilities, axis=-1)[..., : chosen.shape[-1]]
            logarithms = np.maximum(best["logprobs"], math.log(_LEAST)) - np.log(np.maximum(right, _LEAST))
            worst = max(worst, float(np.abs(chosen - right).max()), float(np.abs(logarithms).max()))
    return worst
