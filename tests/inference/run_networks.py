"""Runs networks with whatever ONNX Runtime this interpreter has: `python run_networks.py JOBS.json`.

JOBS.json lists {"network", "inputs", "outputs"}: an .onnx file, an .npz to read and an .npz to write. The versions are
printed as JSON. Needs numpy and onnxruntime only, so that an old environment can run it without the appliance.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime


def main() -> None:
    for job in json.loads(Path(sys.argv[1]).read_text("utf-8")):
        session = onnxruntime.InferenceSession(job["network"], providers=["CPUExecutionProvider"])
        with np.load(job["inputs"]) as inputs:
            values = session.run(None, dict(inputs))
        names = [output.name for output in session.get_outputs()]
        # A tensor's name may hold a slash, which a zip member had better not: outputs go by number, names beside them.
        arrays = {f"output{n}": value for n, value in enumerate(values)}
        np.savez(job["outputs"], names=np.array(names), **arrays)
    print(json.dumps({"onnxruntime": onnxruntime.__version__, "numpy": np.__version__}))


if __name__ == "__main__":
    main()
