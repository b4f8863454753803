"""Words where nobody speaks to the kiosk: minutes of silence, a fan, music and other people, heard as it hears them.

Sounds are made here, so that nobody's rights are touched: room tone, a fan with its hum, music of chords, a tune and
drums. Babble is `benchmarks.speech.noise.babble` over recordings. Heard is what the installed recogniser makes of what
the voice activity detection lets through; `woken` counts what the pack's wake phrase would have been found in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from appliance.speech.listen import Final, Partial, Utterances
from appliance.speech.resample import RATE
from benchmarks.speech.noise import Samples, babble, pink

LEVEL_DB = -35.0
"""Level of fan, music and babble in the microphone, dB of full scale: a loud shop."""
STEP_S = 10.0
"""Seconds that are made at a time."""
BLOCK = RATE // 10
NOBODY = ("silence", "fan", "music")
"""Sounds in which no word is."""

Made = Callable[[np.random.Generator, Sequence[Samples]], Samples]


def silence(draw: np.random.Generator, others: Sequence[Samples]) -> Samples:
    """Room tone, 70 dB below full scale."""
    tone = pink(round(STEP_S * RATE), draw, others)
    return (tone * (10 ** (-70 / 20) / tone.std())).astype(np.float32)


def fan(draw: np.random.Generator, others: Sequence[Samples]) -> Samples:
    """A fan: coloured noise with the hum of its motor, swelling slowly."""
    at = np.arange(round(STEP_S * RATE)) / RATE
    hum = sum(np.sin(2 * np.pi * 49.5 * k * at + draw.uniform(0, 6)) / k for k in (1, 2, 3, 4, 6, 8))
    air = pink(len(at), draw, others)
    return _level((air / air.std() + 0.6 * hum) * (1 + 0.2 * np.sin(2 * np.pi * 0.3 * at)))


def music(draw: np.random.Generator, others: Sequence[Samples]) -> Samples:
    """A tune over chords with drums, 120 beats a minute."""
    length, beat = round(STEP_S * RATE), RATE // 2
    out = np.zeros(length)
    scale = 220 * 2 ** (np.array((0, 2, 4, 5, 7, 9, 11, 12)) / 12)
    for number, start in enumerate(range(0, length, beat)):
        count = min(beat, length - start)
        at = np.arange(count) / RATE
        root = int(draw.integers(4))
        notes = [scale[root], scale[(root + 2) % 8], scale[(root + 4) % 8], 2 * scale[int(draw.integers(8))]]
        for note, gain, fall in zip(notes, (0.5, 0.4, 0.4, 1.0), (1.0, 1.0, 1.0, 3.0), strict=True):
            tone = sum(np.sin(2 * np.pi * note * k * at) / k**1.5 for k in range(1, 8))
            out[start : start + count] += gain * tone * np.exp(-fall * at) * np.minimum(1, at * 100)
        drum = np.sin(2 * np.pi * 60 * at) if number % 2 == 0 else draw.standard_normal(count)
        out[start : start + count] += 0.8 * drum * np.exp(-20 * at)
    return _level(out)


def people(draw: np.random.Generator, others: Sequence[Samples]) -> Samples:
    """Other customers among themselves."""
    return _level(babble(round(STEP_S * RATE), draw, others))


KINDS: Mapping[str, Made] = {"silence": silence, "fan": fan, "music": music, "babble": people}
"""Sounds by name."""


@dataclass
class Heard:
    """What one kind of sound brought."""

    minutes: float
    utterances: int = 0
    """What the voice activity detection took for speech to its end."""
    partials: int = 0
    """Texts while it went on."""
    worded: int = 0
    """Utterances in which words were recognised."""
    woken: int = 0
    """Utterances in which the wake phrase was found: answered in the mode `wake`."""


def heard(
    kind: str,
    minutes: float,
    utterances: Utterances,
    wakes: Callable[[str], str | None],
    others: Sequence[Samples],
    at: Callable[[str], None],
) -> Heard:
    """Hear `minutes` of a kind of sound, as fast as it goes."""
    draw = np.random.default_rng(11)
    found, steps = Heard(minutes), max(1, round(minutes * 60 / STEP_S))
    for step in range(steps):
        at(f"{kind}: {step * STEP_S / 60:.1f} of {minutes:g} minutes")
        sound = KINDS[kind](draw, others)
        for first in range(0, len(sound), BLOCK):
            _count(found, utterances.feed(sound[first : first + BLOCK]), wakes)
    _count(found, utterances.finish(), wakes)
    utterances.close()
    return found


def _count(found: Heard, events: Sequence[Partial | Final], wakes: Callable[[str], str | None]) -> None:
    for event in events:
        if isinstance(event, Partial):
            found.partials += bool(event.text)
            continue
        found.utterances += 1
        found.worded += bool(event.transcript.text)
        found.woken += wakes(event.transcript.text) is not None


def missed(results: Mapping[str, Heard]) -> list[str]:
    """Ghost words where nobody speaks, and answers to people who speak to each other."""
    wrong = [
        f"{kind}: expected no word in {results[kind].minutes:g} minutes, got {results[kind].worded} utterances with "
        f"words and {results[kind].partials} partial texts"
        for kind in NOBODY
        if kind in results and (results[kind].worded or results[kind].partials)
    ]
    wrong += [
        f"{kind}: expected no answer in {one.minutes:g} minutes, got {one.woken}"
        for kind, one in results.items()
        if one.woken
    ]
    return wrong


def _level(sound: np.ndarray) -> Samples:
    return (sound * (10 ** (LEVEL_DB / 20) / np.sqrt(np.mean(sound**2)))).astype(np.float32)
