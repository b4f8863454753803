"""A transcript as OpenAI's interface writes it: JSON, plain text, subtitles."""

from __future__ import annotations

import html
import math
import zlib
from dataclasses import dataclass
from typing import Any

from appliance.speech.asr import join_words
from appliance.values import Segment, Transcript, Word

NAMES = {"zh": "chinese", "en": "english"}
"""Languages as OpenAI's verbose transcripts call them."""
_LEAST = 1e-5
"""Confidence below which a logarithm says nothing more."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """What was said in one stretch of speech."""

    start: float
    """Seconds from the beginning of the recording."""
    end: float
    """Seconds from the beginning of the recording."""
    text: str
    """Its words, never empty."""
    confidence: float
    """Mean confidence of its words, 0 to 1."""


def stretches(transcript: Transcript) -> list[Stretch]:
    """The transcript by stretches of speech, in order of time; a stretch without words is left out.

    Where the recogniser gives no words with times, or nothing tells speech from other sound, it is one stretch.
    """
    if not transcript.text:
        return []
    places = transcript.segments or (Segment(0.0, transcript.seconds),)
    groups: list[list[Word]] = [[] for _ in places]
    for word in transcript.words:
        middle = (word.start + word.end) / 2
        at = next((index for index, place in enumerate(places) if middle <= place.end), len(places) - 1)
        groups[at].append(word)
    spoken = [(place, words) for place, words in zip(places, groups, strict=True) if words]
    if len(spoken) < 2:
        place = spoken[0][0] if spoken else Segment(places[0].start, places[-1].end)
        return [Stretch(place.start, place.end, _line(transcript.text), transcript.confidence)]
    return [
        Stretch(
            place.start,
            place.end,
            _line(join_words([word.text for word in words])),
            sum(word.confidence for word in words) / len(words),
        )
        for place, words in spoken
    ]


def brief(transcript: Transcript) -> dict[str, Any]:
    """`json`: the text, and what of the recording was used."""
    return {"text": transcript.text, "usage": _usage(transcript)}


def verbose(transcript: Transcript, granularities: tuple[str, ...]) -> dict[str, Any]:
    """`verbose_json`, with the times asked for: `segment`, `word` or both."""
    body: dict[str, Any] = {
        "task": "transcribe",
        "language": NAMES.get(transcript.language, transcript.language),
        "duration": round(float(transcript.seconds), 3),
        "text": transcript.text,
        "usage": _usage(transcript),
    }
    if "segment" in granularities:
        body["segments"] = [_segment(index, stretch) for index, stretch in enumerate(stretches(transcript))]
    if "word" in granularities:
        body["words"] = [
            {"word": word.text, "start": round(float(word.start), 3), "end": round(float(word.end), 3)}
            for word in transcript.words
        ]
    return body


def _usage(transcript: Transcript) -> dict[str, Any]:
    return {"type": "duration", "seconds": math.ceil(transcript.seconds)}


def _segment(index: int, stretch: Stretch) -> dict[str, Any]:
    """What Whisper tells of a segment, as far as there is such a thing here: see `Segment` in the API's document."""
    raw = stretch.text.encode("utf-8")
    return {
        "id": index,
        "seek": 0,
        "start": round(float(stretch.start), 3),
        "end": round(float(stretch.end), 3),
        "text": stretch.text,
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": round(math.log(min(max(float(stretch.confidence), _LEAST), 1.0)), 4),
        "compression_ratio": round(len(raw) / len(zlib.compress(raw)), 4),
        "no_speech_prob": 0.0,
    }


def srt(transcript: Transcript) -> str:
    """SubRip subtitles, one for each stretch of speech."""
    cues = [
        f"{number}\n{_clock(stretch.start, ',')} --> {_clock(stretch.end, ',')}\n{stretch.text}\n"
        for number, stretch in enumerate(stretches(transcript), 1)
    ]
    return "\n".join(cues)


def vtt(transcript: Transcript) -> str:
    """WebVTT subtitles (W3C, WebVTT 1), one for each stretch of speech."""
    cues = [
        f"{_clock(stretch.start, '.')} --> {_clock(stretch.end, '.')}\n{html.escape(stretch.text, quote=False)}\n"
        for stretch in stretches(transcript)
    ]
    return "\n".join(["WEBVTT\n", *cues])


def _clock(seconds: float, mark: str) -> str:
    whole = round(seconds * 1000)
    minutes, ms = divmod(whole, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{ms // 1000:02d}{mark}{ms % 1000:03d}"


def _line(text: str) -> str:
    return " ".join(text.split())
