"""Makes speech slower or faster without changing its pitch, whatever engine made it.

Waveform similarity overlap-add (Verhelst and Roelands, "An overlap-add technique based on waveform similarity (WSOLA)
for high quality time-scale modification of speech", ICASSP 1993): windows of 30 ms are taken from the sound at the
asked pace, each from where it goes on best with what stands there already.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from appliance.errors import InvalidInput
from appliance.values import Audio

SLOWEST, FASTEST = 0.25, 4.0
WINDOW_S, REACH_S = 0.03, 0.008
"""Length of a window, and how far around its place it is looked for."""


def at_pace(audio: Audio, pace: float) -> Audio:
    """`audio` lasting 1 / `pace` as long, at the same rate and pitch. Raises InvalidInput outside 0.25 to 4."""
    if not SLOWEST <= pace <= FASTEST:
        raise InvalidInput(f"speed: expected {SLOWEST} to {FASTEST}, got {pace}")
    length = round(len(audio.samples) / pace)
    half = round(audio.rate * WINDOW_S / 2)
    if pace == 1.0 or len(audio.samples) < 4 * half:
        return audio
    reach = round(audio.rate * REACH_S)
    source = np.concatenate([audio.samples, np.zeros(3 * half + 2 * reach, np.float32)])
    shape = np.hanning(2 * half + 1)[:-1].astype(np.float32)  # halves of neighbours add up to one
    out = np.zeros(length + 3 * half, np.float32)
    follows: npt.NDArray[np.float32] | None = None
    for begin in range(0, length, half):
        at = round(begin * pace)
        if follows is not None:
            low = max(0, at - reach)
            at = low + _likest(source[low : at + reach + half], follows)
        out[begin : begin + 2 * half] += source[at : at + 2 * half] * shape
        follows = source[at + half : at + 2 * half]
    out[:half] += source[:half] * shape[half:]  # the first half has no neighbour before it
    return Audio(np.clip(out[:length], -1.0, 1.0), audio.rate)


def _likest(span: npt.NDArray[np.float32], wanted: npt.NDArray[np.float32]) -> int:
    """Where in `span` a stretch begins that is most like `wanted`: the highest normalised cross-correlation."""
    product = np.correlate(span, wanted, "valid")
    squares = np.cumsum(np.concatenate([[0.0], span.astype(np.float64) ** 2]))
    energy = squares[len(wanted) :] - squares[: -len(wanted)]
    return int(np.argmax(product / np.sqrt(np.maximum(energy, 1e-9))))
