"""This project's reader in a process of its own: `python -m benchmarks.ocr.ours off|on` (page orientation).

Built as `appliance serve` builds it, from the installed models, with one thread; the settings of the environment do not
count, but for APPLIANCE_DATA_DIR.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from benchmarks.ocr.child import Text, serve, sha256

WEIGHTS = {"det": "detector.onnx", "rec": "recogniser.onnx", "cls": "orientation.onnx"}

ORIENTATION = {"off": False, "on": True}


def start(orientation: str) -> tuple[Callable[[Path], Text], dict[str, str], dict[str, str]]:
    """Build the reader; page orientation is `on` or `off`."""
    import cv2

    from appliance.app.memory import bound_heap
    from appliance.app.networks import Networks
    from appliance.app.senses import OCR_MODEL, build_reader
    from appliance.artifacts.manifest import load_manifests, shipped_root
    from appliance.artifacts.store import ModelStore
    from appliance.inference.scheduler import Scheduler
    from appliance.listener import silent
    from appliance.settings import data_dir, load_settings
    from appliance.vision.image import decode, probe

    cv2.setNumThreads(1)
    bound_heap()
    where = {name: value for name, value in os.environ.items() if name == "APPLIANCE_DATA_DIR"}
    chosen = {"onnxruntime_threads": 1, "backends": "onnxruntime-cpu", "ocr_orientation": ORIENTATION[orientation]}
    settings = load_settings(environ=where, overrides=chosen)
    manifests = load_manifests(shipped_root())
    store = ModelStore(data_dir(settings) / "models", manifests)
    scheduler = Scheduler(listener=silent)
    scheduler.__enter__()  # until the process ends
    sense = build_reader(Networks(manifests, store, settings, scheduler, silent), store, manifests, settings, silent)
    reader, feature = sense.reader, sense.feature()
    if reader is None or feature.state != "ready":
        raise SystemExit(f"expected the networks to read, got {feature.state}: {feature.reason}")

    def read(path: Path) -> Text:
        began = time.perf_counter()
        data = path.read_bytes()
        pixels = decode(data, max_bytes=settings.max_image_bytes, max_pixels=settings.max_image_pixels)
        decoded = (time.perf_counter() - began) * 1000
        found = reader.read(pixels, size=probe(data).upright)
        return Text([line.text for line in found.lines], {"decode": decoded, **found.timings_ms}, found.angle)

    weights = {role: sha256(store.path(OCR_MODEL, file)) for role, file in WEIGHTS.items()}
    return read, weights, {"edge-inference-appliance": version("edge-inference-appliance")}


if __name__ == "__main__":
    serve(f"ours-{sys.argv[1]}", lambda: start(sys.argv[1]))
