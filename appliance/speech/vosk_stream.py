"""One utterance heard by Vosk while it is spoken: partials, then the words.

Vosk works in bursts of tens to hundreds of milliseconds, so it does so on a thread of its own, and who feeds it does
not wait. It gets the very chunks that a recording would be given: what is heard does not depend on how the sound came.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from appliance.device.bill import charge, charged, waiting
from appliance.errors import ApplianceError, BackendFailed, DeadlineExceeded
from appliance.inference.backend import WrongState
from appliance.speech.asr import join_words, transcript
from appliance.speech.kaldi import CHUNK, TAIL, partial, pcm, words
from appliance.speech.resample import RATE
from appliance.values import Transcript, Word

QUEUE_S = 30.0
"""Seconds of sound that may wait for a slow recogniser: more than one utterance, so that speech never waits."""
PATIENCE_S = 30.0
"""Seconds that `feed` waits for room, and `finish` for the words, before they give up."""
_GRACE_S = 1.0
"""Seconds that `close` waits for the thread: the chunk being decoded cannot be broken off."""


class VoskStream:
    """Recognises one utterance on its own thread, with a Kaldi recogniser of its own that is thrown away at the end."""

    def __init__(
        self,
        recogniser: Callable[[], Any],
        *,
        name: str,
        language: str,
        queue_s: float = QUEUE_S,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """Start the thread, which calls `recogniser` for a new KaldiRecognizer with words switched on.

        Raises BackendFailed when no thread can be started.
        """
        self._recogniser: Callable[[], Any] | None = recogniser
        self._name = name
        self._language = language
        self._charge = charge()
        self._room = round(queue_s * RATE)
        self._patience_s = patience_s
        self._changed = threading.Condition()
        # Below: shared with the thread, under the condition.
        self._sound: deque[npt.NDArray[np.float32]] = deque()
        self._waiting = 0  # samples in `_sound`
        self._fed = 0  # samples in all
        self._text = ""
        self._ending = self._closed = False
        self._words: tuple[Word, ...] | None = None
        self._failure: ApplianceError | None = None
        self._thread = threading.Thread(target=self._work, name=f"{name} stream", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:  # no thread can be had
            raise BackendFailed(f"{name}: expected a thread to recognise on, got {error}") from error

    def feed(self, samples: npt.NDArray[np.float32], /) -> str:
        """Give `samples` to the thread, and tell the text as far as it has come.

        Waits only while `queue_s` of sound have not been decoded yet. Raises BackendFailed when decoding has failed, or
        when no room comes free; WrongState after the end.
        """
        with self._changed:
            self._check()
            with waiting():
                free = self._changed.wait_for(self._has_room, self._patience_s)
            self._check()
            if not free:
                self._closed = True
                self._changed.notify_all()
                raise BackendFailed(
                    f"{self._name}: expected decoding to keep up, got {self._waiting / RATE:.0f} s of sound waiting"
                )
            if len(samples):
                self._sound.append(np.array(samples, np.float32))
                self._waiting += len(samples)
                self._fed += len(samples)
                self._changed.notify_all()
            return self._text

    def finish(self) -> Transcript:
        """Wait for the words of everything that was fed. Raises BackendFailed or DeadlineExceeded; closed then."""
        with self._changed:
            self._check()
            self._ending = True
            self._changed.notify_all()
            with waiting():
                done = self._changed.wait_for(lambda: self._words is not None or self._over(), self._patience_s)
            found, failure = self._words, self._failure
            if found is None:
                self._closed = True
                self._changed.notify_all()
        if failure is not None:
            raise failure
        if not done:
            raise DeadlineExceeded(f"{self._name}: expected the words within {self._patience_s:g} s, got no end")
        if found is None:
            raise WrongState(f"{self._name}: expected an open stream, got one that was closed meanwhile")
        return transcript(found, language=self._language, engine=self._name, seconds=self._fed / RATE)

    def close(self) -> None:
        """Break off: what waits is not decoded any more. Does nothing after `finish`, or a second time."""
        with self._changed:
            self._closed = True
            self._sound.clear()
            self._waiting = 0
            self._changed.notify_all()
        self._thread.join(_GRACE_S)

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._closed or self._ending:
            raise WrongState(f"{self._name}: expected an open stream, got one that is over")

    def _has_room(self) -> bool:
        return self._waiting < self._room or self._over()

    def _over(self) -> bool:
        return self._closed or self._failure is not None

    def _work(self) -> None:
        """The thread: everything that touches Vosk. Whatever goes wrong is kept for the caller."""
        make, self._recogniser = self._recogniser, None
        try:
            if make is not None:
                found = self._decode(make())
                with self._changed:
                    self._words = found
                    self._changed.notify_all()
        except Exception as error:  # noqa: BLE001 - vosk raises nothing narrower, and the caller must not wait in vain
            with self._changed:
                self._failure = BackendFailed(f"{self._name}: expected to recognise, got {error}")
                self._closed = True
                self._sound.clear()
                self._changed.notify_all()

    def _decode(self, recogniser: Any) -> tuple[Word, ...] | None:
        """Decode until the end is asked for; None when it was broken off."""
        found: list[Word] = []
        rest = np.zeros(0, np.int16)
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._sound or self._ending or self._over())
                if self._over():
                    return None
                pieces, ending = list(self._sound), self._ending
                self._sound.clear()
            heard = sum(len(piece) for piece in pieces)
            tail = [np.zeros(TAIL, np.int16)] if ending else []
            rest = np.concatenate([rest, *(pcm(piece) for piece in pieces), *tail])
            while len(rest) >= CHUNK or (ending and len(rest)):
                if self._closed:
                    return None
                chunk, rest = rest[:CHUNK], rest[CHUNK:]
                with charged(((self._charge, 1.0),)):
                    ended = recogniser.AcceptWaveform(chunk.tobytes())
                if ended:
                    found += words(recogniser.Result(), 0.0, 0.0, self._fed / RATE)
                # Asked for only where somebody will see it: it costs a walk through the lattice.
                said = "" if ended or ending else partial(recogniser.PartialResult())
                with self._changed:
                    taken = min(heard, len(chunk))
                    heard -= taken
                    self._waiting = max(0, self._waiting - taken)
                    self._text = join_words([text for text in (*(word.text for word in found), said) if text])
                    self._changed.notify_all()
            with self._changed:
                self._waiting = max(0, self._waiting - heard)
                self._changed.notify_all()
            if ending:
                with charged(((self._charge, 1.0),)):
                    return (*found, *words(recogniser.FinalResult(), 0.0, 0.0, self._fed / RATE))
