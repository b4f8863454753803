"""How large the values in a network become on real inputs, and whether halves can hold them.

A float16 file that overflows scores as well as its source on ONNX Runtime's CPU, which computes it in float32. So the
source is looked into instead: every value that would be a half, weights too, has to stay below a quarter of the largest
half (`halve.LIMIT`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from appliance.errors import BackendFailed, GateRefused
from appliance.inference.arrive import read
from appliance.inference.halve import LIMIT, bounded, narrow
from appliance.inference.onnxruntime import CPU, library
from appliance.inference.wide import widened

Feeds = Iterable[Mapping[str, npt.NDArray[Any]]]
"""Inputs by name, one mapping for each run."""

SHOWN = 5
"""Values that a refusal names, the worst first."""


def check(source: Path, feeds: Feeds, *, limit: float = LIMIT) -> Mapping[str, float]:
    """What `largest` finds in the network at `source`, when halves hold it.

    Raises GateRefused naming the worst values when one is not finite or above `limit`, or when there were no inputs;
    OSError, and BackendFailed when the network cannot be read or run, or could not be halved.
    """
    found = largest(bounded(widened(read(source))), feeds)
    worst = sorted(found, key=lambda name: -found[name] if found[name] == found[name] else -np.inf)
    beyond = [f"{name} {found[name]:g}" for name in worst if not found[name] <= limit]
    if beyond:
        more = f" and {len(beyond) - SHOWN} more" if len(beyond) > SHOWN else ""
        raise GateRefused(
            f"{source.name}: expected values of at most {limit:g} on the model's cases, which float16 can hold, "
            f"got {', '.join(beyond[:SHOWN])}{more}"
        )
    return found


def largest(model: Any, feeds: Feeds) -> dict[str, float]:
    """The largest absolute value that each value of a float32 network has, of those that would be halves, by name.

    `feeds` are real inputs; nan and inf stand for themselves. `model` (an onnx.ModelProto) stays as it is. Raises
    GateRefused and BackendFailed as `check` does.
    """
    from onnx import numpy_helper

    halves = narrow(model)
    weights = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer if t.name in halves}
    found = peaks(model, halves - set(weights), feeds)
    if not found:
        raise GateRefused(f"{model.graph.name}: expected inputs to look at the values on, got none")
    return found | {name: float(np.abs(array).max(initial=0)) for name, array in weights.items()}


def peaks(model: Any, wanted: Collection[str], feeds: Feeds) -> dict[str, float]:
    """The largest absolute value that each of the `wanted` float32 values has over all `feeds`; none without any.

    `model` (an onnx.ModelProto) stays as it is. Raises BackendFailed when it does not run on the feeds.
    """
    graph = model.graph
    made = [*(value.name for value in graph.input), *(name for node in graph.node for name in node.output)]
    names = [name for name in made if name in wanted]
    if not names:
        return {}
    found: dict[str, float] = {}
    runtime = library()
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    options.enable_mem_pattern = False
    # Fused, values would not come to be.
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = runtime.InferenceSession(_measuring(model, names).SerializeToString(), options, providers=[CPU])
        outputs = [f"range_{at}_{what}" for at in range(len(names)) for what in ("max", "sum")]
        for feed in feeds:
            measured = np.array(session.run(outputs, dict(feed)), np.float64).reshape(len(names), 2)
            for name, (most, total) in zip(names, measured.tolist(), strict=True):
                # The total is not finite when one of the values is not; the most may pass over a nan.
                found[name] = float(np.maximum(found.get(name, 0.0), most if np.isfinite(total) else total))
    except Exception as error:  # ONNX Runtime's errors share no type
        raise BackendFailed(
            f"{graph.name}: expected a network that runs on its cases, got {type(error).__name__}: {error}"
        ) from error
    return found


def _measuring(model: Any, names: list[str]) -> Any:
    """`model` with two numbers more for each named value: the largest absolute one, and the sum of all absolute ones.

    Numbers instead of the values themselves: all values of the detector on a page take gigabytes. ONNX Runtime visits
    what nothing reads from the last node backwards, so the last name comes first: a value is measured when it is made,
    and its memory is free again. In the other order (measured on the detector) a check takes 2.0 GB instead of 0.4.
    """
    from onnx import ModelProto, TensorProto, helper

    probe = ModelProto()
    probe.CopyFrom(model)
    graph = probe.graph
    for at in reversed(range(len(names))):
        graph.node.append(helper.make_node("Abs", [names[at]], [f"range_{at}_abs"]))
        graph.node.append(helper.make_node("ReduceMax", [f"range_{at}_abs"], [f"range_{at}_max"], keepdims=0))
        graph.node.append(helper.make_node("ReduceL1", [names[at]], [f"range_{at}_sum"], keepdims=0))
        for what in ("max", "sum"):
            graph.output.append(helper.make_tensor_value_info(f"range_{at}_{what}", TensorProto.FLOAT, []))
    return probe
