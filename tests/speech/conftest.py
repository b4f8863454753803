"""Fixtures of the speech tests: the real VAD network, a fake vosk, and a real Vosk model where one is given."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.artifacts.manifest import load_manifests, shipped_root
from appliance.artifacts.store import ModelStore
from appliance.errors import ModelMissing
from appliance.inference.backend import Run
from appliance.inference.onnxruntime import OnnxRuntimeBackend
from appliance.settings import data_dir, load_settings
from appliance.speech.vad import Vad

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # tests are no packages: this is how they share sounds


@pytest.fixture(scope="session")
def vad_run() -> Iterator[Run]:
    """The installed Silero network on ONNX Runtime, one thread."""
    manifests = load_manifests(shipped_root())
    store = ModelStore(data_dir(load_settings()) / "models", manifests)
    try:
        path = store.path("silero-vad", "vad.onnx")
    except ModelMissing:
        sentence = "silero-vad is not installed: run `appliance models pull silero-vad`"
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)
    with OnnxRuntimeBackend(manifests["silero-vad"].network("vad.onnx"), path, threads=1) as backend:
        yield lambda inputs, /, *, deadline=None: backend.infer(inputs)


@pytest.fixture(scope="session")
def vad(vad_run: Run) -> Vad:
    return Vad(vad_run)


@pytest.fixture
def fake_vosk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts the fake vosk package before the real one, in this process and in its children."""
    monkeypatch.syspath_prepend(HERE / "fakes")
    monkeypatch.delitem(sys.modules, "vosk", raising=False)
