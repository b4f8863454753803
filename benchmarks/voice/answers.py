"""How long a customer waits: from the end decision to the answer's text, by stages; and from the last speech sample.

Recordings are fed as fast as they are spoken, as a microphone gives them. `silence` is sound, not work: what the
endpointer waits for to be sure that the sentence is over.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from appliance.speech.listen import Final, Utterances
from appliance.speech.resample import RATE
from appliance.values import Reply, Transcript
from benchmarks.speech.latency import spread
from benchmarks.speech.noise import Samples

P50_MS, P95_MS = 400.0, 800.0
"""What the issue allows from the end decision to the answer's text."""
BLOCK = RATE // 40
"""Samples that a microphone gives at a time: 25 ms."""
STAGES = ("silence", "vad", "finish", "answer")
_PAUSE = np.zeros(RATE, np.float32)


def waited(
    sounds: Sequence[Samples],
    hear: Callable[[], Utterances],
    answer: Callable[[Transcript], Reply],
    at: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
) -> list[dict[str, float]]:
    """Milliseconds by stage of every sentence in which words were recognised, each asked by a customer of its own."""
    found = []
    for number, sound in enumerate(sounds):
        at(f"answers: {number + 1} of {len(sounds)}")
        utterances = hear()
        padded = np.concatenate((_PAUSE, sound, _PAUSE))
        began = time.perf_counter()
        for first in range(0, len(padded), BLOCK):
            sleep(max(0.0, began + (first + BLOCK) / RATE - time.perf_counter()))
            for event in utterances.feed(padded[first : first + BLOCK]):
                if isinstance(event, Final) and event.transcript.text:
                    decided = time.perf_counter()
                    answer(event.transcript)
                    ms = (time.perf_counter() - decided) * 1000
                    found.append({stage: event.latency_ms.get(stage, ms) for stage in STAGES})
        utterances.close()
    return found


def summed(found: Sequence[dict[str, float]]) -> dict[str, Any]:
    """p50 and p95 of every stage, of all work behind the end decision, and from the last speech sample."""
    rows: dict[str, Any] = {stage: spread([one[stage] / 1000 for one in found]) for stage in STAGES}
    work = [sum(one[stage] for stage in STAGES[1:]) for one in found]
    rows["from the end decision"] = spread([ms / 1000 for ms in work])
    rows["from the last speech"] = spread([(ms + one["silence"]) / 1000 for ms, one in zip(work, found, strict=True)])
    return rows


def missed(rows: dict[str, Any]) -> list[str]:
    """Limits of the wait behind the end decision that are missed."""
    ours = rows["from the end decision"]
    if not ours["count"]:
        return ["answers: expected sentences in which words are recognised, got none"]
    return [
        f"answers: expected {name} of at most {limit:g} ms from the end decision, got {ours[f'{name}_ms']:g} ms"
        for name, limit in (("p50", P50_MS), ("p95", P95_MS))
        if ours[f"{name}_ms"] > limit
    ]
