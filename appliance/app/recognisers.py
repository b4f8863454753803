"""Recognisers of speech: the best that is installed for each language, also when it is installed while others serve.

One that was imported goes before Vosk's, and both before the demo's, which has learnt from synthetic speech alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from appliance.app.hearers import Loading
from appliance.app.networks import Networks, said
from appliance.artifacts.imported import FILE, load_imported
from appliance.artifacts.manifest import Manifest
from appliance.artifacts.store import ModelStore
from appliance.errors import ApplianceError
from appliance.listener import Listener
from appliance.packs.schema import Pack
from appliance.speech.asr import Streaming
from appliance.speech.hear import DEMO
from appliance.speech.hear import MODELS as VOSK_MODELS
from appliance.trail import trail
from appliance.values import Feature, statements

LOOK_S = 5.0
"""Seconds between two looks at what is installed."""


class Recognisers:
    """Loads recognisers; `by_language` has those that serve now. `load` once, then `start`, in the end `close`.

    One that was replaced stays open until the end: somebody may be speaking into it. One that was removed goes on
    serving until the next start.
    """

    def __init__(
        self,
        networks: Networks,
        store: ModelStore,
        manifests: dict[str, Manifest],
        pack: Pack | None,
        listener: Listener,
    ) -> None:
        """Load from `store`. What is imported later joins `manifests`, which store and networks read, too."""
        self._store, self._manifests = store, manifests
        self._loading = Loading(networks, store, manifests, pack, listener)
        self._listener = listener
        self.by_language: dict[str, Streaming] = {}
        """What hears each language."""
        self._serving: dict[str, _Serving] = {}
        self._heavy: dict[str, Streaming] = {}
        self._spares: dict[str, Streaming] = {}
        self._changing = threading.RLock()
        self._own: set[str] = set()
        self._reasons: list[str] = []
        self._open: list[Streaming] = []
        self._seen: tuple[tuple[str, int], ...] = ()
        self._left = threading.Event()
        self._thread: threading.Thread | None = None

    def load(self) -> None:
        """Load the best that is installed for each language, where it does not serve yet. Never raises."""
        self._seen = self._installed()
        imported, damaged = load_imported(self._store.root)
        for name, manifest in imported.items():
            if name in self._own or self._manifests.get(name, manifest) == manifest:  # else a shipped one is called so
                self._own.add(name)
                self._manifests[name] = manifest
        reasons = [f"asr: {said(error, self._store)}" for error in damaged]
        others = {name for name in self._store.carried if name not in {*VOSK_MODELS.values(), DEMO}}
        for name in sorted((self._own & set(imported)) | others):
            self._tried(name, partial(self._import, name), reasons)
        for language, model in VOSK_MODELS.items():
            self._tried(language, partial(self._vosk, language, model), reasons)
        if DEMO in self._manifests:
            self._tried("zh", self._demo, reasons)
        self._reasons = reasons

    def lighten(self, light: bool) -> dict[str, str]:
        """Have each language heard by its lightest real recogniser that is installed, or again by its best.

        Whoever is being heard is heard to the end by the one that began. Loading one takes seconds and, from then on,
        its memory. What was changed says nothing; for the others the reason, by language.
        """
        with self._changing:
            if not light:
                for language, one in self._heavy.items():
                    self.by_language[language] = one
                self._heavy.clear()
                return {}
            reasons: dict[str, str] = {}
            for language, now in self._serving.items():
                model = VOSK_MODELS.get(language, "")
                if language in self._heavy:
                    continue
                if now.rank <= _VOSK or model not in self._manifests or self._size(model) >= self._size(now.model):
                    reasons[language] = _LIGHTEST
                    continue
                try:
                    made = self._spare(language, model)
                except ApplianceError as error:
                    reasons[language] = said(error, self._store)
                    continue
                self._heavy[language], self.by_language[language] = self.by_language[language], made
            return reasons

    def _size(self, model: str) -> int:
        """Bytes of a model: what tells the lighter one of two."""
        return self._manifests[model].size

    def _spare(self, language: str, model: str) -> Streaming:
        if model not in self._spares:
            made = self._loading.vosk(language, model)
            self._open.append(made)
            self._spares[model] = made
        return self._spares[model]

    def feature(self) -> Feature:
        """State of `asr` now and why."""
        heard, serving = dict(self.by_language), dict(self._serving)
        real = "zh" in serving and serving["zh"].rank > _DEMO
        state = "ready" if real else "fallback" if heard else "off"
        backend = "+".join(dict.fromkeys(one.name.partition(":")[0] for one in heard.values())) or "none"
        used = tuple(dict.fromkeys(f"{one.model}@{one.digest}" for one in serving.values()))
        return Feature("asr", state, backend, statements(self._reasons), models=used, languages=tuple(heard))

    def start(self) -> None:
        """Look for what is installed meanwhile, on a thread of its own: nobody has to restart the appliance for it."""
        self._thread = threading.Thread(target=self._watch, name="recognisers", daemon=True)
        self._thread.start()

    def look(self) -> None:
        """Load anew where something was installed since the last look."""
        if self._installed() != self._seen:
            self.load()

    def close(self) -> None:
        """Look no more, and release all. A second call does nothing."""
        self._left.set()
        if self._thread is not None:
            self._thread.join(10)
        for one in tuple(self._open):
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
        for folder in sorted(self._store.root.glob("[!.]*")):
            for path in (folder, folder / FILE):
                try:
                    found.append((str(path), path.stat().st_mtime_ns))
                except OSError:  # there is none, or it is being removed
                    continue
        return tuple(found)

    def _tried(self, what: str, work: Callable[[list[str]], None], reasons: list[str]) -> None:
        """One model; whatever is wrong with it, the others are loaded."""
        if self._left.is_set():
            return
        try:
            work(reasons)
        except ApplianceError as error:
            reasons.append(f"{what}: {said(error, self._store)}")
        except Exception as error:  # noqa: BLE001 - a defect with one must not keep the others away
            reasons.append(f"{what}: 无法加载 / cannot be loaded")
            self._listener("recognisers_look_failed", reason=trail(error))

    def _wanted(self, language: str, model: str, rank: int) -> bool:
        """Whether this model is better than what serves, or another version of it."""
        now = self._serving.get(language)
        if now is None or now.rank < rank:
            return True
        return now.model == model and now.digest != self._manifests[model].digest

    def _serve(self, language: str, model: str, rank: int, made: Streaming) -> None:
        self._open.append(made)
        if self._left.is_set():  # closed meanwhile
            made.close()
            return
        with self._changing:
            self._serving[language] = _Serving(model, self._manifests[model].digest, rank)
            if language in self._heavy:  # a lighter one hears for now
                self._heavy[language] = made
            else:
                self.by_language[language] = made

    def _loaded(self, language: str, model: str, reasons: list[str]) -> None:
        now = self._serving.get(language)
        if now is not None and now.model == model:
            reasons.append(f"{language}: {model} 已加载 / {model} loaded")

    def _import(self, name: str, reasons: list[str]) -> None:
        if self._manifests[name].kind != "asr":
            return
        languages, made = self._loading.imported(name, lambda language: self._wanted(language, name, _IMPORTED))
        for language, one in made.items():
            self._serve(language, name, _IMPORTED, one)
        for language in languages:
            self._loaded(language, name, reasons)

    def _vosk(self, language: str, model: str, reasons: list[str]) -> None:
        if self._wanted(language, model, _VOSK):
            self._serve(language, model, _VOSK, self._loading.vosk(language, model))
        self._loaded(language, model, reasons)

    def _demo(self, reasons: list[str]) -> None:
        if self._wanted("zh", DEMO, _DEMO):
            made, refused = self._loading.demo()
            if made is None:
                reasons += refused
                return
            self._serve("zh", DEMO, _DEMO, made)
        if self._serving["zh"].rank == _DEMO:
            reasons.append(_INSTEAD)


_DEMO, _VOSK, _IMPORTED = range(3)
"""From the last resort to what an integrator chose."""


@dataclass(frozen=True, slots=True)
class _Serving:
    """What serves a language."""

    model: str
    digest: str
    rank: int


_LIGHTEST = "没有已安装的更轻的识别模型 / there is no lighter recogniser installed"
_INSTEAD = (
    f"zh: 由演示用识别 {DEMO} 代听，它只学过合成语音；正式使用请安装: appliance models pull {VOSK_MODELS['zh']}，"
    "或 appliance models import PATH / "
    f"the demo recogniser {DEMO}, which has learnt from synthetic speech alone, hears instead; for customers run: "
    f"appliance models pull {VOSK_MODELS['zh']}, or appliance models import PATH"
)
