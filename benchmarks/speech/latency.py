"""How late words are: sound is fed as fast as it is spoken, and it is noted when what was known.

A stream is fed in pieces of 50 ms, each when its last sample would have been spoken. A word's delay is from its end, by
the final transcript's times, to the first moment at which the text known so far began with everything up to that word;
where it never did, to the end. The end's delay is from the last sample to the transcript.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from appliance.speech.asr import Streaming, join_words
from appliance.speech.resample import RATE
from appliance.values import Transcript, Word

PIECE = RATE // 20
"""Samples fed at a time: 50 ms."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One stream, as it went."""

    transcript: Transcript
    """What was recognised in the end."""
    partials: tuple[tuple[float, str], ...]
    """When, in seconds of the sound, which text was known: changes alone, in order."""
    end_s: float
    """Seconds from the last sample to the transcript."""
    late_s: float
    """Most seconds that feeding fell behind speaking: over 0.05 the recogniser cannot keep up, or the machine."""


def fed(
    recogniser: Streaming,
    samples: npt.NDArray[np.float32],
    *,
    clock: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], None] = time.sleep,
) -> Heard:
    """Feed `samples` (16 kHz) in the time in which they would be spoken. Raises what the stream raises."""
    partials: list[tuple[float, str]] = []
    late, known = 0.0, ""
    stream = recogniser.stream()
    try:
        began = clock()
        for first in range(0, len(samples), PIECE):
            piece = samples[first : first + PIECE]
            spoken = (first + len(piece)) / RATE
            wait = began + spoken - clock()
            if wait > 0:
                sleep(wait)
            late = max(late, clock() - began - spoken)
            text = stream.feed(piece)
            if text != known:
                known = text
                partials.append((clock() - began, text))
        transcript = stream.finish()
        end = clock() - began - len(samples) / RATE
    finally:
        stream.close()
    return Heard(transcript, tuple(partials), end, late)


def delays(partials: Sequence[tuple[float, str]], words: Sequence[Word], end: float) -> list[float]:
    """Seconds from the end of each word to its being known; `end` is when, in seconds of the sound, all was known."""
    found = []
    for count, word in enumerate(words, 1):
        so_far = _bare(join_words([one.text for one in words[:count]]))
        known = next((at for at, text in partials if _bare(text).startswith(so_far)), end)
        found.append(known - word.end)
    return found


def _bare(text: str) -> str:
    return "".join(text.split())


def percentile(values: Sequence[float], share: float) -> float | None:
    """The value that `share` of all do not exceed (nearest rank); None of nothing."""
    if not values:
        return None
    return sorted(values)[max(0, int(np.ceil(share * len(values))) - 1)]


def spread(values: Sequence[float]) -> dict[str, float | int | None]:
    """How many, and p50 and p95 in milliseconds."""
    ms = {f"p{round(100 * share)}_ms": percentile(values, share) for share in (0.5, 0.95)}
    return {"count": len(values), **{name: None if at is None else round(at * 1000, 1) for name, at in ms.items()}}
