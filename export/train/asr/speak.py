"""Speaks sentences with espeak-ng, many voices, rates and pitches; which of them training, dev and test may use.

The voice `cmn-latn-pinyin` is given pinyin with tones (`units.said`): from Hanzi it would guess polyphones, and the
voice `cmn` reads tone digits in English. espeak-ng is GPL-3: it runs as a program of its own.
"""

from __future__ import annotations

import random
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from export.train.asr import units

Samples = npt.NDArray[np.float32]

RATE = 22050
"""Samples per second that espeak-ng gives."""
_LANGUAGE = "cmn-latn-pinyin"
_PATIENCE_S = 30


@dataclass(frozen=True, slots=True)
class Setting:
    """A way of speaking."""

    voice: str
    """Variant of espeak-ng; empty is the plain voice."""
    rate: int
    """Words per minute, as espeak-ng counts them: 175 is its usual one, about four syllables a second."""
    pitch: int
    """0 to 99."""


@dataclass(frozen=True, slots=True)
class Range:
    """Settings to draw from."""

    voices: tuple[str, ...]
    """Variants."""
    rates: tuple[int, ...]
    """Rates."""
    pitches: tuple[int, ...]
    """Pitches."""

    def draw(self, rng: random.Random) -> Setting:
        """One of them."""
        return Setting(rng.choice(self.voices), rng.choice(self.rates), rng.choice(self.pitches))


RANGES: Mapping[str, Range] = {
    "train": Range(
        ("", "m1", "m2", "m3", "m5", "m6", "m8", "f1", "f2", "f4", "Alex", "Andy", "Annie", "Denis", "Diogo", "Jacky",
         "Lee", "Marco", "Mario", "Michael", "Mike", "Nguyen", "anika", "antonio", "aunty", "belinda", "benjamin",
         "boris", "caleb", "ed", "edward", "grandma", "klatt", "klatt2", "klatt4", "linda", "max", "michel", "miguel",
         "pablo", "paul", "quincy", "rob", "shelby", "steph", "travis", "victor", "zac"),
        tuple(range(120, 251, 10)),
        (15, 25, 35, 45, 50, 55, 65, 75, 85),
    ),
    "dev": Range(("m7", "f5", "Henrique", "Andrea"), (135, 165, 205), (40, 60)),
    "test": Range(("m4", "f3", "Alicia", "adam", "david", "steph2"), (143, 157, 173, 187, 213), (30, 48, 58, 70)),
}  # fmt: skip
"""Voices, rates and pitches of each part; no two parts share any of the three."""


class SpeechFailed(RuntimeError):
    """espeak-ng is missing or failed; the message says what to do."""


def synthesise(text: str, setting: Setting) -> Samples:
    """Speak `text` (see `text.Line.text`): float32 samples in [-1, 1] at RATE, shape (n,). Raises SpeechFailed."""
    voice = f"{_LANGUAGE}+{setting.voice}" if setting.voice else _LANGUAGE
    command = ["espeak-ng", "-v", voice, "-s", str(setting.rate), "-p", str(setting.pitch), "--stdout", "--stdin"]
    try:
        done = subprocess.run(command, input=units.said(text).encode(), capture_output=True, timeout=_PATIENCE_S)
    except FileNotFoundError as error:
        raise SpeechFailed("expected the program espeak-ng, found none: apt-get install espeak-ng") from error
    data = done.stdout.find(b"data")
    if done.returncode or data < 0:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise SpeechFailed(f"espeak-ng -v {voice}: expected sound, got {said or f'{len(done.stdout)} bytes'}")
    # The length in the head of a stream is not known to its writer: everything behind the head is sound.
    pcm = np.frombuffer(done.stdout[data + 8 : len(done.stdout) - (len(done.stdout) - data) % 2], "<i2")
    found: Samples = (pcm / np.float32(32768)).astype(np.float32)
    return found


def settings(part: str, count: int, seed: int) -> Sequence[Setting]:
    """`count` settings drawn from the range of a part, always the same for a seed."""
    rng = random.Random(f"{part}-{seed}")
    return [RANGES[part].draw(rng) for _ in range(count)]
