"""Builds reading and hearing from installed models, down the rungs of the fallback, with the reason at each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from appliance.app.eyes import Eyes
from appliance.app.networks import Networks, said, why
from appliance.app.recognisers import Recognisers
from appliance.app.rooms import Reads
from appliance.artifacts.manifest import Manifest
from appliance.artifacts.store import ModelStore
from appliance.errors import ApplianceError, ModelMismatch
from appliance.inference.backend import Run
from appliance.inference.scheduler import Priority
from appliance.listener import Listener
from appliance.packs.schema import Pack
from appliance.settings import Settings
from appliance.speech.asr import Streaming
from appliance.speech.hear import Hearing, Limits
from appliance.speech.vad import Vad
from appliance.values import Feature, statements
from appliance.vision.reader import Reader
from appliance.vision.recognise import alphabet
from appliance.vision.tesseract import TesseractReader

OCR_MODEL = "pp-ocrv6-small"
RECOGNISER = "recogniser.topk.onnx"
VAD_MODEL = "silero-vad"


@dataclass(frozen=True, slots=True)
class Sense:
    """A reader with the feature that describes it."""

    reader: Reads | None
    """Reads images; None when nothing does."""
    feature: Callable[[], Feature]
    """Its state now and why."""
    limit: Callable[[float], None] | None = None
    """Lets the detector see that share of its pixels; None where no detector serves."""


@dataclass(frozen=True, slots=True)
class Hears:
    """Hearing with the features that describe it."""

    hearing: Hearing
    """Hears, or raises Unavailable naming what to run."""
    features: Callable[[], tuple[Feature, ...]]
    """States of `vad` and `asr` now."""
    vad: Run | None = None
    """The network that finds speech; None where it does not serve."""
    streaming: Mapping[str, Streaming] = field(default_factory=dict)
    """A recogniser of sound as it comes for each language."""
    closing: tuple[Callable[[], None], ...] = ()
    """What releases the recognisers."""
    lighten: Callable[[bool], dict[str, str]] | None = None
    """Has lighter recognisers hear, or again the best; None where nothing hears."""


def model_ids(manifests: Mapping[str, Manifest], *names: str) -> tuple[str, ...]:
    """`name@digest` of each model, as /readyz shows it."""
    return tuple(f"{name}@{manifests[name].digest}" for name in names if name in manifests)


def build_reader(
    networks: Networks, store: ModelStore, manifests: Mapping[str, Manifest], settings: Settings, listener: Listener
) -> Sense:
    """The networks' reader; tesseract when they do not serve; nothing when it is missing too."""
    try:
        characters = store.path(OCR_MODEL, "characters.txt").read_text("utf-8").removesuffix("\n").split("\n")
        how, got = store.manifest(OCR_MODEL).prepared.get(RECOGNISER), len(alphabet(characters))
        if how is not None and got != how.classes:  # a run would tell only when it meets a class beyond the last text
            raise ModelMismatch(f"{OCR_MODEL}: expected texts of {how.classes} classes, got {got}")
    except (ApplianceError, OSError) as error:
        return _fallback_reader([f"characters.txt: {said(error, store)}"])
    detector = networks.load(OCR_MODEL, "detector.onnx")
    recogniser = networks.load(OCR_MODEL, RECOGNISER)
    if detector.run is None or recogniser.run is None:
        for network in (detector, recogniser):  # half a reader only costs memory
            networks.release(network)
        refused = [network for network in (detector, recogniser) if network.run is None]
        return _fallback_reader([statement for network in refused for statement in network.refusals(network.file)])
    orienter = networks.load(OCR_MODEL, "orientation.onnx")
    used = (detector, recogniser, orienter)

    def backends() -> str:
        return "+".join(sorted({detector.backend, recogniser.backend}))

    def feature() -> Feature:
        reason = why(used)
        if orienter.run is None:
            reason.append("orientation: 倒置的行按原样识别 / lines that stand upside down are read as they are")
        ready = orienter.run is not None and not any(network.demoted for network in used)
        models = model_ids(manifests, OCR_MODEL)
        return Feature("ocr", "ready" if ready else "fallback", backends(), statements(reason), models=models)

    reader = Reader(
        detector.run,
        recogniser.run,
        orienter.run,
        characters,
        name=lambda: f"{OCR_MODEL}/{backends()}",
        max_side=settings.ocr_max_side,
        orientation=settings.ocr_orientation,
    )
    eyes = Eyes(reader, _tesseract, feature, listener=listener)
    return Sense(eyes, lambda: eyes.feature, reader.limit)


def _tesseract() -> TesseractReader:
    reader = TesseractReader()
    reader.probe()
    return reader


def _fallback_reader(refused: list[str]) -> Sense:
    reader = TesseractReader()
    try:
        version = reader.probe()
    except ApplianceError as error:
        off = Feature("ocr", "off", "none", statements([*refused, f"tesseract: {error.account}"]))
        return Sense(None, lambda: off)
    instead = f"tesseract: 由 {version} 代为识别 / {version} reads instead"
    fallback = Feature("ocr", "fallback", "tesseract", statements([instead, *refused]))
    return Sense(reader, lambda: fallback)


def build_hearing(
    networks: Networks,
    store: ModelStore,
    manifests: dict[str, Manifest],
    pack: Pack | None,
    settings: Settings,
    listener: Listener,
) -> Hears:
    """Speech detection and the recognisers that are installed; names of `pack` are likelier heard."""
    network = networks.load(VAD_MODEL, "vad.onnx", Priority.HIGH)
    vad = Vad(network.run) if network.run is not None else None

    def detecting() -> Feature:
        found = "off" if vad is None else "fallback" if network.demoted else "ready"
        reason, models = statements(why((network,))), model_ids(manifests, VAD_MODEL)
        return Feature("vad", found, network.backend, reason, models=models)

    recognisers = Recognisers(networks, store, manifests, pack, listener)
    recognisers.load()
    recognisers.start()
    hearing = Hearing(vad, recognisers.by_language, limits=audio_limits(settings))

    def features() -> tuple[Feature, ...]:
        return detecting(), recognisers.feature()

    return Hears(
        hearing, features, network.run, recognisers.by_language, (recognisers.close,), lighten=recognisers.lighten
    )


def audio_limits(settings: Settings) -> Limits:
    """What a recording may be."""
    return Limits(settings.max_audio_seconds, settings.max_audio_bytes)
