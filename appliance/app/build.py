"""Builds the appliance from settings: the one place that knows every room."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from appliance.app.appliance import Appliance, Rooms
from appliance.app.bundled import shelf
from appliance.app.engines import BACKEND, Engines
from appliance.app.memory import heap
from appliance.app.networks import Networks
from appliance.app.senses import Hears, Sense, audio_limits, build_hearing, build_reader
from appliance.app.voice import build_voice
from appliance.app.wording import build_wake, build_wording
from appliance.app.words import Words, build_words
from appliance.artifacts.engines import EngineStore
from appliance.artifacts.manifest import Manifest
from appliance.artifacts.store import ModelStore
from appliance.dialogue.policy import Dialogue
from appliance.inference.scheduler import Scheduler
from appliance.language.clean import Cleaner
from appliance.language.parse import Parser
from appliance.language.redact import redact
from appliance.language.suggest import Suggester
from appliance.listener import Listener, silent
from appliance.packs.compile import load_pack
from appliance.packs.schema import Pack
from appliance.packs.vocabulary import ABSENT
from appliance.records.events import EventLog
from appliance.settings import Settings, data_dir
from appliance.speech.hear import Hearing
from appliance.values import Feature, Reply
from appliance.vision.image import WORK_PIXELS, Pixels, decode, probe

LARGE_PIXELS = WORK_PIXELS
"""Images of more pixels are decoded one after the other: each takes hundreds of megabytes until it has been shrunk."""

MakesEngines = Callable[[EngineStore, ModelStore, Settings], Engines]
"""Makes the engines of a device: `Engines` itself, or one on a fake device."""

SENSES = ("ocr", "asr", "voice")
"""What can be left out, for commands that only need words."""


def build(
    settings: Settings,
    *,
    listener: Listener = silent,
    senses: Collection[str] = SENSES,
    engines: MakesEngines = Engines,
    clock: Callable[[], float] = time.monotonic,
    bundle: Path | None = None,
) -> Appliance:
    """Load, warm and wire everything; close the result to release it.

    `bundle` is the folder of a verified bundle whose models go before the machine's own; its pack and settings are in
    `settings` already (see `bundled.merged`).

    `engines` and `clock`, which backends come back by, are for drills on a machine without a GPU.

    Models that are missing or refused never raise: their feature says so and the rung below serves. Raises PackInvalid
    and StorageFailed, without which there is nothing to answer from.
    """
    closing = ExitStack()
    try:
        return _build(settings, listener, senses, engines, clock, closing, bundle)
    except BaseException:
        closing.close()
        raise


def _build(
    settings: Settings,
    listener: Listener,
    senses: Collection[str],
    make: MakesEngines,
    clock: Callable[[], float],
    closing: ExitStack,
    bundle: Path | None,
) -> Appliance:
    folder = data_dir(settings)
    manifests, store = shelf(folder, bundle)
    scheduler = Scheduler(listener=listener)
    engines = make(EngineStore(folder / "engines", listener), store, settings)
    networks = Networks(manifests, store, settings, scheduler, listener, engines, clock=clock)
    # Closed in reverse: first the queue, which lets running work end, then the networks behind it.
    closing.callback(networks.close)
    closing.enter_context(scheduler)
    loaded = _load(_Shelf(networks, store, manifests, folder / "cache"), settings, listener, senses, closing)
    pack, parser, sight, words, ears = loaded.pack, loaded.parser, loaded.sight, loaded.words, loaded.ears
    parser.join(words.minds)
    events = EventLog(folder / "records" / "events.sqlite", redact=redact, listener=listener)
    closing.callback(events.close)
    dialogue = Dialogue(
        pack, parser, events, idle_s=settings.session_idle_s, sessions=settings.sessions, listener=listener
    )
    closing.callback(dialogue.close)
    wakes = build_wake(pack) if settings.voice == "wake" else None
    unspoken = () if "voice" in senses else (_left_out("microphone"), _left_out("speech"))
    flows = len(pack.flows)
    conversing = Feature("dialogue", "ready", "flows", f"{flows} 个流程 / {flows} flows")

    def features() -> tuple[Feature, ...]:
        late = _stuck(scheduler, settings.deadline_s)
        found = (words.feature(), conversing, sight.feature(), *ears.features(), *unspoken)
        if late:
            found = tuple(replace(f, state="failed", reason=late) if _computes(f) else f for f in found)
        return tuple(replace(feature, required=feature.name in settings.required) for feature in found)

    def details() -> dict[str, object]:
        return {
            "queues": {"inference": scheduler.depth, "running": scheduler.running},
            "networks": [{"network": one.spec.name} | asdict(one.describe()) for one in networks.backends],
            "events": asdict(events.state),
            "heap": asdict(account) if (account := heap()) else None,
        }

    def tidy() -> None:
        events.prune(time.time() - settings.records_days * 86_400)

    rooms = Rooms(
        settings=settings,
        pack=pack,
        parser=parser,
        suggester=loaded.suggester,
        dialogue=dialogue,
        reader=sight.reader,
        decode=_decoder(settings),
        hearing=ears.hearing,
        wording=build_wording(pack, parser, heard=lambda: ears.streaming),
        features=features,
        details=details,
        tidy=tidy,
        silent_s=lambda: _silent_s(scheduler),
        listener=listener,
    )
    appliance = Appliance(rooms, closing)
    if "voice" in senses:
        appliance.join(build_voice(ears, appliance.heard, appliance.end, _shown, settings, pack, wakes, listener))
    return appliance


@dataclass(frozen=True, slots=True)
class _Shelf:
    """Where models come from."""

    networks: Networks
    store: ModelStore
    manifests: dict[str, Manifest]
    cache: Path


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What takes its time at the start."""

    pack: Pack
    parser: Parser
    suggester: Suggester
    sight: Sense
    words: Words
    ears: Hears


def _load(
    shelf: _Shelf, settings: Settings, listener: Listener, senses: Collection[str], closing: ExitStack
) -> _Loaded:
    """Networks beside the pack's rules: most of their time goes by outside of Python, on another core."""
    networks, store, manifests = shelf.networks, shelf.store, shelf.manifests

    def see() -> Sense:
        if "ocr" not in senses:
            return Sense(None, lambda: _left_out("ocr"))
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
            parser = Parser(pack.lexicon)
            offered = [entry for entry in pack.lexicon.gazetteer if entry.key != ABSENT]
            suggester = Suggester(pack.questions, offered, Cleaner())
        except BaseException:
            beside.shutdown(wait=False, cancel_futures=True)  # what loads already is waited for below
            raise
    return _Loaded(pack, parser, suggester, seeing.result(), understanding.result(), hearing.result())


def _shown(reply: Reply) -> dict[str, Any]:
    from appliance.channels.http.reply import reply_json  # lazy: commands that only need words load no web framework

    return reply_json(reply)


def _computes(feature: Feature) -> bool:
    """True for a feature that networks serve."""
    return feature.backend.startswith((BACKEND, "onnxruntime"))


def _stuck(scheduler: Scheduler, patience_s: float) -> str:
    """Why networks count as failed: a run that has not ended for longer than any request may take. Empty if none."""
    silent_s = _silent_s(scheduler)
    if scheduler.running and silent_s > patience_s:
        return f"a network's run has not ended for {silent_s:.0f} s; restart the appliance"
    return ""


def _silent_s(scheduler: Scheduler) -> float:
    return time.monotonic() - scheduler.heartbeat.at


def _decoder(settings: Settings) -> Callable[[bytes], tuple[Pixels, tuple[int, int]]]:
    one_large = threading.Lock()

    def decoded(data: bytes) -> tuple[Pixels, tuple[int, int]]:
        info = probe(data)
        large = info.width * info.height > LARGE_PIXELS
        with one_large if large else nullcontext():
            pixels = decode(data, max_bytes=settings.max_image_bytes, max_pixels=settings.max_image_pixels)
        return pixels, info.upright

    return decoded


def _left_out(name: str) -> Feature:
    return Feature(name, "off", "none", "此命令不加载 / not loaded for this command")


def _deaf(settings: Settings) -> Hears:
    features = (_left_out("vad"), _left_out("asr"))
    return Hears(Hearing(None, {}, limits=audio_limits(settings)), lambda: features)
