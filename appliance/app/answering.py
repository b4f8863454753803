"""A turn becomes a Reply: understood, answered by the dialogue, and told with what served each stage."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from appliance.app.rooms import Rooms
from appliance.device.bill import holding, stage
from appliance.values import Feature, OcrResult, Parse, Reply, Transcript, Turn


def answer(
    rooms: Rooms,
    thinking: threading.BoundedSemaphore,
    features: Callable[[], tuple[Feature, ...]],
    turn: Turn,
    session: str | None,
    timings: dict[str, float],
    *,
    ocr: OcrResult | None = None,
    transcript: Transcript | None = None,
) -> Reply:
    """What the dialogue says to `turn`, with what it was made of; milliseconds of the two stages go into `timings`.

    `thinking` is held meanwhile; `features` tell what served the stages before.
    """
    name = rooms.dialogue.open(session, turn.language)
    with holding(thinking):
        begin = time.perf_counter()
        with stage("understand"):
            parse = rooms.parser.parse(turn)
        understood = time.perf_counter()
        with stage("dialogue"):
            said = rooms.dialogue.respond(name, turn, parse)
    timings["understand"] = (understood - begin) * 1000
    timings["dialogue"] = (time.perf_counter() - understood) * 1000
    return Reply(name, turn, parse, said, timings, _used(features, parse, ocr, transcript), ocr, transcript)


def _used(
    features: Callable[[], tuple[Feature, ...]], parse: Parse, ocr: OcrResult | None, transcript: Transcript | None
) -> Mapping[str, str]:
    """What served each stage of this turn."""
    names = [model.partition("@")[0] for model in parse.models]
    used = {"language": "given" if parse.source == "turn" else "+".join([*names, "templates"])}
    if ocr is not None:
        used["ocr"] = ocr.engine
    if transcript is not None:
        used["asr"] = transcript.engine
        if "vad" in transcript.timings_ms:
            used["vad"] = next(feature.backend for feature in features() if feature.name == "vad")
    return used
