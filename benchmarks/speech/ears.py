"""Recognisers by a word on the command line, each as the appliance hears with it.

`installed`: what the appliance would serve with, from its data folder. `model:NAME`: one of the models in that folder,
shipped or imported, whether it would serve or not. `vosk:FOLDER`: a Vosk model's folder.
`factory:MODULE:NAME`: what that function makes of (language, threads), for anything else that keeps `asr.Recogniser`.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from appliance.app.networks import Networks
from appliance.app.senses import VAD_MODEL, build_hearing
from appliance.artifacts.imported import load_imported
from appliance.artifacts.manifest import load_manifests, shipped_root
from appliance.artifacts.store import ModelStore
from appliance.errors import ApplianceError, ModelMissing
from appliance.inference.scheduler import Scheduler
from appliance.listener import silent
from appliance.settings import data_dir, load_settings
from appliance.speech.asr import Recogniser
from appliance.speech.ctc import load
from appliance.speech.ctc.stream import CtcStreaming
from appliance.speech.hear import DEMO, Hearing, Limits
from appliance.speech.hear import MODELS as VOSK_MODELS
from appliance.speech.vad import Vad
from appliance.speech.vosk import VoskRecogniser

INSTALLED = "installed"
LIMITS = Limits(max_seconds=600.0, max_bytes=1 << 28)
"""Recordings of a benchmark may be longer than a customer's."""


@contextmanager
def opened(spec: str, language: str, threads: int, *, detect: bool = True) -> Iterator[Hearing]:
    """Hearing in `language` by the recogniser that `spec` names, on `threads` threads; closed after the block.

    `detect` finds speech first, as the appliance does. Ends the program, saying why, when nothing hears.
    """
    settings = load_settings(overrides={"onnxruntime_threads": threads, "backends": "onnxruntime-cpu"})
    root = data_dir(settings) / "models"
    manifests = load_imported(root)[0] | load_manifests(shipped_root())
    store = ModelStore(root, manifests)
    with ExitStack() as stack:
        scheduler = stack.enter_context(Scheduler(listener=silent))
        networks = Networks(manifests, store, settings, scheduler, silent)
        stack.callback(networks.close)
        if spec == INSTALLED:
            hears = build_hearing(networks, store, manifests, None, settings, silent)
            for close in hears.closing:
                stack.callback(close)
            if language not in hears.hearing.recognisers:
                reasons = "; ".join(feature.reason for feature in hears.features() if feature.name == "asr")
                raise SystemExit(f"{spec}: expected an installed recogniser for {language}, got none: {reasons}")
            yield Hearing(hears.hearing.vad if detect else None, hears.hearing.recognisers, limits=LIMITS)
            return
        kind, _, name = spec.partition(":")
        try:
            recogniser = _named(name, language, networks, store) if kind == "model" else _made(spec, language, threads)
        except ApplianceError as error:
            raise SystemExit(f"{spec}: {error.account}") from error
        stack.callback(recogniser.close)
        network = networks.load(VAD_MODEL, "vad.onnx") if detect else None
        vad = Vad(network.run) if network is not None and network.run is not None else None
        if detect and vad is None:
            raise SystemExit(
                f"{spec}: expected {VAD_MODEL} to find speech, got none; run: appliance models pull {VAD_MODEL}"
            )
        yield Hearing(vad, {language: recogniser}, limits=LIMITS)


def _named(name: str, language: str, networks: Networks, store: ModelStore) -> Recogniser:
    folder = store.folder(name)
    if name in VOSK_MODELS.values():
        shipped = VoskRecogniser(folder, language=language, name=name, rehearsed=True)
        shipped.load()
        return shipped
    if name == DEMO:
        network = networks.load(name, "acoustic.onnx")
        if network.run is None:
            raise ModelMissing("; ".join(network.refusals(name)))
        return CtcStreaming(network.run, folder, name=name, language=language)
    return load.recogniser(folder, store.manifest(name), lambda file: networks.load(name, file).run, language=language)


def _made(spec: str, language: str, threads: int) -> Recogniser:
    kind, _, rest = spec.partition(":")
    if kind == "vosk" and rest:
        folder = Path(rest)
        recogniser = VoskRecogniser(folder, language=language, name=folder.name)
        recogniser.load()
        return recogniser
    module, _, name = rest.partition(":")
    if kind == "factory" and module and name:
        made: Recogniser = getattr(importlib.import_module(module), name)(language, threads)
        return made
    raise SystemExit(
        f"--recogniser: expected {INSTALLED}, model:NAME, vosk:FOLDER or factory:MODULE:NAME, got {spec!r}"
    )
