"""Builds reading and hearing from installed models, down the rungs of the fallback, with the reason at each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from appliance.app.appliance import Reads
from appliance.app.eyes import Eyes
from appliance.app.networks import Networks, said, why
from appliance.artifacts.manifest import Manifest
from appliance.artifacts.store import ModelStore
from appliance.errors import ApplianceError, ManifestInvalid, ModelMismatch
from appliance.inference.backend import Run
from appliance.inference.scheduler import Priority
from appliance.listener import Listener
from appliance.packs.schema import Pack
from appliance.settings import Settings
from appliance.speech.asr import Streaming
from appliance.speech.ctc.load import recogniser as load_recogniser
from appliance.speech.ctc.record import read_record
from appliance.speech.ctc.stream import CtcStreaming
from appliance.speech.hear import DEMO, Hearing, Limits
from appliance.speech.hear import MODELS as ASR_MODELS
from appliance.speech.vad import Vad
from appliance.speech.vosk import VoskRecogniser
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


@dataclass(frozen=True, slots=True)
class Brought:
    """Recognisers that an integrator has imported."""

    manifests: Mapping[str, Manifest] = field(default_factory=dict)
    """Their manifests by name."""
    damaged: tuple[ManifestInvalid, ...] = ()
    """Why others could not be read."""
    pack: Pack | None = None
    """The pack, whose names are likelier to be said than others."""


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
    return Sense(eyes, lambda: eyes.feature)


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
    manifests: Mapping[str, Manifest],
    brought: Brought,
    settings: Settings,
    listener: Listener,
) -> Hears:
    """Speech detection and the recognisers that are installed: an imported one, else Vosk's, else that of the demo."""
    network = networks.load(VAD_MODEL, "vad.onnx", Priority.HIGH)
    vad = Vad(network.run) if network.run is not None else None

    def detecting() -> Feature:
        found = "off" if vad is None else "fallback" if network.demoted else "ready"
        reason, models = statements(why((network,))), model_ids(manifests, VAD_MODEL)
        return Feature("vad", found, network.backend, reason, models=models)

    recognisers, used, reasons = _imported(networks, store, brought, listener)
    for language, model in ASR_MODELS.items():
        if language in recognisers:
            continue
        try:
            # The store has hashed every file against the manifest: a second load to find damage would only cost time.
            recogniser = VoskRecogniser(
                store.folder(model), language=language, name=model, rehearsed=True, listener=listener
            )
            recogniser.load()
        except ApplianceError as error:
            reasons.append(f"{language}: {said(error, store)}")
            continue
        recognisers[language] = recogniser
        used.append(model)
        reasons.append(f"{language}: {model} 已加载 / {model} loaded")
    real = "zh" in recognisers
    if not real and DEMO in manifests:
        demo, reason = _demo(networks, store, brought)
        reasons.append(reason)
        if demo is not None:
            recognisers["zh"] = demo
            used.append(DEMO)
    state = "ready" if real else "fallback" if recognisers else "off"
    backend = "+".join(dict.fromkeys(each.name.partition(":")[0] for each in recognisers.values())) or "none"
    models = model_ids(manifests, *used)
    asr = Feature("asr", state, backend, statements(reasons), models=models, languages=tuple(recognisers))
    hearing = Hearing(vad, recognisers, limits=audio_limits(settings))
    closing = tuple(recogniser.close for recogniser in recognisers.values())
    return Hears(hearing, lambda: (detecting(), asr), network.run, recognisers, closing)


def _imported(
    networks: Networks, store: ModelStore, brought: Brought, listener: Listener
) -> tuple[dict[str, Streaming], list[str], list[str]]:
    """Recognisers by language, the models that they are of, and what there is to say of them."""
    found: dict[str, Streaming] = {}
    used: list[str] = []
    reasons = [f"asr: {said(error, store)}" for error in brought.damaged]
    names = _names(brought.pack)
    for name, manifest in brought.manifests.items():
        if manifest.kind != "asr":
            continue
        loaded: dict[str, Run | None] = {}

        def run_of(file: str, name: str = name, loaded: dict[str, Run | None] = loaded) -> Run | None:
            if file not in loaded:
                loaded[file] = networks.load(name, file).run
            return loaded[file]

        try:
            folder = store.folder(name)
            for language in read_record(folder).languages:
                if language not in found:
                    found[language] = load_recogniser(
                        folder, manifest, run_of, language=language, phrases=names, listener=listener
                    )
                    reasons.append(f"{language}: {name} 已加载 / {name} loaded")
                    used.append(name)
        except ApplianceError as error:
            reasons.append(f"{name}: {said(error, store)}")
    return found, list(dict.fromkeys(used)), reasons


def _demo(networks: Networks, store: ModelStore, brought: Brought) -> tuple[Streaming | None, str]:
    """What hears Chinese where nothing better does, and what there is to say of it; None where it cannot."""
    network = networks.load(DEMO, "acoustic.onnx")
    if network.run is None:
        return None, network.refusals(f"zh: {DEMO}")[0]
    try:
        heard = CtcStreaming(network.run, store.folder(DEMO), name=DEMO, phrases=_names(brought.pack))
    except ApplianceError as error:
        networks.release(network)
        return None, f"zh: {said(error, store)}"
    # The whole sentence is shown to whoever stands before a kiosk that has nothing better.
    return heard, (
        f"zh: 由演示用识别 {DEMO} 代听，它只学过合成语音；正式使用请安装: appliance models pull {ASR_MODELS['zh']}，"
        "或 appliance models import PATH / "
        f"the demo recogniser {DEMO}, which has learnt from synthetic speech alone, hears instead; for customers run: "
        f"appliance models pull {ASR_MODELS['zh']}, or appliance models import PATH"
    )


def _names(pack: Pack | None) -> tuple[str, ...]:
    """Names of the pack that a recogniser should rather hear than words that sound alike."""
    if pack is None:
        return ()
    return tuple(dict.fromkeys(surface for entry in pack.lexicon.gazetteer for surface in entry.surfaces))


def audio_limits(settings: Settings) -> Limits:
    """What a recording may be."""
    return Limits(settings.max_audio_seconds, settings.max_audio_bytes)
