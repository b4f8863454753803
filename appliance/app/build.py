"""Builds the appliance from settings: the one place that knows every room."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from appliance.app import knobs
from appliance.app.appliance import Appliance
from appliance.app.board import Instruments
from appliance.app.bundled import shelf
from appliance.app.camera import build_sight
from appliance.app.decoding import decoder
from appliance.app.engines import BACKEND, Engines
from appliance.app.govern import Governing
from appliance.app.history import History
from appliance.app.load import Shelf, left_out, load
from appliance.app.memory import heap
from appliance.app.networks import Networks
from appliance.app.rooms import Rooms
from appliance.app.voice import build_voice
from appliance.app.wording import build_wake, build_wording
from appliance.artifacts.engines import EngineStore
from appliance.artifacts.store import ModelStore
from appliance.device.bill import stage
from appliance.dialogue.policy import Dialogue
from appliance.inference.scheduler import Scheduler
from appliance.language.redact import redact
from appliance.listener import Listener, silent
from appliance.records.events import EventLog, LogState
from appliance.settings import Settings, data_dir
from appliance.values import Feature, Reply
from appliance.wall import Wall

MakesEngines = Callable[[EngineStore, ModelStore, Settings], Engines]
"""Makes the engines of a device: `Engines` itself, or one on a fake device."""

SENSES = ("ocr", "asr", "voice", "camera")
"""What can be left out, for commands that only need words."""


def build(
    settings: Settings,
    *,
    listener: Listener = silent,
    senses: Collection[str] = SENSES,
    engines: MakesEngines = Engines,
    clock: Callable[[], float] = time.monotonic,
    wall: Wall | None = None,
    watching: bool = True,
    bundle: Path | None = None,
) -> Appliance:
    """Load, warm and wire everything; close the result to release it.

    `bundle` is the folder of a verified bundle whose models go before the machine's own; its pack and settings are in
    `settings` already (see `bundled.merged`).

    `engines` and `clock`, which backends come back by, are for drills on a machine without a GPU; `wall` is the clock
    that dates come from. Without `watching` the board's alarms, temperatures and clocks are left to another process:
    for commands beside one that serves.

    Models that are missing or refused never raise: their feature says so and the rung below serves. Raises PackInvalid
    and StorageFailed, without which there is nothing to answer from.
    """
    closing = ExitStack()
    try:
        board = closing.enter_context(Instruments(Path(settings.device_root), watching=watching, listener=listener))
        # What loading draws is no rest: an idle board that was learnt from it would take too much off every answer.
        with board.bills.billed("start"), stage("load"):
            governing = Governing(settings, board, watching=watching, listener=listener)
            beneath = _Beneath(wall or Wall(), board, governing, bundle)
            made = _build(settings, listener, senses, engines, clock, closing, beneath)
        governing.start()
        return made
    except BaseException:
        closing.close()
        raise


@dataclass(frozen=True, slots=True)
class _Beneath:
    """What stands beneath every room."""

    wall: Wall
    board: Instruments
    governing: Governing
    bundle: Path | None


def _build(
    settings: Settings,
    listener: Listener,
    senses: Collection[str],
    make: MakesEngines,
    clock: Callable[[], float],
    closing: ExitStack,
    beneath: _Beneath,
) -> Appliance:
    wall, board, governing = beneath.wall, beneath.board, beneath.governing
    folder = data_dir(settings)
    manifests, store = shelf(folder, beneath.bundle)
    scheduler = Scheduler(listener=listener, house=board.bills.house)
    engines = make(EngineStore(folder / "engines", listener), store, settings)
    networks = Networks(manifests, store, settings, scheduler, listener, engines, clock=clock)
    # Closed in reverse: first the queue, which lets running work end, then the networks behind it.
    closing.callback(networks.close)
    closing.enter_context(scheduler)
    loaded = load(Shelf(networks, store, manifests, folder / "cache", wall), settings, listener, senses, closing)
    pack, parser, sight, words, ears = loaded.pack, loaded.parser, loaded.sight, loaded.words, loaded.ears
    parser.join(words.minds)
    events = EventLog(folder / "records" / "events.sqlite", redact=redact, listener=listener, clock=wall.now)
    closing.callback(events.close)
    history = History(events, board)
    closing.callback(history.close)
    dialogue = Dialogue(
        pack,
        parser,
        events,
        idle_s=settings.session_idle_s,
        sessions=settings.sessions,
        clock=wall.now,
        sure_of_time=lambda: wall.sure,
        listener=listener,
    )
    closing.callback(dialogue.close)
    wakes = build_wake(pack) if settings.voice == "wake" else None
    without = {"voice": ("microphone", "speech"), "camera": ("camera",)}
    absent = tuple(left_out(name) for sense, names in without.items() if sense not in senses for name in names)
    flows = len(pack.flows)
    conversing = Feature("dialogue", "ready", "flows", f"{flows} 个流程 / {flows} flows")

    def features() -> tuple[Feature, ...]:
        late = _stuck(scheduler, settings.deadline_s)
        found = (words.feature(), conversing, sight.feature(), *ears.features(), *absent)
        if late:
            found = tuple(replace(f, state="failed", reason=late) if _computes(f) else f for f in found)
        found = (*found, *_amiss(events.state, wall))
        return tuple(replace(feature, required=feature.name in settings.required) for feature in found)

    def details() -> dict[str, object]:
        return {
            "queues": {"inference": scheduler.depth, "running": scheduler.running},
            "networks": [{"network": one.spec.name} | asdict(one.describe()) for one in networks.backends],
            "events": asdict(events.state),
            "clock": {"sure": wall.sure, "problem": wall.problem},
            "heap": asdict(account) if (account := heap()) else None,
            "governor": governing.state(),
        }

    def tidy() -> None:
        step = wall.stepped()
        if step is not None:
            listener("clock_stepped", seconds=round(step.seconds))
        if wall.sure:  # else nobody knows how old anything is
            events.prune(wall.now() - settings.records_days * 86_400)

    rooms = Rooms(
        settings=settings,
        pack=pack,
        parser=parser,
        suggester=loaded.suggester,
        dialogue=dialogue,
        reader=sight.reader,
        decode=decoder(settings),
        hearing=ears.hearing,
        wording=build_wording(pack, parser, heard=lambda: ears.streaming),
        features=features,
        details=details,
        tidy=tidy,
        silent_s=lambda: _silent_s(scheduler),
        board=board,
        governing=governing,
        history=history,
        listener=listener,
    )
    appliance = Appliance(rooms, closing)
    if "voice" in senses:
        heard, end, bills, allowed = appliance.heard, appliance.end, board.bills, partial(governing.check, "audio")
        appliance.join(build_voice(ears, heard, end, _shown, settings, pack, wakes, listener, bills, allowed))
    if "camera" in senses:
        talk = appliance.conversation if "voice" in senses else None
        appliance.sees(build_sight(settings, appliance.look, appliance.end, _shown, talk, listener))
    images, recordings = appliance.heavy
    turned = (knobs.precision(networks.lighten), knobs.recogniser(ears.lighten), knobs.camera(appliance.camera))
    governing.join((knobs.detector(sight.limit), knobs.concurrency(images, recordings), *turned))
    closing.callback(governing.close)
    return appliance


def _shown(reply: Reply) -> dict[str, Any]:
    from appliance.channels.http.reply import reply_json  # lazy: commands that only need words load no web framework

    return reply_json(reply)


def _amiss(state: LogState, wall: Wall) -> tuple[Feature, ...]:
    """What nobody asks about as long as it is in order: records that wait in memory, and the clock."""
    found = []
    if state.place == "waiting":
        why = (
            f"写不到磁盘，先留在内存里，断电即丢失（{state.reason}）：检查磁盘空间和权限 / "
            f"cannot be written and wait in memory, where a power cut takes them ({state.reason}): "
            "check the disk's space and permissions"
        )
        found.append(Feature("records", "fallback", "memory", why))
    if wall.problem:
        found.append(Feature("clock", "failed", "system", wall.problem))
    return tuple(found)


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
