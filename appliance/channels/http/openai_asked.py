"""What is asked of OpenAI's audio routes: fields of its form, fields of its JSON, and files that are no WAV.

After the reference of POST /v1/audio/transcriptions and of /v1/audio/speech
(platform.openai.com/docs/api-reference/audio). What the appliance cannot do is refused and named; what changes nothing
here is taken and ignored, knowingly: `model` (what is installed serves), `prompt` and `temperature` (its recognisers
take neither), `instructions` and the names of OpenAI's voices (there is one voice for each language).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from flask import Request
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from werkzeug.datastructures import MultiDict

from appliance.channels.http.limits import FORM_BYTES, Incoming
from appliance.channels.http.media import bytes_of, form_parts
from appliance.channels.http.mistakes import kind
from appliance.channels.http.schemas import Printable, checked
from appliance.channels.sniff import to_wav
from appliance.channels.speaking import SPEEDS, language_of
from appliance.errors import InvalidInput, TooLarge
from appliance.language.clean import guess_language
from appliance.settings import Settings

FORMATS = ("json", "text", "verbose_json", "srt", "vtt")
"""How a transcript is written."""
GRANULARITIES = ("segment", "word")
SOUNDS = ("wav", "pcm")
"""How speech is written."""
FIELDS = (
    "model",
    "language",
    "prompt",
    "response_format",
    "temperature",
    "stream",
    "chunking_strategy",
    "timestamp_granularities",
)
"""Fields beside the file; the last one may come several times, and with [] behind its name."""
_TRUTHS = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class ToHear:
    """A recording to be transcribed."""

    recording: bytes
    """A WAV file."""
    language: str | None
    """`zh` or `en`; None when nothing was said."""
    form: str
    """One of FORMATS."""
    granularities: tuple[str, ...]
    """Which times a verbose transcript has: some of GRANULARITIES; of no effect on the other forms."""
    stream: bool
    """True when stretches of speech are wanted as events, as soon as each is recognised; `form` has no effect then."""


class SpeechIn(BaseModel):
    """A text to be spoken, as OpenAI's clients send it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    input: Printable = Field(min_length=1, description="What to say")
    model: Printable = Field(default="", description="Not looked at: the voice that is installed speaks")
    voice: Annotated[Printable, BeforeValidator(lambda value: _named(value))] = Field(
        default="",
        description="`zh` or `en` chooses the language; any other name, OpenAI's among them, leaves it to the text",
    )
    response_format: Annotated[str | None, AfterValidator(lambda value: _sound(value))] = Field(
        default=None, description="`wav` (when nothing is said) or `pcm`: 16 bits, little-endian, 24 kHz, mono"
    )
    speed: float = Field(default=1.0, ge=SPEEDS[0], le=SPEEDS[1], description="Times as fast as usual")
    instructions: Printable | None = Field(default=None, description="Ignored: the voices take no instructions")
    stream_format: Literal["audio"] | None = Field(default=None, description="The sound itself; no events are sent")

    @property
    def language(self) -> str:
        """Language to say it in."""
        return language_of(self.voice) or guess_language(self.input)

    @property
    def sound(self) -> str:
        """One of SOUNDS."""
        return self.response_format or SOUNDS[0]


def _named(value: object) -> object:
    """OpenAI's own voices may also be objects: {"id": name}."""
    return value["id"] if isinstance(value, dict) and set(value) == {"id"} else value


def _sound(value: str | None) -> str | None:
    if value is not None and value not in SOUNDS:
        raise ValueError("expected wav or pcm, the formats that need no encoder")
    return value


def read_speech(body: bytes, max_chars: int) -> SpeechIn:
    """A checked text to speak from a JSON body; raises BadRequest or InvalidInput naming the field."""
    asked = checked(SpeechIn, body)
    if len(asked.input) > max_chars:
        raise InvalidInput(f"input: expected at most {max_chars} characters, got {len(asked.input)}")
    return asked


def read_recording(asked: Request, settings: Settings) -> ToHear:
    """Receive OpenAI's form: a recording of at most max_audio_bytes, and what is wanted of it.

    Raises TooLarge, RequestTimeout, BadRequest, InvalidInput or UnsupportedMedia.
    """
    fields, files = form_parts(asked, Incoming(asked, settings.max_audio_bytes + FORM_BYTES))
    if "file" in fields:
        raise InvalidInput("file: expected a file part with a filename, got a text field")
    for name in files:
        if name != "file":
            raise InvalidInput(f"form: expected one file named file, got {name[:40]!r}")
    sent = files.getlist("file")
    if len(sent) != 1:
        raise InvalidInput(f"file: expected one file, got {len(sent)}")
    data = bytes_of(sent[0])
    if not data:
        raise InvalidInput("file: expected a recording, got an empty file")
    if len(data) > settings.max_audio_bytes:
        raise TooLarge(f"file: expected at most {settings.max_audio_bytes} bytes, got {len(data)}")
    return _wanted(to_wav(data, max_seconds=settings.max_audio_seconds), fields)


def _wanted(recording: bytes, fields: MultiDict[str, str]) -> ToHear:
    given: dict[str, list[str]] = {}
    for name, values in fields.lists():
        bare = name.removesuffix("[]") if name == "timestamp_granularities[]" else name
        if bare not in FIELDS:
            raise InvalidInput(f"{name[:40]}: expected one of file, {', '.join(FIELDS)}, got a field that is none")
        given.setdefault(bare, []).extend(values)
        if len(given[bare]) > (len(GRANULARITIES) if bare == "timestamp_granularities" else 1):
            raise InvalidInput(f"{bare}: expected once, got {len(given[bare])} times")
    one = {name: values[0] for name, values in given.items()}
    form = _one_of("response_format", one.get("response_format", FORMATS[0]), FORMATS)
    granularities = tuple(
        _one_of("timestamp_granularities", value, GRANULARITIES) for value in given.get("timestamp_granularities", ())
    )
    stream = _truth(one.get("stream", "false"))
    if one.get("chunking_strategy", "auto") != "auto":
        raise InvalidInput("chunking_strategy: expected auto (speech is always found first), got another")
    _temperature(one.get("temperature", "0"))
    return ToHear(recording, _language(one.get("language")), form, granularities or GRANULARITIES[:1], stream)


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise InvalidInput(f"{name}: expected {', '.join(choices)}, got {kind(value)}")
    return value


def _truth(value: str) -> bool:
    if value.lower() not in _TRUTHS:
        raise InvalidInput(f"stream: expected true or false, got {kind(value)}")
    return _TRUTHS[value.lower()]


def _language(tag: str | None) -> str | None:
    if tag is None:
        return None
    language = language_of(tag)
    if language is None:
        raise InvalidInput(f"language: expected zh or en, got {kind(tag)}")
    return language


def _temperature(value: str) -> None:
    try:
        number = float(value) if value.isascii() and len(value) <= 32 else math.nan
    except ValueError:
        number = math.nan
    if not 0 <= number <= 1:
        raise InvalidInput("temperature: expected a number from 0 to 1, got another value")


def speech_schema(max_chars: int, pattern: str) -> dict[str, Any]:
    """JSON schema of `SpeechIn`, with what its validators say in words of JSON Schema; `pattern`: no NUL in a text."""
    schema: dict[str, Any] = SpeechIn.model_json_schema()
    fields = schema["properties"]
    fields["input"] |= {"maxLength": max_chars, "pattern": pattern}
    for name in ("model", "voice"):
        fields[name]["pattern"] = pattern
    for choice in fields["instructions"]["anyOf"]:
        if choice["type"] == "string":
            choice["pattern"] = pattern
    named = {"type": "object", "properties": {"id": {"type": "string", "pattern": pattern}}, "required": ["id"]}
    voice = {key: fields["voice"].pop(key) for key in ("type", "pattern")}
    fields["voice"]["anyOf"] = [voice, named | {"additionalProperties": False}]
    fields["response_format"]["anyOf"] = [{"type": "string", "enum": list(SOUNDS)}, {"type": "null"}]
    return schema
