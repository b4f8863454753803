"""OpenAI's audio routes in the OpenAPI document: their bodies, answers and errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from appliance.channels.http.media import FORM_TYPE
from appliance.channels.http.openai import PCM_RATE, SPEECH, TRANSCRIPTIONS
from appliance.channels.http.openai_asked import FORMATS, GRANULARITIES, speech_schema
from appliance.channels.http.openapi_forms import COUNT, NUMBER, TEXT
from appliance.channels.http.openapi_requests import PRINTABLE
from appliance.channels.http.openapi_schemas import SCHEMAS as ANSWERS
from appliance.channels.speaking import LANGUAGES
from appliance.settings import Settings

Json = dict[str, Any]
Operation = Callable[..., Json]
"""Makes an operation of a name, a summary, a tag, its answers and the statuses of its refusals."""

PROBLEM = "AudioProblem"


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(description: str, optional: tuple[str, ...] = (), /, **properties: Json) -> Json:
    required = [name for name in properties if name not in optional]
    kind: Json = {"type": "object", "description": description, "properties": properties}
    return kind | {"required": required, "additionalProperties": False}


def _list(items: Json) -> Json:
    return {"type": "array", "items": items}


_TRANSCRIPTION = _object(
    "`json`: what was said; `verbose_json` has all the rest. The other formats are no JSON",
    ("task", "language", "duration", "segments", "words"),
    text=TEXT,
    usage=_object("What of the recording was used", type={"const": "duration"}, seconds=COUNT),
    task={"const": "transcribe"},
    language={"type": "string", "enum": ["chinese", "english"]},
    duration=NUMBER,
    segments=_list(_ref("TranscriptionSegment")),
    words=_list(_object("One word heard", word=TEXT, start=NUMBER, end=NUMBER)),
)
_SEGMENT = _object(
    "A stretch of speech, in seconds. `avg_logprob` is the logarithm of the mean confidence of its words, "
    "`compression_ratio` zlib's, as Whisper's. `seek`, `tokens`, `temperature` and `no_speech_prob` are always 0 or "
    "empty, for clients that expect them: speech was told from other sound before",
    id=COUNT,
    seek={"const": 0},
    start=NUMBER,
    end=NUMBER,
    text=TEXT,
    tokens={"type": "array", "items": COUNT, "maxItems": 0},
    temperature={"const": 0},
    avg_logprob={"type": "number", "maximum": 0},
    compression_ratio=NUMBER,
    no_speech_prob={"const": 0},
)
_ERROR = _object(
    "The problem as OpenAI's clients read it",
    message=TEXT,
    type={"type": "string", "enum": ["invalid_request_error", "rate_limit_error", "server_error"]},
    param={"anyOf": [TEXT, {"type": "null"}], "description": "The field at fault, where it is one"},
    code=TEXT | {"description": "The `code` beside it"},
)
_WANTED: Json = {
    "language": {"type": "string", "enum": list(LANGUAGES), "description": "Language that is spoken"},
    "response_format": {"type": "string", "enum": list(FORMATS), "default": FORMATS[0]},
    "stream": {"type": "boolean", "default": False, "description": "Events instead, whatever `response_format` says"},
    "model": {"type": "string", "description": "Not looked at: the recogniser that is installed hears"},
    "prompt": {"type": "string", "description": "Ignored: the recognisers take none"},
    "temperature": {"type": "number", "minimum": 0, "maximum": 1, "description": "Ignored: nothing is drawn by chance"},
    "chunking_strategy": {"const": "auto", "description": "Speech is always found first"},
}
"""What is wanted of a recording, one value each."""
_TIMES: Json = {
    "type": "array",
    "items": {"type": "string", "enum": list(GRANULARITIES)},
    "maxItems": len(GRANULARITIES),
    "description": "Which times `verbose_json` has; default: segments. The other formats take no notice",
}
_STREAMED = (
    "With `stream=true`: `transcript.text.delta` (`{type, delta}`) for each stretch of speech as soon as it is "
    f"recognised, then `transcript.text.done` (`{{type, text}}`), or an `error` (`{PROBLEM}`)"
)


def schemas(settings: Settings) -> dict[str, Json]:
    """Schemas of what these routes are asked and answer, by name."""
    problem = ANSWERS["Problem"]
    both = problem | {
        "properties": {"error": _ERROR, **problem["properties"]},
        "required": ["error", *problem["required"]],
    }
    return {
        "Transcription": _TRANSCRIPTION,
        "TranscriptionSegment": _SEGMENT,
        PROBLEM: both,
        "SpeechIn": speech_schema(settings.max_text_chars, PRINTABLE),
    }


def paths(settings: Settings, operation: Operation) -> dict[str, Json]:
    """Both routes; `operation` is openapi.py's, for these settings."""
    hears = operation(
        "postTranscription",
        "Recognise a recording, as OpenAI's clients ask for it",
        "openai",
        {"200": {"description": "What was said", "content": _transcripts()}},
        *(408, 413, 415, 422, 429, 503),
    )
    hears["requestBody"] = {"required": True, "content": {FORM_TYPE: _form(settings)}}
    speaks = operation(
        "postSpeech",
        "Say a text, as OpenAI's clients ask for it",
        "openai",
        {"200": {"description": "The sound, all at once", "content": _sounds()}},
        *(408, 413, 415, 422, 429, 503),
    )
    speaks["requestBody"] = {"required": True, "content": {"application/json": {"schema": _ref("SpeechIn")}}}
    return {TRANSCRIPTIONS: {"post": _in_their_form(hears)}, SPEECH: {"post": _in_their_form(speaks)}}


def _form(settings: Settings) -> Json:
    size = f"at most {settings.max_audio_seconds:g} seconds and {settings.max_audio_bytes} bytes"
    read = "WAV; where libsndfile is installed (`pip install soundfile`), also what that reads"
    file = {"type": "string", "format": "binary", "description": f"A recording of {size}: {read}"}
    fields = {"file": file, **_WANTED, "timestamp_granularities[]": _TIMES}
    schema = {"type": "object", "properties": fields, "required": ["file"], "additionalProperties": False}
    return {"schema": schema, "encoding": {"file": {"contentType": "audio/wav, audio/x-wav"}}}


def _transcripts() -> Json:
    plain = {"schema": TEXT}
    return {
        "application/json": {"schema": _ref("Transcription")},
        **dict.fromkeys(("text/plain", "application/x-subrip", "text/vtt"), plain),
        "text/event-stream": {"schema": _object(_STREAMED, event=TEXT, data=TEXT)},
    }


def _sounds() -> Json:
    said = f"`pcm`: 16 bits, little-endian, {PCM_RATE} Hz, mono"
    return {
        "audio/wav": {"schema": {"type": "string", "format": "binary", "description": "`wav`: at the voice's rate"}},
        "audio/pcm": {"schema": {"type": "string", "format": "binary", "description": said}},
    }


def _in_their_form(operation: Json) -> Json:
    """The same operation with refusals that have OpenAI's `error`, too."""
    ours, theirs = (json.dumps(_ref(name)) for name in ("Problem", PROBLEM))
    changed: Json = json.loads(json.dumps(operation).replace(ours, theirs))
    return changed
