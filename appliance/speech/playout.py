"""What a loudspeaker plays next: sound that is queued as it is made, at a volume that never jumps, and its end."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

import numpy as np
import numpy.typing as npt

from appliance.errors import ApplianceError, InvalidInput
from appliance.values import Audio

Samples = npt.NDArray[np.float32]

RAMP_S = 0.03
"""Seconds in which the volume goes from silence to full."""
SIDES: dict[str, int | None] = {"both": None, "left": 0, "right": 1}
"""Which channel alone sounds, where there is more than one."""
FADE_S = 0.008
"""Seconds in which a sound that is stopped fades out: short enough to be at once, long enough not to click."""


class Playout:
    """A queue of mono samples between the thread that makes them and the callback that plays them."""

    def __init__(self, rate: int, volume: float, side: str = "both") -> None:
        """For `rate` samples per second, beginning at `volume` (0 to 1); `side` is one of SIDES."""
        self._rate = rate
        self._only = SIDES[side]
        self._ready = threading.Condition()
        self._blocks: deque[Samples] = deque()
        self._queued = 0
        self._ended = False
        self._stopped = False
        self.over = False
        """True when the last sample was given out."""
        self._gain = self._volume = volume
        self.fills = 0
        """Calls of `fill` so far."""
        self.played = 0
        """Samples of sound given out."""
        self.gaps = 0
        """Samples of silence given out because the next sound was not made in time."""

    @property
    def volume(self) -> float:
        """0 to 1; a change is heard as a ramp."""
        return self._volume

    @volume.setter
    def volume(self, volume: float) -> None:
        self._volume = volume

    @property
    def seconds(self) -> float:
        """Seconds of sound given out."""
        return self.played / self._rate

    def put(self, samples: Samples, *, most_s: float = 10.0) -> bool:
        """Queue `samples`, waiting while `most_s` are queued already; False when it was stopped meanwhile."""
        with self._ready:
            self._ready.wait_for(lambda: self._stopped or self._queued < most_s * self._rate)
            if self._stopped:
                return False
            if len(samples):
                self._blocks.append(samples)
                self._queued += len(samples)
            return True

    def end(self) -> None:
        """No more will be put: what is queued is the rest."""
        self._ended = True

    def stop(self) -> None:
        """Fade out from wherever it is, and end; who waits in `put` is let go."""
        with self._ready:
            self._stopped = True
            self._ready.notify_all()

    def fill(self, out: Samples) -> bool:
        """Fill `out`, shape (frames, channels), with the next sound; False when this was the last.

        Called by the sound device's thread: it waits for nobody longer than a queue takes to be changed.
        """
        self.fills += 1
        stopped = self._stopped
        mono = self._next(len(out))
        sound = mono * self._gains(len(out), stopped)
        if self._only is None or out.shape[1] == 1:
            out[:] = sound[:, np.newaxis]
        else:
            out.fill(0)
            out[:, self._only] = sound
        self.over = self._gain == 0 if stopped else self._ended and self._queued == 0
        return not self.over

    def _next(self, frames: int) -> Samples:
        mono = np.zeros(frames, np.float32)
        at = 0
        with self._ready:
            while at < frames and self._blocks:
                block = self._blocks.popleft()
                taken = min(len(block), frames - at)
                mono[at : at + taken] = block[:taken]
                if taken < len(block):
                    self._blocks.appendleft(block[taken:])
                at += taken
            self._queued -= at
            self._ready.notify_all()
        self.played += at
        if at < frames and not self._ended and self.played:
            self.gaps += frames - at
        return mono

    def _gains(self, frames: int, stopped: bool) -> Samples:
        """The gain of each frame on its way to the volume, or to silence within `FADE_S`."""
        target, seconds = (0.0, FADE_S) if stopped else (self._volume, RAMP_S)
        step = 1.0 / (seconds * self._rate)
        away = target - self._gain
        walked = np.minimum(np.arange(1, frames + 1, dtype=np.float32) * np.float32(step), np.float32(abs(away)))
        gains: Samples = np.float32(self._gain) + np.float32(np.sign(away)) * walked
        self._gain = float(gains[-1]) if frames else self._gain
        if abs(self._gain - target) < 1e-6:
            self._gain = target
        return gains


class Playing:
    """A sound on its way. Every method may be called by any thread."""

    def __init__(self, side: str = "both") -> None:
        self.side = side
        """One of SIDES."""
        self._done = threading.Event()
        self._stopped = False
        self.playout: Playout | None = None
        """What the device is given; None until the device is open."""
        self.wake = threading.Event()
        """Set when there is something to look at: it was stopped, or the device has come to an end."""
        self.error: ApplianceError | None = None
        """Why it was not heard to its end; None while it plays, when it was heard, and when it was stopped."""

    @property
    def done(self) -> bool:
        """True when nothing of it will be heard any more."""
        return self._done.is_set()

    @property
    def stopped(self) -> bool:
        """True when it was asked to stop, by `stop` or by a sound that followed."""
        return self._stopped

    @property
    def played_s(self) -> float:
        """Seconds of it given to the device so far."""
        return self.playout.seconds if self.playout else 0.0

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for its end, at most `timeout` seconds; whether it has ended."""
        return self._done.wait(timeout)

    def stop(self) -> None:
        """Fade it out and end it, within 50 ms; returns at once. A second call does nothing."""
        self._stopped = True
        if self.playout is not None:
            self.playout.stop()
        self.wake.set()

    def begin(self, playout: Playout) -> None:
        """Note that the device is open and takes from `playout`."""
        self.playout = playout

    def end(self) -> None:
        """Note that nothing of it will be heard any more."""
        self._done.set()


class Converter:
    """Sounds of any rate, one behind the other, to one rate; each may have another."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._from = rate
        self._stream: Any = None

    def feed(self, audio: Audio) -> Samples:
        """`audio` at the rate wanted; some milliseconds of it are on the way until the next call."""
        before = self.rest() if audio.rate != self._from else np.zeros(0, np.float32)
        if audio.rate == self._rate:
            return np.concatenate([before, audio.samples])
        if self._stream is None:
            import soxr

            self._from = audio.rate
            self._stream = soxr.ResampleStream(audio.rate, self._rate, 1, dtype="float32")
        return np.concatenate([before, _clipped(self._stream.resample_chunk(audio.samples))])

    def rest(self) -> Samples:
        """What is still on the way."""
        stream, self._stream, self._from = self._stream, None, self._rate
        if stream is None:
            return np.zeros(0, np.float32)
        return _clipped(stream.resample_chunk(np.zeros(0, np.float32), last=True))


def _clipped(samples: Samples) -> Samples:
    clipped: Samples = np.clip(samples, -1.0, 1.0).astype(np.float32, copy=False)
    return clipped


def checked_sound(audio: Audio) -> Audio:
    """`audio` as mono float32 within [-1, 1]; raises InvalidInput when it is no sound."""
    samples = np.asarray(audio.samples)
    if samples.ndim != 1 or samples.dtype.kind != "f" or not 1_000 <= audio.rate <= 192_000:
        raise InvalidInput(
            f"speaker: expected mono float samples at 1000 to 192000 Hz, got {samples.dtype}{samples.shape} "
            f"at {audio.rate} Hz"
        )
    if not np.isfinite(samples).all():
        raise InvalidInput("speaker: expected finite samples, got NaN or infinity")
    return Audio(_clipped(samples), audio.rate)
