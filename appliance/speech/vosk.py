"""Vosk (Kaldi nnet3, alphacephei.com/vosk, Apache-2.0) behind the recogniser contract."""

from __future__ import annotations

import json
import math
import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from appliance.errors import BackendFailed, DeadlineExceeded, InvalidInput, ModelCorrupt, Unavailable
from appliance.speech.asr import transcript
from appliance.speech.rehearsal import check_files, not_importable, rehearse
from appliance.speech.resample import RATE
from appliance.values import Audio, Segment, Transcript, Word

_CHUNK = RATE // 4
"""Samples given to Vosk at a time; a deadline is looked at between two chunks."""
_TAIL = int(0.3 * RATE)
"""Samples of silence behind each segment: the decoder looks ahead, and without them the last word may be lost."""
_NOT_WORD = re.compile(r"|<.*>|!SIL|\[[A-Za-z_]+\]")
"""What models write for noise, silence and words that they do not know: `[unk]`, `<UNK>`, `!SIL`, `[FIL]`."""
_ERRORS_ONLY = -2


class VoskRecogniser:
    """One Vosk model. Thread-safe; recordings are heard one at a time. The constructor touches nothing."""

    def __init__(self, folder: Path, *, language: str, name: str, rehearsed: bool = False) -> None:
        """Use the model in `folder`, which hears `language` and is called `name` (the engine is `vosk:<name>`).

        `rehearsed` says that this very folder has been loaded before (see `rehearsal`) and saves that second load.
        """
        self.folder = folder
        self.language = language
        self.name = f"vosk:{name}"
        self._rehearsed = rehearsed
        self._lock = threading.Lock()
        self._model: Any = None

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
                words = list(self._hear(audio, segments, deadline))
            except DeadlineExceeded:
                raise
            except Exception as error:  # vosk raises nothing narrower
                raise BackendFailed(f"{self.name}: expected to recognise, got {error}") from error
        return transcript(words, language=self.language, engine=self.name, seconds=audio.seconds)

    def close(self) -> None:
        """Wait for a running recognition and free the model. A second call does nothing; `load` may follow."""
        with self._lock:
            self._model = None

    @contextmanager
    def _held(self, deadline: float | None) -> Iterator[None]:
        """Hold the lock, or raise DeadlineExceeded when it does not come free in time."""
        patience = -1.0 if deadline is None else max(0.0, deadline - time.monotonic())
        if not self._lock.acquire(timeout=patience):
            raise DeadlineExceeded(f"{self.name}: expected a free recogniser before the deadline, got a busy one")
        try:
            yield
        finally:
            self._lock.release()

    def _hear(self, audio: Audio, segments: Sequence[Segment], deadline: float | None) -> Iterator[Word]:
        import vosk

        recogniser = vosk.KaldiRecognizer(self._model, float(RATE))
        recogniser.SetWords(True)
        fed = 0
        for segment in segments:
            sound = audio.samples[round(segment.start * RATE) : round(segment.end * RATE)]
            pcm = np.zeros(len(sound) + _TAIL, "<i2")
            pcm[: len(sound)] = np.rint(np.clip(sound, -1.0, 1.0) * 32767)
            # Vosk's clock counts the samples of the recogniser's whole life.
            shift = segment.start - fed / RATE
            for first in range(0, len(pcm), _CHUNK):
                if deadline is not None and time.monotonic() > deadline:
                    at = segment.start + first / RATE
                    raise DeadlineExceeded(f"{self.name}: expected an end before the deadline, got {at:.1f} s in")
                if recogniser.AcceptWaveform(pcm[first : first + _CHUNK].tobytes()):
                    yield from _words(recogniser.Result(), shift, segment)
            yield from _words(recogniser.FinalResult(), shift, segment)
            fed += len(pcm)


def _words(result: str, shift: float, segment: Segment) -> Iterator[Word]:
    """Words of one Vosk result, moved by `shift` seconds and kept inside their segment (the tail is not in it)."""
    for row in json.loads(result).get("result", ()):
        if _NOT_WORD.fullmatch(row["word"]):
            continue
        start, end = (min(max(row[key] + shift, segment.start), segment.end) for key in ("start", "end"))
        confidence = min(max(float(row["conf"]), 0.0), 1.0)
        yield Word(row["word"], start, end, 0.0 if math.isnan(confidence) else confidence)
