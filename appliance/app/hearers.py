"""Loads one recogniser of each kind: one that was imported, Vosk's, the demo's."""

from __future__ import annotations

from collections.abc import Callable

from appliance.app.networks import Network, Networks
from appliance.artifacts.manifest import Manifest
from appliance.artifacts.store import ModelStore
from appliance.inference.backend import Run
from appliance.listener import Listener
from appliance.packs.schema import Pack
from appliance.speech.asr import Streaming
from appliance.speech.ctc.load import recogniser as load_recogniser
from appliance.speech.ctc.record import read_record
from appliance.speech.ctc.stream import CtcStreaming
from appliance.speech.hear import DEMO
from appliance.speech.vosk import VoskRecogniser


class Loading:
    """Makes recognisers of what is installed; whatever it raises, nothing of the one that failed stays open."""

    def __init__(
        self,
        networks: Networks,
        store: ModelStore,
        manifests: dict[str, Manifest],
        pack: Pack | None,
        listener: Listener,
    ) -> None:
        self._networks, self._store, self._manifests = networks, store, manifests
        self._names = _names(pack)
        self._listener = listener

    def imported(self, name: str, wanted: Callable[[str], bool]) -> tuple[tuple[str, ...], dict[str, Streaming]]:
        """Languages of an imported model, and what hears those that are `wanted`. Raises ApplianceError."""
        manifest = self._manifests[name]
        loaded: dict[str, Network] = {}

        def run_of(file: str) -> Run | None:
            if file not in loaded:
                loaded[file] = self._networks.load(name, file)
            return loaded[file].run

        made: dict[str, Streaming] = {}
        try:
            folder = self._store.folder(name)
            languages = read_record(folder).languages
            for language in filter(wanted, languages):
                made[language] = load_recogniser(
                    folder, manifest, run_of, language=language, phrases=self._names, listener=self._listener
                )
        except BaseException:
            for network in loaded.values():  # nothing hears by them
                self._networks.release(network)
            for one in made.values():
                one.close()
            raise
        return languages, made

    def vosk(self, language: str, model: str) -> Streaming:
        """Vosk's, loaded. Raises ApplianceError."""
        # The store has hashed every file against the manifest: a second load to find damage would only cost time.
        made = VoskRecogniser(
            self._store.folder(model), language=language, name=model, rehearsed=True, listener=self._listener
        )
        made.load()
        return made

    def demo(self) -> tuple[Streaming | None, tuple[str, ...]]:
        """The demo's for Chinese; None with the reason when no backend runs it. Raises ApplianceError."""
        network = self._networks.load(DEMO, "acoustic.onnx")
        if network.run is None:
            return None, network.refusals(f"zh: {DEMO}")[:1]
        try:
            return CtcStreaming(network.run, self._store.folder(DEMO), name=DEMO, phrases=self._names), ()
        except BaseException:
            self._networks.release(network)
            raise


def _names(pack: Pack | None) -> tuple[str, ...]:
    """Names of the pack that a recogniser should rather hear than words that sound alike."""
    if pack is None:
        return ()
    return tuple(dict.fromkeys(surface for entry in pack.lexicon.gazetteer for surface in entry.surfaces))
