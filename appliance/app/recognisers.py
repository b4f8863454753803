"""Recognisers of speech: the best that is installed for each language, also when it is installed while others serve.

One that was imported goes before Vosk's, and both before the demo's, which has learnt from synthetic speech alone.
"""

from __future__ import annotations

import threading

from appliance.app.networks import Networks, said
from appliance.artifacts.imported import FILE, load_imported
from appliance.artifacts.manifest import Manifest
from appliance.artifacts.store import ModelStore
from appliance.errors import ApplianceError
from appliance.inference.backend import Run
from appliance.listener import Listener
from appliance.packs.schema import Pack
from appliance.speech.asr import Streaming
from appliance.speech.ctc.load import recogniser as load_recogniser
from appliance.speech.ctc.record import read_record
from appliance.speech.ctc.stream import CtcStreaming
from appliance.speech.hear import DEMO
from appliance.speech.hear import MODELS as VOSK_MODELS
from appliance.speech.vosk import VoskRecogniser
from appliance.trail import trail
from appliance.values import Feature, statements

LOOK_S = 5.0
"""Seconds between two looks at what is installed."""


class Recognisers:
    """Loads recognisers; `by_language` has those that serve now. `load` once, then `start`, in the end `close`."""

    def __init__(
        self,
        networks: Networks,
        store: ModelStore,
        manifests: dict[str, Manifest],
        pack: Pack | None,
        listener: Listener,
    ) -> None:
        """Load from `store`. What is imported later joins `manifests`, which store and networks read, too."""
        self._networks, self._store, self._manifests = networks, store, manifests
        self._names = _names(pack)
        self._listener = listener
        self.by_language: dict[str, Streaming] = {}
        """What hears each language."""
        self._models: dict[str, str] = {}
        self._own: set[str] = set()
        self._found: dict[str, tuple[str, Streaming]] = {}
        self._reasons: list[str] = []
        self._seen: tuple[tuple[str, int], ...] = ()
        self._left = threading.Event()
        self._thread: threading.Thread | None = None

    def load(self) -> None:
        """Load the best that is installed for each language that nothing real hears yet. Never raises."""
        self._seen = self._installed()
        imported, damaged = load_imported(self._store.root)
        for name, manifest in imported.items():
            if name in self._own or self._manifests.get(name, manifest) == manifest:  # else a shipped one is called so
                self._own.add(name)
                self._manifests[name] = manifest
        reasons = [f"asr: {said(error, self._store)}" for error in damaged]
        self._found = {}
        for name in sorted(self._own & set(imported)):
            self._import(name, self._manifests[name], reasons)
        for language, model in VOSK_MODELS.items():
            self._vosk(language, model, reasons)
        if "zh" not in {*self.by_language, *self._found} and DEMO in self._manifests:
            self._demo(reasons)
        elif self._models.get("zh") == DEMO and "zh" not in self._found:
            reasons.append(_INSTEAD)
        before = [one for language, one in self.by_language.items() if language in self._found]
        for language, (model, made) in self._found.items():
            self._models[language], self.by_language[language] = model, made
        self._reasons = reasons
        for one in before:
            one.close()  # its streams go on to their end

    def feature(self) -> Feature:
        """State of `asr` now and why."""
        heard, models = dict(self.by_language), dict(self._models)
        state = "ready" if models.get("zh", DEMO) != DEMO else "fallback" if heard else "off"
        backend = "+".join(dict.fromkeys(one.name.partition(":")[0] for one in heard.values())) or "none"
        used = tuple(f"{name}@{self._manifests[name].digest}" for name in dict.fromkeys(models.values()))
        return Feature("asr", state, backend, statements(self._reasons), models=used, languages=tuple(heard))

    def start(self) -> None:
        """Look for what is installed meanwhile, on a thread of its own: nobody has to restart the appliance for it."""
        self._thread = threading.Thread(target=self._watch, name="recognisers", daemon=True)
        self._thread.start()

    def look(self) -> None:
        """Load anew where something was installed or removed since the last look."""
        if self._installed() != self._seen:
            self.load()

    def close(self) -> None:
        """Look no more, and release all. A second call does nothing."""
        self._left.set()
        if self._thread is not None:
            self._thread.join(10)
        for one in self.by_language.values():
            one.close()

    def _watch(self) -> None:
        while not self._left.wait(LOOK_S):
            try:
                self.look()
            except Exception as error:  # noqa: BLE001 - what hears now must go on hearing
                self._listener("recognisers_look_failed", reason=trail(error))

    def _installed(self) -> tuple[tuple[str, int], ...]:
        """What tells that something was installed: folders of models and manifests of imported ones, by their times."""
        found = []
        for folder in sorted(self._store.root.glob("*")):
            for path in (folder, folder / FILE):
                try:
                    found.append((str(path), path.stat().st_mtime_ns))
                except OSError:  # there is none, or it is being removed
                    continue
        return tuple(found)

    def _wanted(self, language: str) -> bool:
        heard = language in self.by_language and self._models.get(language) != DEMO
        return not heard and language not in self._found

    def _serve(self, language: str, model: str, recogniser: Streaming, reason: str, reasons: list[str]) -> None:
        self._found[language] = model, recogniser
        reasons.append(reason)

    def _import(self, name: str, manifest: Manifest, reasons: list[str]) -> None:
        if manifest.kind != "asr":
            return
        loaded: dict[str, Run | None] = {}

        def run_of(file: str) -> Run | None:
            if file not in loaded:
                loaded[file] = self._networks.load(name, file).run
            return loaded[file]

        try:
            folder = self._store.folder(name)
            for language in read_record(folder).languages:
                if self._models.get(language) == name:
                    reasons.append(_loaded(language, name))
                elif self._wanted(language):
                    made = load_recogniser(
                        folder, manifest, run_of, language=language, phrases=self._names, listener=self._listener
                    )
                    self._serve(language, name, made, _loaded(language, name), reasons)
        except ApplianceError as error:
            reasons.append(f"{name}: {said(error, self._store)}")

    def _vosk(self, language: str, model: str, reasons: list[str]) -> None:
        if self._models.get(language) == model:
            reasons.append(_loaded(language, model))
        if not self._wanted(language):
            return
        try:
            # The store has hashed every file against the manifest: a second load to find damage would only cost time.
            made = VoskRecogniser(
                self._store.folder(model), language=language, name=model, rehearsed=True, listener=self._listener
            )
            made.load()
        except ApplianceError as error:
            reasons.append(f"{language}: {said(error, self._store)}")
            return
        self._serve(language, model, made, _loaded(language, model), reasons)

    def _demo(self, reasons: list[str]) -> None:
        network = self._networks.load(DEMO, "acoustic.onnx")
        if network.run is None:
            reasons += network.refusals(f"zh: {DEMO}")[:1]
            return
        try:
            made = CtcStreaming(network.run, self._store.folder(DEMO), name=DEMO, phrases=self._names)
        except ApplianceError as error:
            self._networks.release(network)
            reasons.append(f"zh: {said(error, self._store)}")
            return
        self._serve("zh", DEMO, made, _INSTEAD, reasons)


_INSTEAD = (
    f"zh: 由演示用识别 {DEMO} 代听，它只学过合成语音；正式使用请安装: appliance models pull {VOSK_MODELS['zh']}，"
    "或 appliance models import PATH / "
    f"the demo recogniser {DEMO}, which has learnt from synthetic speech alone, hears instead; for customers run: "
    f"appliance models pull {VOSK_MODELS['zh']}, or appliance models import PATH"
)


def _loaded(language: str, model: str) -> str:
    return f"{language}: {model} 已加载 / {model} loaded"


def _names(pack: Pack | None) -> tuple[str, ...]:
    """Names of the pack that a recogniser should rather hear than words that sound alike."""
    if pack is None:
        return ()
    return tuple(dict.fromkeys(surface for entry in pack.lexicon.gazetteer for surface in entry.surfaces))
