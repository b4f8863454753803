"""What the tones of Mandarin are heard by: whether a sound has a pitch, how high it is for its voice, where it goes.

Filter banks of 25 ms hardly tell one pitch of a voice from the next, and a contour looks different at each height: a
network that has to find it there guesses tones from the words around. So the pitch is followed here and told free of
the voice's height, as in Ghahremani et al. 2014 (A pitch extraction algorithm tuned for automatic speech recognition):
the normalised autocorrelation (Boersma 1993) over periods spaced evenly in the logarithm, the best path through it by
dynamic programming, three numbers of that. Unlike theirs it never looks ahead, and its constants are its own.
"""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt

from appliance.speech.resample import RATE

LAGS = 48
"""Periods: from the lowest pitch to the highest."""
LOWEST, HIGHEST = 55.0, 420.0
"""Pitch in Hz."""
WINDOW = 40 * RATE // 1000
"""Samples that a frame is computed from: at least two periods of nearly every voice."""
TRACKS = 3
"""Numbers that a frame gets: see `Tracker`."""
_SIZE = 1024
"""Samples of the transform: the window and the longest period, nothing wraps around."""
_RISE = 40.0, 100.0
"""Hz between which sound begins to count: below are the mains and what rumbles, above a deep voice."""
_BAND = 1200.0
"""Hz above which nothing counts: harmonics beyond say little of the pitch and much of the vowel."""
_QUIET = 1e-7
"""Power a sample, added to that of the sound: what is as faint as a sound card's own hiss has no pitch."""
_SEMITONES = 12 * np.log2(HIGHEST / LOWEST) / (LAGS - 1)
"""Between one period and the next."""
_JUMP, _OCTAVE = 0.058, 0.048
"""What a path pays for a semitone from one frame to the next, and for an octave of depth: of pitches that fit equally
well the highest is the voice's."""
_MEMORY = 0.9
"""How much of a path's score is left a frame later."""
_APART = 4
"""Frames between two whose pitches are compared."""
_FURTHEST = 6.0
"""Semitones that a pitch moves in that time at most; what is more is another voice, or a mistake."""
_VOICED = 0.3
"""Periodicity from which on a frame tells how high the voice is."""
_FORGET = float(np.exp(-1 / 75))
"""How much less a frame says of that than the one after it: three quarters of a second."""
_FORGOTTEN = 1e-10
"""Weight (power, full scale 1) below which nothing is known of the voice."""
_WIDEST = 8.0
"""Semitones above or below the voice's usual height that are told apart."""

Frame = npt.NDArray[np.float32]

_HANN = np.hanning(WINDOW + 2)[1:-1]
_PERIODS = RATE / np.geomspace(HIGHEST, LOWEST, LAGS)
_BELOW = np.floor(_PERIODS).astype(np.int64)
_PART = _PERIODS - _BELOW
_FREQUENCIES = np.fft.rfftfreq(_SIZE, 1 / RATE)
_GAIN = np.clip((_FREQUENCIES - _RISE[0]) / (_RISE[1] - _RISE[0]), 0, 1) * (_FREQUENCIES < _BAND)
_HELD = float((_HANN**2).sum())
_OF_WINDOW = np.fft.irfft(np.abs(np.fft.rfft(_HANN, _SIZE)) ** 2)
_OF_WINDOW = _OF_WINDOW / _OF_WINDOW[0]
_LAGS = np.arange(LAGS)
_JUMPS = _JUMP * _SEMITONES * np.abs(_LAGS[:, None] - _LAGS)
_DEPTHS = _OCTAVE / 12 * _SEMITONES * _LAGS


def periodicity(samples: npt.NDArray[np.float32]) -> tuple[Frame, float]:
    """Autocorrelation of WINDOW samples at 16 kHz, shape (LAGS,), shortest period first; about -0.5 to 1, 0 in silence.

    And their power a sample where it counts. Always of one frame at a time: the same sound gives the same numbers,
    however it was cut.
    """
    spectrum = np.fft.rfft((samples - samples.mean(dtype=np.float64)) * _HANN, _SIZE)
    power = np.abs(spectrum) ** 2 * _GAIN
    again = np.fft.irfft(power)
    scaled = again[: _BELOW[-1] + 2] / (_OF_WINDOW[: _BELOW[-1] + 2] * (again[0] + _QUIET * WINDOW))
    found: Frame = (scaled[_BELOW] * (1 - _PART) + scaled[_BELOW + 1] * _PART).astype(np.float32)
    return np.clip(found, -1.0, 1.0), max(float(again[0]), 0.0) / _HELD


class Tracker:
    """Follows the pitch of a sound from frame to frame (10 ms), for one sound at a time."""

    def __init__(self) -> None:
        """Begin a sound: nothing is known of the voice."""
        self._score = np.zeros(LAGS)
        self._last: deque[tuple[float, float]] = deque(maxlen=_APART)
        """(pitch in semitones, periodicity) of the frames before."""
        self._usual = self._weight = 0.0
        """The voice's mean pitch, and what that rests on."""

    def __call__(self, strength: Frame, power: float) -> Frame:
        """Take the next frame's `periodicity`, shape (LAGS,), and power, and tell of it, shape (TRACKS,):

        how periodic the sound is (0 to 1); semitones above the voice's usual pitch, over 4; semitones since 40 ms ago,
        over 2. The latter two are weighed by how periodic the sound is, so that they are 0 where nothing has a pitch.
        """
        self._score = (self._score * _MEMORY - _JUMPS).max(1) + strength - _DEPTHS
        best = int(self._score.argmax())
        pitch = -_SEMITONES * (best + _beside(strength, best))
        # What still grows at the longest or the shortest period is no ridge: a ramp, or a tone beyond all voices.
        voiced = max(float(strength[best]), 0.0) if 0 < best < LAGS - 1 else 0.0
        level = min(max(pitch - self._usual, -_WIDEST), _WIDEST) * voiced if self._weight else 0.0
        change = 0.0
        if len(self._last) == _APART:
            before, then = self._last[0]
            change = (pitch - before) * min(voiced, then) if abs(pitch - before) < _FURTHEST else 0.0
        self._last.append((pitch, voiced))
        self._remember(pitch, voiced, power)
        return np.array((voiced, level / 4, change / 2), np.float32)

    def _remember(self, pitch: float, voiced: float, power: float) -> None:
        """By power, too: what hums while nobody speaks is as periodic as a voice."""
        kept, new = self._weight * _FORGET, voiced**2 * power if voiced > _VOICED else 0.0
        if kept + new < _FORGOTTEN:
            self._weight = 0.0
            return
        self._usual = (self._usual * kept + pitch * new) / (kept + new)
        self._weight = kept + new


def _beside(strength: Frame, at: int) -> float:
    """Where between its neighbours a peak is, -0.5 to 0.5 periods from `at`: by the parabola through the three."""
    if not 0 < at < LAGS - 1:
        return 0.0
    left, middle, right = (float(strength[at + step]) for step in (-1, 0, 1))
    bend = left - 2 * middle + right
    return min(max((left - right) / 2 / bend, -0.5), 0.5) if bend < -1e-6 else 0.0
