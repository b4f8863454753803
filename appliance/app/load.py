"""What takes its time at the start: networks, and beside them the rules of the pack."""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from appliance.app.networks import Networks
from appliance.app.senses import Hears, Sense, audio_limits, build_hearing, build_reader
from appliance.app.words import Words, build_words
from appliance.artifacts.manifest import Manifest
from appliance.artifacts.store import ModelStore
from appliance.language.clean import Cleaner
from appliance.language.parse import Parser
from appliance.language.suggest import Suggester
from appliance.listener import Listener
from appliance.packs.compile import load_pack
from appliance.packs.schema import Pack
from appliance.packs.vocabulary import ABSENT
from appliance.settings import Settings
from appliance.speech.hear import Hearing
from appliance.values import Feature
from appliance.wall import Wall


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where models come from."""

    networks: Networks
    store: ModelStore
    manifests: dict[str, Manifest]
    cache: Path
    wall: Wall


@dataclass(frozen=True, slots=True)
class Loaded:
    """What takes its time at the start."""

    pack: Pack
    parser: Parser
    suggester: Suggester
    sight: Sense
    words: Words
    ears: Hears


def load(shelf: Shelf, settings: Settings, listener: Listener, senses: Collection[str], closing: ExitStack) -> Loaded:
    """Load networks beside the pack's rules: most of their time goes by outside of Python, on another core.

    Raises PackInvalid.
    """
    networks, store, manifests = shelf.networks, shelf.store, shelf.manifests

    def see() -> Sense:
        if "ocr" not in senses:
            return Sense(None, lambda: left_out("ocr"))
        return build_reader(networks, store, manifests, settings, listener)

    def understand(pack: Pack) -> Words:
        words = build_words(networks, store, manifests, pack, shelf.cache, listener)
        if words.learning is not None:
            closing.callback(words.learning.close)
        return words

    def hear(pack: Pack) -> Hears:
        if "asr" not in senses:
            return _deaf(settings)
        ears = build_hearing(networks, store, manifests, pack, settings, listener)
        for close in ears.closing:
            closing.callback(close)
        return ears

    with ThreadPoolExecutor(1, "loading") as beside:
        try:
            seeing = beside.submit(see)
            pack = load_pack(settings.pack)
            understanding, hearing = beside.submit(understand, pack), beside.submit(hear, pack)
            parser = Parser(pack.lexicon, shelf.wall.today)
            offered = [entry for entry in pack.lexicon.gazetteer if entry.key != ABSENT]
            suggester = Suggester(pack.questions, offered, Cleaner())
        except BaseException:
            beside.shutdown(wait=False, cancel_futures=True)  # what loads already is waited for below
            raise
    return Loaded(pack, parser, suggester, seeing.result(), understanding.result(), hearing.result())


def left_out(name: str) -> Feature:
    """The feature `name` of a command that does without it."""
    return Feature(name, "off", "none", "此命令不加载 / not loaded for this command")


def _deaf(settings: Settings) -> Hears:
    features = (left_out("vad"), left_out("asr"))
    return Hears(Hearing(None, {}, limits=audio_limits(settings)), lambda: features)
