"""Finds speech in a recording: Silero VAD 6 frame by frame, then segments by hysteresis.

The network is the `16k_sequence` graph of silero-vad 6.2 (MIT, github.com/snakers4/silero-vad): a frame is 512 new
samples at 16 kHz (32 ms) behind the last 64 of the frame before, and an LSTM state goes from frame to frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from appliance.errors import InvalidInput, SettingInvalid
from appliance.inference.backend import Run
from appliance.speech.resample import RATE
from appliance.values import Audio, Segment

FRAME = 512
"""New samples in one frame."""
CONTEXT = 64
"""Samples of the frame before that each frame repeats."""
FRAME_SECONDS = FRAME / RATE
"""Length of one frame: 0.032 s."""

_FRAMES_AT_ONCE = 256
"""Frames in one run, about 8 s: bounds memory and lets a deadline be kept between runs."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How frame probabilities become segments; times in seconds."""

    threshold: float = 0.5
    """Probability at which speech begins."""
    release: float = 0.35
    """Probability below which speech may have ended; lower than `threshold`, so that a segment does not flicker."""
    minimum_speech: float = 0.1
    """Shorter bursts are dropped; a curt 是 lasts about 0.15 s."""
    minimum_silence: float = 0.5
    """Speech has ended when the probability stays below `release` for this long."""
    pre_roll: float = 0.3
    """Kept before speech: consonants are soft, and the first syllable is easily clipped."""
    tail: float = 0.3
    """Kept after speech, for the same reason."""
    maximum: float = 20.0
    """Longest segment without its padding; a longer one is cut where it is most likely silent."""

    def __post_init__(self) -> None:
        """Refuse rules that contradict each other."""
        if not 0 < self.release <= self.threshold < 1:
            raise SettingInvalid(
                f"VAD rules: expected 0 < release <= threshold < 1, got {self.release} and {self.threshold}"
            )
        if min(self.minimum_speech, self.minimum_silence, self.pre_roll, self.tail) < 0:
            raise SettingInvalid(f"VAD rules: expected times of 0 or more, got {self}")
        if not self.maximum >= 1:
            raise SettingInvalid(f"VAD rules: expected a maximum of at least 1 s, got {self.maximum}")


USUAL = Rules()
"""Rules for somebody who speaks a sentence at a counter."""


class Vad:
    """Voice activity detection over a network. Thread-safe: each call carries its own state."""

    def __init__(self, run: Run, rules: Rules = USUAL) -> None:
        """Use `run` for the network and `rules` for the segments."""
        self._run = run
        self.rules = rules

    def segments(self, audio: Audio, *, deadline: float | None = None) -> tuple[Segment, ...]:
        """Stretches of speech in `audio` (16 kHz), in order, not overlapping; empty when nobody speaks."""
        return find_segments(self.probabilities(audio, deadline=deadline), self.rules, audio.seconds)

    def probabilities(self, audio: Audio, *, deadline: float | None = None) -> npt.NDArray[np.float32]:
        """Probability of speech in each 32 ms of `audio`, float32 of shape (ceil(n / 512),).

        Raises InvalidInput unless `audio` is at 16 kHz, and whatever the network's backend raises.
        """
        if audio.rate != RATE:
            raise InvalidInput(f"voice activity detection: expected {RATE} samples per second, got {audio.rate}")
        frames = _frames(audio.samples)
        h = c = np.zeros((1, 1, 128), np.float32)
        parts = [np.zeros(0, np.float32)]
        for first in range(0, len(frames), _FRAMES_AT_ONCE):
            block = np.ascontiguousarray(frames[first : first + _FRAMES_AT_ONCE])
            out = self._run({"input": block, "h": h, "c": c}, deadline=deadline)
            parts.append(out["speech_probs"])
            h, c = out["hn"], out["cn"]
        return np.concatenate(parts)


def find_segments(
    probabilities: Sequence[float] | npt.NDArray[np.float32], rules: Rules, seconds: float
) -> tuple[Segment, ...]:
    """Turn frame probabilities into padded segments inside [0, `seconds`]; padding never makes two overlap."""
    values = np.asarray(probabilities, np.float32)
    pieces = [piece for run in _runs(values, rules) for piece in _cut(values, *run, _frames_in(rules.maximum))]
    found = []
    for index, (start, end) in enumerate(pieces):
        # Where two paddings would meet, the gap is shared in the middle.
        before = (pieces[index - 1][1] + start) / 2 * FRAME_SECONDS if index else 0.0
        after = (end + pieces[index + 1][0]) / 2 * FRAME_SECONDS if index + 1 < len(pieces) else seconds
        begin = max(start * FRAME_SECONDS - rules.pre_roll, before)
        found.append(Segment(begin, min(end * FRAME_SECONDS + rules.tail, after, seconds)))
    return tuple(found)


def _frames(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Overlapping frames, shape (ceil(n / 512), 576): a view of one padded copy, zeros before and behind."""
    count = -(-len(samples) // FRAME)
    padded = np.zeros(CONTEXT + count * FRAME, np.float32)
    padded[CONTEXT : CONTEXT + len(samples)] = samples
    if not count:
        return padded[:0].reshape(0, CONTEXT + FRAME)
    return np.lib.stride_tricks.sliding_window_view(padded, CONTEXT + FRAME)[::FRAME]


def _runs(values: npt.NDArray[np.float32], rules: Rules) -> list[tuple[int, int]]:
    """Runs of speech as [first, last) frames: entered at `threshold`, left after enough frames below `release`."""
    patience, shortest = max(1, _frames_in(rules.minimum_silence)), max(1, _frames_in(rules.minimum_speech))
    runs = []
    start, last, voiced = -1, -1, 0
    for index, value in enumerate(values):
        if start < 0:
            if value >= rules.threshold:
                start, last, voiced = index, index, 1
        elif value >= rules.release:
            last, voiced = index, voiced + 1
        elif index - last >= patience:
            if voiced >= shortest:
                runs.append((start, last + 1))
            start = -1
    if start >= 0 and voiced >= shortest:
        runs.append((start, last + 1))
    return runs


def _cut(values: npt.NDArray[np.float32], start: int, end: int, longest: int) -> list[tuple[int, int]]:
    """Cut [start, end) into pieces of at most `longest` frames, each in its second half, where it is least speech."""
    pieces = []
    while end - start > longest:
        middle = start + longest // 2
        cut = middle + int(np.argmin(values[middle : start + longest]))
        pieces.append((start, cut))
        start = cut
    return [*pieces, (start, end)]


def _frames_in(seconds: float) -> int:
    return round(seconds / FRAME_SECONDS)
