"""True and false interruptions: the kiosk speaks, its own voice is in its microphone, and a customer speaks or not.

What decides is the appliance's own (`channels.voice.attend` over its voice activity detection), on what the microphone
of a `Room` heard, in the time of the recording: what a device takes to bring sound, and a loudspeaker to fall silent
(47 to 56 ms on the virtual card), comes on top.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from appliance.channels.voice.attend import Insistence, attend
from appliance.channels.voice.manners import Manners
from appliance.errors import ApplianceError
from appliance.speech.level import loudness
from appliance.speech.listen import Utterances
from appliance.speech.resample import RATE
from benchmarks.speech.latency import spread
from benchmarks.voice.room import Room, Samples, mark

CUSTOMER_DB = -26.0
"""Level of the customer in the microphone, dB of full scale."""
NOISE_DB = -65.0
"""Level of the room."""
ECHOES_DB = (0.0, -6.0, -12.0)
"""Levels of the kiosk's own voice in the microphone, against the customer's."""
BEFORE_S = 1.5
"""Seconds of an answer before a customer interrupts it."""
BLOCK = RATE // 50
"""Samples that a microphone delivers at a time."""
WITHIN_MS = 200.0
"""What the issue allows from the customer's first sound to the kiosk's silence."""
INSISTENCE = Insistence(Manners().insisting, level=10 ** ((CUSTOMER_DB - Manners().softer_db) / 20))
"""What the conversation asks of a customer who was as loud before."""
_PAUSE = RATE // 4


@dataclass(frozen=True)
class Trial:
    """One answer of the kiosk."""

    echo_db: float
    """The kiosk's voice in the microphone, against the customer's."""
    cancelled: bool
    """Behind echo cancellation."""
    spoken: bool
    """Whether a customer spoke into it."""
    at_ms: float | None
    """When it was decided that it falls silent: after the customer's first sound, else from the answer's beginning.

    None where it spoke to its end; below 0 where its own voice broke it off before the customer spoke."""


class Recorded:
    """Ears and loudspeaker in the time of a recording: one block after the other, over when it is over."""

    def __init__(self, samples: Samples) -> None:
        """Hear `samples`."""
        self._samples = samples
        self.at = 0
        """Samples heard so far."""
        self.broken = False
        """True once the kiosk's words were broken off."""
        self.error: ApplianceError | None = None

    @property
    def done(self) -> bool:
        """True once everything was heard or the words were broken off."""
        return self.broken or self.at >= len(self._samples)

    def stop(self) -> None:
        """Break the words off."""
        self.broken = True

    def read(self, timeout_s: float) -> Samples:
        """The next block."""
        block = self._samples[self.at : self.at + BLOCK]
        self.at += len(block)
        return block


def broken_at(samples: Samples, hear: Callable[[], Utterances]) -> float | None:
    """Seconds of `samples` after which an answer is broken off; None where it is not."""
    recorded, utterances = Recorded(samples), hear()
    try:
        broken = attend(recorded, recorded, utterances, INSISTENCE)
    finally:
        utterances.close()
    return recorded.at / RATE if broken else None


def levelled(samples: Samples, decibels: float) -> Samples:
    """`samples` with their loud part at so many decibels of full scale."""
    return (samples * np.float32(10 ** (decibels / 20) / max(loudness(samples), 1e-6))).astype(np.float32)


def onset(samples: Samples, hear: Callable[[], Utterances]) -> float:
    """Seconds of a clean recording at which somebody begins to speak.

    That is where the stretch of sound begins, louder than half way (in dB) between the recording's rest and its speech,
    in which the voice activity detection finds speech first: what a room makes before it does not count.
    """
    found = broken_at(samples, hear)
    if found is None:
        raise ValueError("expected a recording in which somebody speaks, found nobody")
    levels = 20 * np.log10(np.sqrt((samples[: len(samples) // 160 * 160].reshape(-1, 160) ** 2).mean(1)) + 1e-9)
    loud = levels > (np.percentile(levels, 5) + 20 * np.log10(loudness(samples))) / 2
    at = min(round(100 * (found - Manners().insisting)), len(loud) - 1)
    while at > 0 and loud[max(0, at - 3) : at].any():  # gaps of 30 ms are within a word
        at -= 1
    return at / 100


def trials(
    answers: Sequence[Samples], customers: Sequence[Samples], hear: Callable[[], Utterances], at: Callable[[str], None]
) -> Iterator[Trial]:
    """Every answer at every level, alone and interrupted, with and without cancellation; sounds at 16 kHz."""
    draw = np.random.default_rng(7)
    customers = [sound for sound in customers if broken_at(levelled(sound, CUSTOMER_DB), hear) is not None]
    if not answers or not customers:
        raise SystemExit(f"barge: expected answers and recordings of people, got {len(answers)} and {len(customers)}")
    with Room() as room:
        for echo in ECHOES_DB:
            for number, answer in enumerate(answers):
                words = levelled(answer, CUSTOMER_DB + echo)
                for spoken in (False, True):
                    at(f"{echo:g} dB: answer {number + 1} of {len(answers)}, {'interrupted' if spoken else 'alone'}")
                    line = np.zeros(_PAUSE + max(len(words), RATE), np.float32)
                    first = 0.0
                    if spoken:
                        customer = levelled(customers[number % len(customers)], CUSTOMER_DB)
                        begin = round(BEFORE_S * RATE)
                        line = np.concatenate((line, np.zeros(max(0, begin + len(customer) - len(line)), np.float32)))
                        line[begin : begin + len(customer)] += customer
                        first = begin / RATE + onset(customer, hear)
                    line += (10 ** (NOISE_DB / 20) * draw.standard_normal(len(line))).astype(np.float32)
                    for name, samples in room.played(words, np.concatenate((mark(), line))).items():
                        broken = broken_at(samples, hear)
                        ms = None if broken is None else round(1000 * (broken - first), 1)
                        yield Trial(echo, name == "cancelled", spoken, ms)


def summed(done: Sequence[Trial]) -> list[dict[str, Any]]:
    """A row for each level, without and with cancellation."""
    rows = []
    for echo in ECHOES_DB:
        for cancelled in (False, True):
            mine = [one for one in done if one.echo_db == echo and one.cancelled == cancelled]
            alone = [one for one in mine if not one.spoken]
            into = [one for one in mine if one.spoken]
            right = [one.at_ms for one in into if one.at_ms is not None and one.at_ms >= 0]
            rows.append(
                {
                    "echo_db": echo,
                    "cancelled": cancelled,
                    "answers": len(alone),
                    "false": sum(one.at_ms is not None for one in alone),
                    "interrupted": len(into),
                    "early": sum(one.at_ms is not None and one.at_ms < 0 for one in into),
                    "true": len(right),
                    "delay": spread([ms / 1000 for ms in right]),
                }
            )
    return rows


def missed(rows: Sequence[dict[str, Any]]) -> list[str]:
    """What is not as the issue asks where echo cancellation is on."""
    wrong = []
    for row in rows:
        if not row["cancelled"]:
            continue
        where = f"barge-in at {row['echo_db']:g} dB with echo cancellation"
        if row["false"] or row["early"]:
            wrong.append(f"{where}: expected no answer broken off by itself, got {row['false'] + row['early']}")
        if row["true"] < 0.9 * row["interrupted"]:
            wrong.append(f"{where}: expected 9 of 10 to be heard, got {row['true']} of {row['interrupted']}")
        if row["true"] and row["delay"]["p50_ms"] > WITHIN_MS:
            wrong.append(f"{where}: expected silence within {WITHIN_MS:g} ms (p50), got {row['delay']['p50_ms']:g} ms")
    return wrong


def as_json(done: Sequence[Trial]) -> list[dict[str, Any]]:
    """Every trial."""
    return [asdict(one) for one in done]
