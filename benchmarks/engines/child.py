"""One row in a process of its own, so that its memory is its own: loaded, warmed, scored and timed on request.

A line of JSON asks, a line of JSON answers, an error among the answers. The first answer says how loading went.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from appliance.app import gates
from appliance.app.engines import BACKEND as TENSORRT
from appliance.app.engines import Engines
from appliance.artifacts.derived import network_path, place, record_of
from appliance.artifacts.engines import EngineStore
from appliance.artifacts.manifest import load_manifests
from appliance.artifacts.store import ModelStore
from appliance.errors import ApplianceError, ModelMissing
from appliance.inference.backend import Backend
from appliance.inference.onnxruntime import OnnxRuntimeBackend, library
from appliance.inference.tensorrt.memory import Device, Opener, open_device
from appliance.settings import data_dir, load_settings
from appliance.specs import DTYPES, ModelSpec
from benchmarks.engines.plan import CPU_BACKEND, ITSELF, Subject
from benchmarks.ocr.child import peak_mb

SEED = 7
LEAST_RUNS = 1
"""Runs of a shape in one round, however long one takes."""


class Session:
    """One network loaded on one backend; `answer` takes requests until it is closed."""

    def __init__(
        self, subject: Subject, store: ModelStore, engines: Engines, threads: int, device: Opener = open_device
    ) -> None:
        """Nothing is loaded yet; `device` says how much of its memory is free."""
        self.subject, self._store, self._open = subject, store, device
        self._spec = store.manifest(subject.model).network(subject.file)
        self._backend = made(subject, store, engines, threads)
        self._device: Device | None = None
        self._inputs: dict[str, Any] = {}

    def load(self) -> dict[str, Any]:
        """Load and warm; what is known of it now. Raises ApplianceError when it does not serve."""
        if self.subject.backend != CPU_BACKEND:
            with suppress(ApplianceError):  # without it nobody says how much memory is free; the context is its, too
                self._device = self._open()
        if self.subject.backend != TENSORRT:
            library()  # its own memory is not the network's
        gc.collect()
        self._before = self._memory()
        self._backend.load()
        self._backend.infer(self._spec.zeros())
        info = self._backend.describe()
        return {
            "load_ms": info.load_ms,
            "warm_ms": info.warm_ms,
            "sha256": info.sha256,
            "device": info.device,
            "provider": info.provider,
            "version": info.version,
        }

    def answer(self, ask: Mapping[str, Any]) -> dict[str, Any]:
        """Time `sizes` for `seconds`, `score`, or say the `memory`. Raises ApplianceError."""
        if "sizes" in ask:
            return self._timed(ask["sizes"], ask["seconds"])
        if ask.get("score"):
            return {"value": self._scored()}
        before, after = self._before, self._memory()
        return {
            "resident_mb": after["resident_mb"] - before["resident_mb"],
            "peak_mb": peak_mb() - before["resident_mb"],
            "device_mb": before["free_mb"] - after["free_mb"] if self._device else None,
        }

    def close(self) -> None:
        """Release everything."""
        self._backend.close()
        if self._device is not None:
            self._device.close()

    def _timed(self, sizes: Mapping[str, int], seconds: float) -> dict[str, Any]:
        key = json.dumps(sizes, sort_keys=True)
        if key not in self._inputs:
            self._inputs = {key: inputs(self._spec, sizes)}  # only the newest: the largest ones are large
        given, taken = self._inputs[key], list[float]()
        began, cpu = time.perf_counter(), time.process_time()
        while len(taken) < LEAST_RUNS or time.perf_counter() - began < seconds:
            started = time.perf_counter()
            self._backend.infer(given)
            taken.append((time.perf_counter() - started) * 1000)
        return {"ms": taken, "elapsed_s": time.perf_counter() - began, "cpu_s": time.process_time() - cpu}

    def _scored(self) -> float:
        manifest = self._store.manifest(self.subject.model)
        folder = self._store.folder(self.subject.model)
        return gates.score(
            lambda inputs, /, *, deadline=None: self._backend.infer(inputs), self._spec, manifest.cases(), folder
        )

    def _memory(self) -> dict[str, float]:
        free = 0.0
        if self._device is not None:
            with self._device.current():
                free = self._device.free_bytes() / 1e6
        return {"resident_mb": resident_mb(), "free_mb": free}


def made(subject: Subject, store: ModelStore, engines: Engines, threads: int) -> Backend:
    """The backend of a row, not loaded. Raises ApplianceError when there is no file or engine for it."""
    manifest = store.manifest(subject.model)
    if subject.backend == TENSORRT:
        candidates = engines.candidates(manifest, subject.file)
        fitting = [one for one in candidates if one.name in (subject.label, TENSORRT)]
        return fitting[0].make()
    path = network_path(store, subject.model, subject.file)
    if subject.precision != ITSELF:
        of_backend = [each for each in manifest.derived.get(subject.file, ()) if each.backend == subject.backend]
        chosen = next((each for each in of_backend if each.precision == subject.precision), None)
        if chosen is None:
            raise ModelMissing(f"{subject.network}: expected {subject.label} in its manifest, got none")
        record_of(store, subject.model, subject.file, chosen)
        path = place(store, subject.model, subject.file, chosen)
    device = subject.backend.rpartition("-")[2]
    return OnnxRuntimeBackend(manifest.network(subject.file), path, device=device, threads=threads)


def inputs(spec: ModelSpec, sizes: Mapping[str, int]) -> dict[str, npt.NDArray[np.generic]]:
    """Inputs of these sizes: numbers from 0 to 1, the same each time, and ones where whole numbers are wanted.

    Ones are a piece, a character or a mask that every vocabulary here has; zeros would mask a whole sentence.
    """
    random = np.random.default_rng(SEED)
    found: dict[str, npt.NDArray[np.generic]] = {}
    for tensor, zeros in zip(spec.inputs, spec.zeros(sizes).values(), strict=True):
        kind = DTYPES[tensor.dtype]
        found[tensor.name] = (
            random.random(zeros.shape, np.float32).astype(kind)
            if np.issubdtype(kind, np.floating)
            else np.ones(zeros.shape, kind)
        )
    return found


def resident_mb() -> float:
    """Resident memory of this process now, in 10^6 bytes."""
    import psutil

    return float(psutil.Process().memory_info().rss) / 1e6


def serve(subject: Subject, manifests: Path, threads: int, answers: IO[str], asked: IO[str]) -> None:
    """Load the row's network and answer until nobody asks any more."""

    def say(answer: Mapping[str, Any]) -> None:
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    settings = load_settings()
    folder = data_dir(settings)
    store = ModelStore(folder / "models", load_manifests(manifests))
    session = None
    try:
        session = Session(subject, store, Engines(EngineStore(folder / "engines"), store, settings), threads)
        say(session.load())
        for line in asked:
            try:
                say(session.answer(json.loads(line)))
            except ApplianceError as error:  # one shape may be too large for the device, and the next one not
                say(_refused(error))
    except ApplianceError as error:
        say(_refused(error))
    finally:
        if session is not None:
            session.close()


def _refused(error: ApplianceError) -> dict[str, str]:
    return {"error": error.code, "detail": error.detail, "remedy": error.remedy}


def main() -> None:
    """Serve what the arguments name: a subject and options as JSON."""
    told = json.loads(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints
    serve(Subject(**told["subject"]), Path(told["manifests"]), told["threads"], answers, sys.stdin)


if __name__ == "__main__":
    main()
