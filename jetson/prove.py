"""Proves a library in the environment that serves: `prove.py CUDAExecutionProvider|CPUExecutionProvider|tensorrt`.

ONNX Runtime names providers that it cannot use, falls back in silence, and its wheels may hold no code for a board's
GPU. So a shipped network is computed by the provider and on the CPU; the results have to agree, and the profile has to
say that the provider computed the convolutions. Run by the installer. Exit code 1 when it was not so.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

NETWORK = "ctc-pinyin-zh/acoustic.onnx"
"""Small, float32, fifteen convolutions; it is installed with the package."""
FRAMES = 67
CPU = "CPUExecutionProvider"
DIFFERENCE = 5e-2
"""Largest difference of a log probability: a GPU multiplies in TF32."""


class Refused(Exception):
    """What was expected and what came."""


def network() -> Path:
    """The network's file in the package that is installed here."""
    from appliance.artifacts.manifest import shipped_root

    return Path(shipped_root()) / NETWORK


def computed(file: Path, provider: str) -> tuple[list[object], Counter[str], float]:
    """Outputs by `provider`, how many convolutions each provider computed, and seconds of the second run."""
    import numpy as np
    import onnxruntime

    if provider not in onnxruntime.get_available_providers():
        raise Refused(f"expected {provider}, the library offers {', '.join(onnxruntime.get_available_providers())}")
    options = onnxruntime.SessionOptions()
    options.enable_profiling = True
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = onnxruntime.InferenceSession(
            str(file), options, providers=[provider], **({} if provider == CPU else {"enable_fallback": 0})
        )
        if session.get_providers()[0] != provider:
            raise Refused(f"expected {provider}, the session has {', '.join(session.get_providers())}")
        random = np.random.default_rng(7)
        inputs = {
            one.name: random.normal(size=[side if isinstance(side, int) else FRAMES for side in one.shape]).astype("f4")
            for one in session.get_inputs()
        }
        session.run(None, inputs)
        begin = time.perf_counter()
        outputs = session.run(None, inputs)
        took = time.perf_counter() - begin
        events = json.loads(Path(session.end_profiling()).read_text("utf-8"))
    where = {
        (event["name"], event["args"].get("provider", "?"))
        for event in events
        if event["name"].endswith("_kernel_time") and event["args"].get("op_name") in ("Conv", "FusedConv")
    }
    return outputs, Counter(provider for _, provider in where), took


def prove(provider: str, file: Path | None = None) -> str:
    """One line that says what was seen. Raises Refused."""
    import numpy as np

    file = file or network()
    outputs, by, took = computed(file, provider)
    expected, _, on_cpu = computed(file, CPU)
    apart = max(float(np.abs(np.asarray(a) - np.asarray(b)).max()) for a, b in zip(outputs, expected, strict=True))
    if not by or set(by) != {provider}:
        raise Refused(f"expected every convolution on {provider}, got {dict(by) or 'none'}")
    if not apart <= DIFFERENCE:
        raise Refused(f"expected results within {DIFFERENCE} of the CPU's, got {apart}")
    times = f"{took * 1e3:.1f} ms (CPU {on_cpu * 1e3:.1f} ms)"
    return f"{provider}: {sum(by.values())} convolutions, {times}, difference {apart:.1e}"


def main(arguments: list[str]) -> int:
    """Print what was seen; 1 and why when it is not what is needed, 2 for wrong usage."""
    if len(arguments) != 1 or arguments[0] not in ("CUDAExecutionProvider", CPU, "tensorrt"):
        print(__doc__.splitlines()[0], file=sys.stderr)
        return 2
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        if arguments[0] == "tensorrt":
            import tensorrt

            print(tensorrt.__version__)
        else:
            print(prove(arguments[0]))
    except Exception as error:  # noqa: BLE001 - whatever a foreign library comes with, the installer wants one line
        print(f"{arguments[0]}: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
