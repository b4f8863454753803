"""A stream of sound in, what is said in it out: partial texts while somebody speaks, a transcript when they have ended.

Only what the voice activity detector takes for speech reaches the recogniser: where nobody speaks, no ghost words.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from appliance.device.bill import stage
from appliance.speech.asr import Stream, Streaming
from appliance.speech.segment import Began, Ended, Endpointer, Event, Speech
from appliance.values import Audio, Segment, Transcript


@dataclass(frozen=True, slots=True)
class Partial:
    """What has been heard so far of an utterance in progress; later words may change earlier ones."""

    text: str
    """The text so far."""
    at: float
    """How much of the stream has been heard, in seconds."""


@dataclass(frozen=True, slots=True)
class Final:
    """An utterance is over. Its text is empty when speech was found and no word recognised."""

    transcript: Transcript
    """What was heard; times of words and of its one segment count from the beginning of the stream."""
    audio: Audio
    """The sound of it at 16 kHz, with what is kept before and after the speech."""
    start: float
    """Where `audio` begins, in seconds of the stream."""
    end: float
    """Where `audio` ends, in seconds of the stream."""
    reason: str
    """Why it ended: `silence`, `maximum` or `flushed`."""
    latency_ms: Mapping[str, float]
    """Milliseconds by stage: `silence` (sound from the last speech to the end decision), `vad` (finding speech in the
    sound fed last), `finish` (from the end decision to the words), `asr` (recognising, all calls of this utterance)."""


class Utterances:
    """Recognises the utterances in one stream. For one caller at a time."""

    def __init__(
        self,
        endpointer: Endpointer,
        recogniser: Streaming,
        *,
        phrases: Sequence[str] = (),
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Hear by `recogniser`, with `phrases` that are likely said, what `endpointer` finds; it closes neither."""
        self._endpointer = endpointer
        self._recogniser = recogniser
        self._phrases = tuple(phrases)
        self._clock = clock
        self._events: deque[Event] = deque()
        self._ready: list[Partial | Final] = []
        self._stream: Stream | None = None
        self._fed = 0  # samples that the recogniser has been given of this utterance
        self._text = ""
        self._vad_s = self._asr_s = 0.0

    @property
    def speaking(self) -> bool:
        """True while somebody speaks: from the minimum of speech to the end decision."""
        return self._endpointer.speaking

    @property
    def probability(self) -> float:
        """Probability of speech in the last 32 ms."""
        return self._endpointer.probability

    def feed(self, samples: npt.NDArray[np.float32]) -> list[Partial | Final]:
        """Hear the next `samples` (16 kHz, float32 in [-1, 1], shape (n,), any n); what they bring, in order.

        A partial text comes only when it has changed. Raises what network and recogniser raise (BackendFailed,
        Unavailable, DeadlineExceeded): the utterance in progress is lost then, and the next one is heard again.
        """
        return self._told(lambda: self._endpointer.feed(samples))

    def finish(self) -> list[Partial | Final]:
        """End the utterance in progress: the stream is over, or a key released. More may be fed. Raises as `feed`."""
        return self._told(self._endpointer.flush)

    def close(self) -> None:
        """Give up the utterance in progress and forget the stream. What is fed then is a new one."""
        self._events.clear()
        self._ready.clear()
        self._endpointer.reset()
        self._drop()

    def _told(self, find: Callable[[], list[Event]]) -> list[Partial | Final]:
        started = self._clock()
        with stage("vad"):
            self._events += find()
        self._vad_s = self._clock() - started
        # One by one: what stands before and behind an event that fails is not lost, it is told next time.
        while self._events:
            event = self._events.popleft()
            try:
                with stage("asr"):
                    if isinstance(event, Began):
                        self._begin()
                    elif isinstance(event, Speech):
                        self._ready += self._hear(event)
                    else:
                        self._ready += self._end(event)
            except BaseException:
                self._drop()
                raise
        told, self._ready = self._ready, []
        return told

    def _begin(self) -> None:
        self._drop()
        self._asr_s = 0.0
        started = self._clock()
        self._stream = self._recogniser.stream(phrases=self._phrases)
        self._asr_s += self._clock() - started

    def _hear(self, speech: Speech) -> list[Partial]:
        if self._stream is None:  # it has failed
            return []
        started = self._clock()
        text = self._stream.feed(speech.samples)
        self._asr_s += self._clock() - started
        self._fed += len(speech.samples)
        if text == self._text:
            return []
        self._text = text
        return [Partial(text, self._endpointer.heard)]

    def _end(self, ended: Ended) -> list[Final]:
        decided = self._clock()
        if self._stream is None:
            return []
        if self._fed != len(ended.audio.samples):
            # Cut in what had been given out already: heard again to the cut, and what follows with the next utterance.
            self._drop()
            self._stream = self._recogniser.stream(phrases=self._phrases)
            self._stream.feed(ended.audio.samples)
        stream, self._stream = self._stream, None
        try:
            heard = stream.finish()
        finally:
            stream.close()
        self._drop()
        finished = self._clock() - decided
        self._asr_s += finished
        latency = {
            "silence": (ended.decided - ended.last) * 1000,
            "vad": self._vad_s * 1000,
            "finish": finished * 1000,
            "asr": self._asr_s * 1000,
        }
        words = tuple(replace(word, start=word.start + ended.start, end=word.end + ended.start) for word in heard.words)
        timings = {**heard.timings_ms, "vad": latency["vad"], "asr": latency["asr"]}
        segments = (Segment(ended.start, ended.end),)
        heard = replace(heard, words=words, seconds=ended.audio.seconds, timings_ms=timings, segments=segments)
        return [Final(heard, ended.audio, ended.start, ended.end, ended.reason, latency)]

    def _drop(self) -> None:
        stream, self._stream = self._stream, None
        self._fed, self._text = 0, ""
        if stream is not None:
            stream.close()
