"""Sound that a client sends while it is spoken, in pieces: partial words come back at once, the answer at the end.

A stream belongs to nobody but who knows its name, which cannot be guessed. One that nobody feeds any more is closed
after a while: its place is somebody else's.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from appliance.errors import InvalidInput, NotFound, Overloaded
from appliance.listener import Listener, silent
from appliance.speech.listen import Final, Partial, Utterances
from appliance.speech.mono import Resampler
from appliance.speech.resample import RATE
from appliance.values import Transcript

IDLE_S = 15.0
"""Seconds without a piece after which a stream is closed."""


@dataclass(slots=True)
class _Live:
    """One stream."""

    utterances: Utterances
    touched: float
    began: float
    lock: threading.Lock = field(default_factory=threading.Lock)
    rate: int = 0
    resampler: Resampler | None = None
    seconds: float = 0.0
    finals: list[Transcript] = field(default_factory=list)
    closed: bool = False


class Live:
    """Streams of sound, at most `places` at once. Thread-safe; the pieces of one stream are taken one at a time."""

    def __init__(
        self,
        hear: Callable[[str], Utterances],
        places: int,
        *,
        longest_s: float,
        allowed: Callable[[], object] = lambda: None,
        listener: Listener = silent,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`hear` makes what recognises a language; a stream may hold `longest_s` seconds of sound.

        `allowed` raises ApplianceError while no sound is taken, as when the chip is too hot.
        """
        self._allowed = allowed
        self._hear, self._places, self._longest_s = hear, places, longest_s
        self._listener, self._clock = listener, clock
        self._streams: dict[str, _Live] = {}
        self._lock = threading.Lock()

    def open(self, language: str) -> str:
        """Begin a stream; gives its name.

        Raises NotFound where there are no places at all, Overloaded when all are taken, Unavailable as `hear` does,
        and what `allowed` does.
        """
        self._allowed()
        if not self._places:
            raise NotFound(
                "audio streams: expected some to be allowed, got audio_streams=0",
                remedy=(
                    "请发送整段录音，或调高 APPLIANCE_AUDIO_STREAMS",
                    "Send a whole recording, or raise APPLIANCE_AUDIO_STREAMS",
                ),
            )
        self.sweep()
        with self._lock:
            if len(self._streams) >= self._places:
                self._listener("shed", name="audio_streams")
                raise Overloaded("audio streams: expected a free place, got all taken", retry_after=2)
            name = secrets.token_urlsafe(16)
            # The place is taken before the recogniser is made, which takes a while.
            self._streams[name] = live = _Live(None, self._clock(), self._clock())  # type: ignore[arg-type]
        try:
            live.utterances = self._hear(language)
        except BaseException:
            with self._lock:
                self._streams.pop(name, None)
            raise
        return name

    def check(self, name: str) -> None:
        """Raise NotFound for a stream that is unknown or over: before its sound is looked at."""
        self._of(name)

    def feed(self, name: str, samples: npt.NDArray[np.float32], rate: int = RATE) -> list[Partial | Final]:
        """Hear `samples` (n,) float32 at `rate`, which is that of the whole stream.

        Raises NotFound when the stream is over, InvalidInput for too much sound or another rate than before, and what
        `allowed` does.
        """
        live = self._of(name)
        self._allowed()
        with live.lock:
            if live.closed:
                raise self._gone()
            if live.rate not in (0, rate):
                raise InvalidInput(f"stream: expected {live.rate} samples per second as before, got {rate}")
            if not live.rate:
                live.rate, live.resampler = rate, Resampler(rate)
            live.seconds += len(samples) / rate
            if live.seconds > self._longest_s:
                raise InvalidInput(f"stream: expected at most {self._longest_s:g} s, got {live.seconds:.1f} s")
            live.touched = self._clock()
            return self._noted(live, live.utterances.feed(live.resampler.feed(samples) if live.resampler else samples))

    def finish(self, name: str) -> tuple[Transcript, ...]:
        """Everything that was heard, sentence by sentence; the stream is over. Raises NotFound."""
        live = self._of(name)
        with live.lock:
            if live.closed:
                raise self._gone()
            try:
                if live.resampler is not None:
                    last = live.resampler.feed(np.zeros(0, np.float32), last=True)
                    self._noted(live, live.utterances.feed(last))
                self._noted(live, live.utterances.finish())
            finally:
                self._end(name, live)
            return tuple(live.finals)

    def close(self, name: str) -> bool:
        """Forget a stream; False when there was none."""
        with self._lock:
            live = self._streams.get(name)
        if live is None:
            return False
        with live.lock:
            self._end(name, live)
        return True

    def close_all(self) -> None:
        """Forget every stream."""
        for name in tuple(self._streams):
            self.close(name)

    def _noted(self, live: _Live, events: list[Partial | Final]) -> list[Partial | Final]:
        live.finals += [event.transcript for event in events if isinstance(event, Final) and event.transcript.text]
        return events

    def _of(self, name: str) -> _Live:
        with self._lock:
            live = self._streams.get(name)
        if live is None or live.utterances is None:
            raise self._gone()
        return live

    def _end(self, name: str, live: _Live) -> None:
        live.closed = True
        with self._lock:
            self._streams.pop(name, None)
        if live.utterances is not None:
            live.utterances.close()

    def sweep(self) -> None:
        """Close the streams that nobody feeds any more, and those that are fed with nothing."""
        now = self._clock()
        with self._lock:
            late = [
                name
                for name, live in self._streams.items()
                if now - live.touched > IDLE_S or now - live.began > self._longest_s + IDLE_S
            ]
        for name in late:
            self.close(name)

    @staticmethod
    def _gone() -> NotFound:
        return NotFound("stream: expected one that is open, got one that is unknown or over")
