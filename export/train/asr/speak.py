"""Speaks sentences with espeak-ng: many voices, rates, pitches and ranges, and which of them each part may use.

The voice `cmn-latn-pinyin` is given pinyin with tones (`units.said`): from Hanzi it would guess polyphones, and the
voice `cmn` reads tone digits in English. espeak-ng is GPL-3: it runs as a program of its own.
"""

from __future__ import annotations

import random
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from export.train.asr import units

Samples = npt.NDArray[np.float32]

RATE = 22050
"""Samples per second that espeak-ng gives."""
_LANGUAGE = "cmn-latn-pinyin"
_PATIENCE_S = 30
OWN = 100
"""The voice's own range of pitch, in percent of itself."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A way of speaking."""

    voice: str
    """Variant of espeak-ng; empty is the plain voice."""
    rate: int
    """Words per minute, as espeak-ng counts them: 175 is its usual one, about four syllables a second."""
    pitch: int
    """0 to 99."""
    melody: int = OWN
    """How far the pitch moves, in percent of the voice's own range, which is narrow for the tones of Mandarin."""


@dataclass(frozen=True, slots=True)
class Range:
    """Settings to draw from."""

    low: tuple[str, ...]
    """Variants that speak low, as men do."""
    high: tuple[str, ...]
    """Variants that speak higher."""
    rates: tuple[int, ...]
    """Rates."""
    low_pitches: tuple[int, ...]
    """Pitches of the low ones: espeak-ng's usual 50 is deep for them, and below it little is left of the tones."""
    high_pitches: tuple[int, ...]
    """Pitches of the high ones."""
    melodies: tuple[int, ...]
    """Ranges of the pitch."""

    @property
    def voices(self) -> tuple[str, ...]:
        """All variants."""
        return (*self.low, *self.high)

    @property
    def pitches(self) -> tuple[int, ...]:
        """All pitches."""
        return (*self.low_pitches, *self.high_pitches)

    def draw(self, rng: random.Random) -> Setting:
        """One of them."""
        voice = rng.choice(self.voices)
        pitches = self.high_pitches if voice in self.high else self.low_pitches
        return Setting(voice, rng.choice(self.rates), rng.choice(pitches), rng.choice(self.melodies))


RANGES: Mapping[str, Range] = {
    "train": Range(
        ("", "m1", "m2", "m3", "m5", "m6", "m8", "Alex", "Andy", "Denis", "Diogo", "Jacky", "Lee", "Marco", "Mario",
         "Michael", "Mike", "Nguyen", "antonio", "benjamin", "boris", "caleb", "ed", "edward", "klatt", "klatt2",
         "klatt4", "max", "michel", "miguel", "pablo", "paul", "quincy", "rob", "travis", "victor"),
        ("f1", "f2", "f4", "Annie", "anika", "aunty", "belinda", "grandma", "linda", "shelby", "steph", "zac"),
        tuple(range(120, 251, 10)),
        (55, 60, 65, 70, 80, 85, 95), (25, 35, 40, 45, 55, 60),
        (100, 140, 180, 200),
    ),
    "dev": Range(("m7", "Henrique"), ("f5", "Andrea"), (135, 165, 205), (62, 77), (32, 52), (130, 190)),
    "test": Range(
        ("m4", "adam", "david"), ("f3", "Alicia", "steph2"), (143, 157, 173, 187, 213),
        (58, 67, 73, 88), (28, 42, 48, 58), (120, 150, 170),
    ),
}  # fmt: skip
"""Voices, rates, pitches and ranges of each part; no two parts share any of them."""


class SpeechFailed(RuntimeError):
    """espeak-ng is missing or failed; the message says what to do."""


class Crashed(SpeechFailed):
    """espeak-ng died of this sentence in this setting: 1.51 does now and then of wide ranges."""


def synthesise(text: str, setting: Setting) -> Samples:
    """Speak `text` (see `text.Line.text`): float32 samples in [-1, 1] at RATE, shape (n,).

    Raises SpeechFailed, or Crashed.
    """
    voice = f"{_LANGUAGE}+{setting.voice}" if setting.voice else _LANGUAGE
    command = ["espeak-ng", "-m", "-v", voice, "-s", str(setting.rate), "-p", str(setting.pitch), "--stdout", "--stdin"]
    # SSML, the only way to a wider range; pinyin and commas need no escapes.
    told = f'<speak><prosody range="{setting.melody}%">{units.said(text)}</prosody></speak>'
    try:
        done = subprocess.run(command, input=told.encode(), capture_output=True, timeout=_PATIENCE_S)
    except FileNotFoundError as error:
        raise SpeechFailed("expected the program espeak-ng, found none: apt-get install espeak-ng") from error
    data = done.stdout.find(b"data")
    if done.returncode or data < 0:
        said = done.stderr.decode("utf-8", "replace").strip() or f"{len(done.stdout)} bytes"
        kind = Crashed if done.returncode < 0 else SpeechFailed  # ended by a signal
        raise kind(f"{' '.join(command)}: expected sound, got {said}")
    # The length in the head of a stream is not known to its writer: everything behind the head is sound.
    pcm = np.frombuffer(done.stdout[data + 8 : len(done.stdout) - (len(done.stdout) - data) % 2], "<i2")
    found: Samples = (pcm / np.float32(32768)).astype(np.float32)
    return found


def spoken(text: str, setting: Setting) -> tuple[Samples, Setting]:
    """`text` as by `synthesise`, and how it was said: in the voice's own range where a wider one kills the program."""
    try:
        return synthesise(text, setting), setting
    except Crashed:
        if setting.melody == OWN:
            raise
        usual = replace(setting, melody=OWN)
        return synthesise(text, usual), usual


def settings(part: str, count: int, seed: int) -> Sequence[Setting]:
    """`count` settings drawn from the range of a part, always the same for a seed."""
    rng = random.Random(f"{part}-{seed}")
    return [RANGES[part].draw(rng) for _ in range(count)]
