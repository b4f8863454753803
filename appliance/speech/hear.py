"""A recording in, words out: decode, resample, bring to level, find speech, recognise."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from appliance.device.bill import stage
from appliance.errors import Unavailable
from appliance.speech.asr import Recogniser, join_words, transcript
from appliance.speech.level import levelled
from appliance.speech.resample import to_16k
from appliance.speech.vad import Vad
from appliance.speech.wav import decode
from appliance.values import Audio, Segment, Transcript, Word

MODELS: Mapping[str, str] = {"zh": "vosk-small-cn", "en": "vosk-small-en"}
"""Model to install for each language, as `appliance models pull` calls it."""
DEMO = "ctc-pinyin-zh"
"""The model trained by `export.train.asr` from synthetic speech: it hears Chinese where nothing better is installed."""

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a recording may be."""

    max_seconds: float = 60.0
    """Longest recording, in seconds."""
    max_bytes: int = 32 * 1024 * 1024
    """Largest file, in bytes."""


class Hearing:
    """Recognises WAV recordings. Thread-safe when its recognisers are."""

    def __init__(self, vad: Vad | None, recognisers: Mapping[str, Recogniser], *, limits: Limits) -> None:
        """Use `vad` to find speech (None: the whole recording counts as speech) and a recogniser for each language.

        Others may join `recognisers` later.
        """
        self.vad = vad
        self.recognisers = recognisers
        self.limits = limits

    def transcribe(
        self,
        data: bytes,
        language: str,
        *,
        deadline: float | None = None,
        told: Callable[[str], None] | None = None,
    ) -> Transcript:
        """Recognise the WAV file `data` in `language` before `deadline` (seconds of time.monotonic).

        Where nobody speaks, or no word was recognised, the transcript is empty with confidence 0. `timings_ms` has
        decode, resample, level, vad (when there is one) and asr (when there was speech). Times count from the
        beginning of the recording. `told` hears what each stretch of speech adds to the text as soon as it is
        recognised, and may raise to end the work. Raises what `wav.decode` does, Unavailable naming the command that
        installs a recogniser for `language`, DeadlineExceeded and BackendFailed.
        """
        timings: dict[str, float] = {}
        limits = self.limits
        recording = _timed(
            timings, "decode", lambda: decode(data, max_seconds=limits.max_seconds, max_bytes=limits.max_bytes)
        )
        recogniser = self.recogniser(language)
        resampled = _timed(timings, "resample", lambda: to_16k(recording))
        audio = _timed(timings, "level", lambda: levelled(resampled))
        segments: tuple[Segment, ...] = (Segment(0.0, audio.seconds),)
        vad = self.vad
        if vad is not None:
            segments = _timed(timings, "vad", lambda: vad.segments(audio, deadline=deadline))
        if segments:
            heard = _timed(timings, "asr", lambda: _recognised(recogniser, audio, segments, deadline, told))
        else:
            heard = transcript((), language=recogniser.language, engine=recogniser.name, seconds=0.0)
        return replace(heard, seconds=recording.seconds, timings_ms=timings, segments=segments)

    def recogniser(self, language: str) -> Recogniser:
        """What hears `language`, or Unavailable naming the command that installs it."""
        if language in self.recognisers:
            return self.recognisers[language]
        command = f"appliance models pull {MODELS[language]}" if language in MODELS else "appliance models list"
        raise Unavailable(
            f"speech recognition: expected a recogniser for {language!r}, got {', '.join(self.recognisers) or 'none'}",
            remedy=(f"请运行 `{command}`，几秒后即可使用", f"Run `{command}`; it hears some seconds later"),
            retry_after=60,
        )


def _recognised(
    recogniser: Recogniser,
    audio: Audio,
    segments: Sequence[Segment],
    deadline: float | None,
    told: Callable[[str], None] | None,
) -> Transcript:
    """All segments at once, so that a recogniser may get used to the voice; one by one where somebody listens."""
    if told is None:
        return recogniser.transcribe(audio, segments, deadline=deadline)
    words: list[Word] = []
    text = ""
    for segment in segments:
        words += recogniser.transcribe(audio, (segment,), deadline=deadline).words
        longer = join_words([word.text for word in words])
        told(longer[len(text) :])
        text = longer
    return transcript(words, language=recogniser.language, engine=recogniser.name, seconds=audio.seconds)


def _timed(timings: dict[str, float], name: str, work: Callable[[], _Result]) -> _Result:
    started = time.perf_counter()
    with stage(name):
        result = work()
    timings[name] = (time.perf_counter() - started) * 1000
    return result
