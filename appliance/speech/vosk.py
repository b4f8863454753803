"""Vosk (Kaldi nnet3, alphacephei.com/vosk, Apache-2.0) behind the recogniser contract."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from appliance.device.bill import waiting
from appliance.errors import BackendFailed, DeadlineExceeded, InvalidInput, ModelCorrupt, Unavailable
from appliance.listener import Listener, silent
from appliance.speech.asr import transcript
from appliance.speech.kaldi import CHUNK, TAIL, grammar, pcm, words
from appliance.speech.rehearsal import check_files, not_importable, rehearse
from appliance.speech.resample import RATE
from appliance.speech.vosk_stream import VoskStream
from appliance.values import Audio, Segment, Transcript, Word

_ERRORS_ONLY = -2


class VoskRecogniser:
    """One Vosk model. Thread-safe: recordings are heard one at a time, streams beside. Constructing touches nothing."""

    def __init__(
        self, folder: Path, *, language: str, name: str, rehearsed: bool = False, listener: Listener = silent
    ) -> None:
        """Use the model in `folder`, which hears `language` and is called `name` (the engine is `vosk:<name>`).

        `rehearsed` says that this very folder has been loaded before (see `rehearsal`) and saves that second load.
        `listener` is told once for each set of phrases what of them the model cannot hear (`asr_phrases`).
        """
        self.folder = folder
        self.language = language
        self.name = f"vosk:{name}"
        self._rehearsed = rehearsed
        self._listener = listener
        self._lock = threading.Lock()
        self._model: Any = None
        self._streams: weakref.WeakSet[VoskStream] = weakref.WeakSet()
        self._grammar: tuple[tuple[str, ...], str] = ((), "")

    def load(self) -> None:
        """Check the folder, rehearse it in a child process, then load it: seconds, and hundreds of megabytes.

        A second call does nothing. Raises ModelMissing, ModelCorrupt or Unavailable (vosk cannot be imported); after
        a failure `load` may be called again.
        """
        with self._lock:
            if self._model is not None:
                return
            check_files(self.folder)
            if not self._rehearsed:
                rehearse(self.folder)
                self._rehearsed = True
            try:
                import vosk
            except (ImportError, OSError) as error:
                raise not_importable(str(error)) from error
            vosk.SetLogLevel(_ERRORS_ONLY)
            try:
                self._model = vosk.Model(str(self.folder))
            except Exception as error:  # vosk raises nothing narrower
                raise ModelCorrupt(f"Vosk model {self.folder}: expected it to load, got {error}") from error

    def transcribe(self, audio: Audio, segments: Sequence[Segment], *, deadline: float | None = None) -> Transcript:
        """Recognise each segment of `audio` (16 kHz), with word times from the beginning of `audio`.

        One Kaldi recogniser serves the whole call, so that it adapts to the voice, and is then thrown away, because a
        kept one grows. Kaldi dithers its input with rand(): confidences, and now and then words, differ between runs.
        Other readings are not asked for: with SetMaxAlternatives Vosk 0.3.45 gives no confidence of words, only scores
        of whole readings with no upper bound (112 to 162 seen). Raises as the contract says.
        """
        if audio.rate != RATE:
            raise InvalidInput(f"{self.name}: expected {RATE} samples per second, got {audio.rate}")
        with self._held(deadline):
            if self._model is None:
                raise Unavailable(f"{self.name}: expected a loaded model, got none", retry_after=5)
            try:
                found = list(self._hear(audio, segments, deadline))
            except DeadlineExceeded:
                raise
            except Exception as error:  # vosk raises nothing narrower
                raise BackendFailed(f"{self.name}: expected to recognise, got {error}") from error
        return transcript(found, language=self.language, engine=self.name, seconds=audio.seconds)

    def stream(self, *, phrases: Sequence[str] = ()) -> VoskStream:
        """Begin an utterance on a thread and a Kaldi recogniser of its own: a kept one grows (vosk-api #209, #526).

        With `phrases` only their words are heard, and `[unk]` for all others where the model has that. A model with a
        graph composed before cannot do so and hears everything, as it does when it knows none of the words; the
        listener is told. Raises Unavailable when the model is not loaded.
        """
        # Not under the lock, which a recording may hold for seconds: what is read here is one reference.
        model = self._model
        if model is None:
            raise Unavailable(f"{self.name}: expected a loaded model, got none", retry_after=5)
        listed = self._grammar_of(model, tuple(phrases))
        stream = VoskStream(lambda: _kaldi(model, listed), name=self.name, language=self.language)
        self._streams.add(stream)
        return stream

    def close(self) -> None:
        """Wait for a running recording, break off streams, free the model. Again: nothing; `load` may follow."""
        with self._lock:
            self._model = None
            self._grammar = ((), "")
        for stream in tuple(self._streams):
            stream.close()

    @contextmanager
    def _held(self, deadline: float | None) -> Iterator[None]:
        """Hold the lock, or raise DeadlineExceeded when it does not come free in time."""
        patience = -1.0 if deadline is None else max(0.0, deadline - time.monotonic())
        with waiting():
            free = self._lock.acquire(timeout=patience)
        if not free:
            raise DeadlineExceeded(f"{self.name}: expected a free recogniser before the deadline, got a busy one")
        try:
            yield
        finally:
            self._lock.release()

    def _hear(self, audio: Audio, segments: Sequence[Segment], deadline: float | None) -> Iterator[Word]:
        recogniser = _kaldi(self._model, "")
        fed = 0
        for segment in segments:
            sound = audio.samples[round(segment.start * RATE) : round(segment.end * RATE)]
            data = np.concatenate([pcm(sound), np.zeros(TAIL, np.int16)])
            # Vosk's clock counts the samples of the recogniser's whole life.
            shift = segment.start - fed / RATE
            for first in range(0, len(data), CHUNK):
                if deadline is not None and time.monotonic() > deadline:
                    at = segment.start + first / RATE
                    raise DeadlineExceeded(f"{self.name}: expected an end before the deadline, got {at:.1f} s in")
                if recogniser.AcceptWaveform(data[first : first + CHUNK].tobytes()):
                    yield from words(recogniser.Result(), shift, segment.start, segment.end)
            yield from words(recogniser.FinalResult(), shift, segment.start, segment.end)
            fed += len(data)

    def _grammar_of(self, model: Any, phrases: tuple[str, ...]) -> str:
        """The grammar of `phrases`; the last one is kept, because looking up words takes a while."""
        known, listed = self._grammar
        if not phrases or phrases == known:
            return listed if phrases else ""
        unknown: tuple[str, ...] = ()
        if any((self.folder / part / "HCLG.fst").exists() for part in ("graph", ".")):
            listed, reason = "", "its graph was composed before"
        else:
            listed, unknown = grammar(phrases, lambda word: bool(model.vosk_model_find_word(word) >= 0))
            reason = "" if listed else "it knows none of their words"
        self._listener("asr_phrases", engine=self.name, used=bool(listed), unknown=unknown, reason=reason)
        self._grammar = (phrases, listed)
        return listed


def _kaldi(model: Any, listed: str) -> Any:
    """A new Kaldi recogniser that tells the times of words; it hears only the grammar `listed` unless that is empty."""
    import vosk

    recogniser = vosk.KaldiRecognizer(model, float(RATE), *([listed] if listed else []))
    recogniser.SetWords(True)
    return recogniser
