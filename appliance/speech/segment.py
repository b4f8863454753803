"""Finds utterances in sound as it comes: the network and the rules of `vad`, one frame after the other.

The speech found is that of `vad.find_segments` on the same probabilities, frame by frame, also where a long utterance
is cut: that a cut is due is known when its range has been heard. Only what needs the future differs: where two
utterances lie so near that their padding would meet, the gap is not shared in the middle, the first one has its whole
tail; and a tail is never longer than what was heard when the end was known.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from appliance.inference.backend import Run
from appliance.speech.resample import RATE
from appliance.speech.vad import CONTEXT, FRAME, FRAME_SECONDS, USUAL, Rules
from appliance.values import Audio

Samples = npt.NDArray[np.float32]

_FRAMES_AT_ONCE = 256
"""Frames in one run at most, about 8 s, as for a recording."""
_STATE = (1, 1, 128)


@dataclass(frozen=True, slots=True)
class Began:
    """Somebody has spoken for the minimum of speech."""

    at: float
    """Where the sound that follows begins, in seconds of the stream: the speech with its pre-roll."""
    onset: float
    """Where the speech itself begins, in seconds of the stream."""


@dataclass(frozen=True, slots=True)
class Speech:
    """The next piece of the utterance; all pieces together are the audio of `Ended`, unless that is cut."""

    samples: Samples
    """Sound at 16 kHz, float32 of shape (n,)."""


@dataclass(frozen=True, slots=True)
class Ended:
    """An utterance is over."""

    audio: Audio
    """All of it, with pre-roll and tail. After a cut it ends at the cut, though pieces beyond have been given out."""
    start: float
    """Where `audio` begins, in seconds of the stream."""
    end: float
    """Where `audio` ends, in seconds of the stream."""
    reason: str
    """`silence`, `maximum` (cut where speech is least likely: what follows begins the next utterance) or `flushed`."""
    onset: float
    """Where the speech itself begins, in seconds of the stream."""
    last: float
    """Where the speech itself ends, in seconds of the stream."""
    decided: float
    """How far the stream had been heard when the end was known, in seconds of the stream."""


Event = Began | Speech | Ended


class Endpointer:
    """Voice activity detection on a stream. Not thread-safe: one stream, one caller."""

    # What `reset` sets, and methods above it use.
    _rest: Samples
    _origin: int
    _length: int

    def __init__(self, run: Run, rules: Rules = USUAL) -> None:
        """Use `run` for the network (`vad.onnx`) and `rules` for the utterances."""
        self._run = run
        self.rules = rules
        self._patience = max(1, _frames_in(rules.minimum_silence))
        self._shortest = max(1, _frames_in(rules.minimum_speech))
        self._longest = _frames_in(rules.maximum)
        self._pre_roll, self._tail = round(rules.pre_roll * RATE), round(rules.tail * RATE)
        self.reset()

    @property
    def speaking(self) -> bool:
        """True between Began and Ended."""
        return self._begin is not None

    @property
    def heard(self) -> float:
        """Seconds of the stream so far, with what waits for its frame to fill."""
        return (self._origin + self._length + len(self._rest)) / RATE

    def feed(self, samples: Samples) -> list[Event]:
        """Hear `samples` (16 kHz, float32 of shape (n,), any n) and tell what they bring, in order.

        Raises what the network raises; nothing of `samples` has been heard then.
        """
        sound = np.concatenate([self._rest, np.asarray(samples, np.float32)])
        whole = len(sound) // FRAME * FRAME
        events = self._hear(sound[:whole], whole)
        self._rest = sound[whole:]
        return events

    def flush(self) -> list[Event]:
        """End the utterance in progress now, as at the end of a recording. Time goes on; what comes is heard anew."""
        count = len(self._rest)
        padded = np.zeros(-(-count // FRAME) * FRAME, np.float32)
        padded[:count] = self._rest
        events = self._hear(padded, count)
        if self.speaking:
            events.append(self._ended("flushed"))
        origin = self._origin + self._length
        self.reset()
        self._origin = origin
        return events

    def reset(self) -> None:
        """Forget everything: the utterance in progress, the network's state, and the time."""
        self._h: Samples = np.zeros(_STATE, np.float32)
        self._c: Samples = np.zeros(_STATE, np.float32)
        self._context: Samples = np.zeros(CONTEXT, np.float32)
        self._rest = np.zeros(0, np.float32)
        self.probability = 0.0
        """Probability of speech in the last frame heard."""
        self._origin = 0  # samples of the stream before frame 0
        self._length = 0  # samples heard since then
        self._frames: list[Samples] = []  # what may still be needed, the first of them is frame `_kept`
        self._kept: int = 0
        self._start = self._last = -1  # frames: where the speech began that may become an utterance, where it was last
        self._voiced = 0
        self._values: list[np.float32] = []  # probabilities since `_start`
        self._floor = 0  # samples: nothing before belongs to the next utterance
        self._begin: int | None = None  # samples: where the audio of the utterance begins
        self._sent = 0  # samples: given out up to here

    def _hear(self, sound: Samples, length: int) -> list[Event]:
        """Hear whole frames, of which `length` samples are real."""
        events: list[Event] = []
        for at, value in enumerate(self._probabilities(sound)):
            frame = sound[at * FRAME : (at + 1) * FRAME]
            self._length += min(FRAME, length - at * FRAME)
            events += self._step(value, frame)
        return events

    def _probabilities(self, sound: Samples) -> Samples:
        if not len(sound):
            return sound
        around = np.concatenate([self._context, sound])
        frames = np.lib.stride_tricks.sliding_window_view(around, CONTEXT + FRAME)[::FRAME]
        h, c, parts = self._h, self._c, []
        for first in range(0, len(frames), _FRAMES_AT_ONCE):
            block = np.ascontiguousarray(frames[first : first + _FRAMES_AT_ONCE])
            out = self._run({"input": block, "h": h, "c": c})
            parts.append(out["speech_probs"])
            h, c = out["hn"], out["cn"]
        self._h, self._c, self._context = h, c, around[-CONTEXT:]
        return np.concatenate(parts).astype(np.float32, copy=False)

    def _step(self, value: np.float32, frame: Samples) -> Iterator[Event]:
        index = self._kept + len(self._frames)
        self._frames.append(frame)
        self.probability = float(value)
        if self._start >= 0:
            self._values.append(value)
            if value >= self.rules.release:
                self._last, self._voiced = index, self._voiced + 1
            elif index - self._last >= self._patience:
                if self.speaking:
                    yield from self._said()
                    yield self._ended("silence")
                self._start, self._voiced = -1, 0
        elif value >= self.rules.threshold:
            self._start = self._last = index
            self._voiced, self._values = 1, [value]
        if self._start >= 0 and not self.speaking and self._voiced >= self._shortest:
            yield self._began(max(self._start * FRAME - self._pre_roll, self._floor))
        if self.speaking:
            while self._last + 1 - self._start > self._longest:
                yield from self._cut()
            yield from self._said()
        self._forget()

    def _began(self, begin: int) -> Began:
        self._begin = self._sent = begin
        return Began(self._at(begin), self._at(self._start * FRAME))

    def _cut(self) -> Iterator[Event]:
        """End the utterance in its second half, where it is least speech, and begin the next one there."""
        middle = self._longest // 2
        cut = middle + int(np.argmin(self._values[middle : self._longest]))
        at = self._start + cut
        yield self._over(at * FRAME, at, "maximum")
        self._start, self._values = at, self._values[cut:]
        yield self._began(at * FRAME)

    def _said(self) -> Iterator[Speech]:
        """What is sure to belong to the utterance: all but the silence behind its tail, which may be no part of it."""
        end = self._end()
        if end > self._sent:
            yield Speech(self._sound(self._sent, end))
            self._sent = end

    def _ended(self, reason: str) -> Ended:
        return self._over(self._end(), self._last + 1, reason)

    def _over(self, end: int, last: int, reason: str) -> Ended:
        begin = 0 if self._begin is None else self._begin
        self._begin, self._floor = None, end
        return Ended(
            audio=Audio(self._sound(begin, end), RATE),
            start=self._at(begin),
            end=self._at(end),
            reason=reason,
            onset=self._at(self._start * FRAME),
            last=self._at(min(last * FRAME, self._length)),
            decided=self._at(self._length),
        )

    def _end(self) -> int:
        return min((self._last + 1) * FRAME + self._tail, self._length)

    def _sound(self, begin: int, end: int) -> Samples:
        """A copy of samples [`begin`, `end`), which must have been kept."""
        first = begin // FRAME
        pieces = self._frames[first - self._kept : -(-end // FRAME) - self._kept]
        sound: Samples = np.concatenate(pieces)[begin - first * FRAME : end - first * FRAME].copy()
        return sound

    def _forget(self) -> None:
        """Drop the frames that no utterance can need any more."""
        if self._begin is not None:
            needed = self._begin
        else:
            needed = (self._start if self._start >= 0 else self._kept + len(self._frames)) * FRAME - self._pre_roll
        drop = max(needed, 0) // FRAME - self._kept
        if drop > 0:
            del self._frames[:drop]
            self._kept += drop

    def _at(self, sample: int) -> float:
        return (self._origin + sample) / RATE


def _frames_in(seconds: float) -> int:
    return round(seconds / FRAME_SECONDS)
