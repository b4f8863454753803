"""Makes clean speech sound as at a counter: rooms, noise, other voices, levels, telephone lines; and masks features.

Everything is drawn from a numpy generator, so that a seed gives the same sound. Sounds are float32 (n,) at 16 kHz.
Masking of features in training: SpecAugment (Park et al. 2019, arXiv 1904.08779), without time warping.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from appliance.speech.ctc.features import MELS
from export.train.asr.speak import RATE as SPOKEN

Samples = npt.NDArray[np.float32]
Draw = np.random.Generator

RATE = 16000
COLOURS = {"white": 0.0, "pink": 1.0, "brown": 2.0, "blue": -1.0}
"""Exponents of frequency by which a noise's power falls."""


@dataclass(frozen=True, slots=True)
class Chances:
    """How often each distortion happens, and how strong it is."""

    room: float = 0.35
    """Share with reverberation."""
    noise: float = 0.4
    """Share with coloured noise."""
    babble: float = 0.15
    """Share with other voices behind."""
    line: float = 0.15
    """Share through a narrow band or a coarse codec."""
    speed: float = 0.08
    """Largest change of speed, which changes the pitch and the length of the throat, too."""
    quietest: float = 8.0
    """Least signal-to-noise ratio in dB."""
    loudest: float = 30.0
    """Largest signal-to-noise ratio in dB."""
    low: float = -40.0
    """Least level in dB of full scale (root mean square)."""
    high: float = -12.0
    """Largest level."""


USUAL = Chances()
CLEAN = Chances(room=0, noise=0, babble=0, line=0, speed=0, low=-20, high=-20)
"""Only brought to a level, with silence around."""
COUNTER = Chances(room=1, noise=1, babble=0.3, line=0, speed=0, quietest=12, loudest=25, low=-30, high=-15)
"""What a held-out sentence sounds like at a counter."""


def resampled(samples: Samples, factor: float = 1.0) -> Samples:
    """espeak-ng's 22,050 Hz at 16 kHz, spoken `factor` times as fast."""
    import soxr

    found: Samples = soxr.resample(samples, SPOKEN * factor, RATE, quality="MQ").astype(np.float32)
    return found


def coloured(draw: Draw, count: int, exponent: float) -> Samples:
    """Noise whose power falls with frequency to the power `exponent`, root mean square 1."""
    size = 1 << max(8, (count - 1).bit_length())
    spectrum = draw.standard_normal(size // 2 + 1) + 1j * draw.standard_normal(size // 2 + 1)
    frequency = np.maximum(np.arange(size // 2 + 1), 20 * size / RATE)
    wave = np.fft.irfft(spectrum * frequency ** (-exponent / 2), size)[:count]
    found: Samples = (wave / np.sqrt(np.mean(wave**2))).astype(np.float32)
    return found


def hum(draw: Draw, count: int) -> Samples:
    """A fan or a refrigerator: a low tone with its overtones over brown noise."""
    tone, at = draw.uniform(45, 130), np.arange(count) / RATE
    wave = sum(draw.uniform(0.1, 1) / n * np.sin(2 * np.pi * (tone * n * at + draw.random())) for n in range(1, 7))
    return _unit(_unit(np.asarray(wave, np.float32)) + draw.uniform(0.3, 1.5) * coloured(draw, count, 2.0))


def chatter(draw: Draw, count: int, others: Sequence[Samples], voices: int) -> Samples:
    """Several of `others` at once, each from anywhere, repeated to length."""
    mixed = np.zeros(count, np.float32)
    for _ in range(voices):
        other = others[int(draw.integers(len(others)))]
        mixed += draw.uniform(0.3, 1.0) * np.resize(np.roll(_unit(other), int(draw.integers(len(other)))), count)
    return _unit(mixed)


def room(draw: Draw) -> Samples:
    """An impulse response: the direct sound, a few early reflections, then noise that decays (Moorer 1979)."""
    decay = draw.uniform(0.08, 0.45)
    count = int(decay * RATE)
    tail = draw.standard_normal(count) * 10 ** (-3 * np.arange(count) / count)
    tail *= draw.uniform(0.02, 0.12)
    tail[: int(0.004 * RATE)] = 0
    for _ in range(int(draw.integers(2, 7))):
        tail[int(draw.uniform(0.002, 0.03) * RATE)] += draw.uniform(-0.4, 0.4)
    tail[0] = 1.0
    return tail.astype(np.float32)


def convolved(samples: Samples, response: Samples) -> Samples:
    """`samples` in a room, as long as before."""
    size = 1 << (len(samples) + len(response) - 2).bit_length()
    wave = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(response, size), size)
    return wave[: len(samples)].astype(np.float32)


def through_line(draw: Draw, samples: Samples) -> Samples:
    """A narrow band, and sometimes the eight bits of a telephone (G.711's mu law)."""
    size = 1 << (len(samples) - 1).bit_length()
    frequency = np.fft.rfftfreq(size, 1 / RATE)
    low, high = draw.uniform(50, 300), draw.choice((3400, 4000, 5500, 7000))
    gain = 1 / (1 + (low / np.maximum(frequency, 1)) ** 6) / (1 + (frequency / high) ** 16)
    wave = np.fft.irfft(np.fft.rfft(samples, size) * gain, size)[: len(samples)]
    if draw.random() < 0.5:
        peak = np.abs(wave).max() or 1.0
        squeezed = np.sign(wave) * np.log1p(255 * np.abs(wave / peak)) / np.log(256)
        coarse = np.round(squeezed * 127) / 127
        wave = np.sign(coarse) * (256 ** np.abs(coarse) - 1) / 255 * peak
    return wave.astype(np.float32)


def placed(spoken: Samples, draw: Draw, chances: Chances) -> Samples:
    """`spoken` (espeak-ng's, 22,050 Hz) at 16 kHz, at some speed, with 0.1 to 0.45 s of silence on both sides."""
    speed = float(draw.uniform(1 - chances.speed, 1 + chances.speed)) if chances.speed else 1.0
    around = [np.zeros(int(draw.uniform(0.1, 0.45) * RATE), np.float32) for _ in range(2)]
    return np.concatenate((around[0], resampled(spoken, speed), around[1]))


def distorted(wave: Samples, draw: Draw, chances: Chances, others: Sequence[Samples] = ()) -> Samples:
    """`wave` as a microphone may hear it, as long as before; `others` are sounds for voices behind.

    Loud peaks are cut as a sound card does.
    """
    if draw.random() < chances.room:
        wave = convolved(wave, room(draw))
    wave = _unit(wave)
    noise = np.zeros(len(wave), np.float32)
    if draw.random() < chances.noise:
        kind = str(draw.choice((*COLOURS, "hum")))
        made = hum(draw, len(wave)) if kind == "hum" else coloured(draw, len(wave), COLOURS[kind])
        noise += made * _below(draw, chances)
    if others and draw.random() < chances.babble:
        noise += chatter(draw, len(wave), others, int(draw.integers(1, 5))) * _below(draw, chances) * 0.7
    wave = wave + noise
    if draw.random() < chances.line:
        wave = through_line(draw, wave)
    level = 10 ** (draw.uniform(chances.low, chances.high) / 20)
    # The sound card's own hiss: without it digital silence would tell where speech is.
    hiss = draw.standard_normal(len(wave), np.float32) * np.float32(10 ** (draw.uniform(-85, -65) / 20))
    found: Samples = np.clip(_unit(wave) * level + hiss, -1, 1).astype(np.float32)
    return found


def masked(features: npt.NDArray[np.float32], draw: Draw, fill: npt.NDArray[np.float32]) -> None:
    """Cover up to two groups of bands and, a second of sound each, up to one stretch of 60 ms with `fill`, in place.

    Bands are the filter banks: the pitch's few numbers are covered with all others of a stretch only.

    No more than that: what a masked syllable was, nothing around it tells, and three epochs are too few to overfit in.
    """
    count = len(features)
    for _ in range(2):
        width = int(draw.integers(0, 9))
        at = int(draw.integers(0, MELS - width + 1))
        features[:, at : at + width] = fill[at : at + width]
    for _ in range(max(1, count // 100)):
        width = int(draw.integers(0, min(7, max(2, count // 8))))
        at = int(draw.integers(0, max(1, count - width)))
        features[at : at + width] = fill


def _below(draw: Draw, chances: Chances) -> float:
    return float(10 ** (-draw.uniform(chances.quietest, chances.loudest) / 20))


def _unit(wave: Samples) -> Samples:
    """`wave` with a root mean square of 1 over what is not silent."""
    power = float(np.sqrt(np.mean(wave[np.abs(wave) > 1e-4] ** 2))) if (np.abs(wave) > 1e-4).any() else 1.0
    return (wave / power).astype(np.float32)
