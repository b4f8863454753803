"""Requests as pydantic models, and how their mistakes are said."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal, NoReturn, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from appliance.channels.http.mistakes import kind, said
from appliance.errors import BadRequest, InvalidInput
from appliance.language.suggest import LONGEST, MOST
from appliance.values import Entity, Intent, Turn

SESSION_PATTERN = r"^[A-Za-z0-9_-]{1,64}$"
NAME_PATTERN = r"^[a-z][a-z0-9_]{0,63}$"
LANGUAGES = ("zh", "en")
ENTITIES = 16
"""Most entities that a turn may carry."""
ENTITY_CHARS = 512
DETAILS = ("lines", "characters")
"""How far an image's text is told apart."""
SHORTEST_MS = 100
"""Least deadline of a reading, in milliseconds."""
LOUD_MINUTES, MOST_LOUD_MINUTES = 30, 1440
"""Minutes that another level of the log lasts unless asked otherwise, and at most."""
SUGGESTIONS = 8
"""How many suggestions are given unless asked otherwise."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


def _printable(text: str) -> str:
    if "\0" in text:
        raise ValueError("expected text without NUL characters")
    return text


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


Printable = Annotated[str, AfterValidator(_printable)]
Whole = Annotated[int, BeforeValidator(_whole)]
"""JSON has one kind of number: 1.0 is as whole as 1."""


class EntityIn(_Strict):
    """Structure that comes with a turn: a scanned barcode, a confirmed field."""

    type: str = Field(
        pattern=NAME_PATTERN, description="Entity type of the pack, for example tracking_no; another is refused"
    )
    value: Printable = Field(min_length=1, max_length=ENTITY_CHARS, description="Normalised value")
    text: Printable | None = Field(
        default=None, max_length=ENTITY_CHARS, description="Characters of text that say it; default: the value"
    )


class TurnIn(_Strict):
    """One turn as JSON."""

    text: Printable = Field(
        min_length=1, pattern=r"\S", description="What the customer typed, or the words on a tapped chip"
    )
    session: str | None = Field(
        default=None, pattern=SESSION_PATTERN, description="Session of an earlier answer; none starts a new one"
    )
    language: Literal["zh", "en"] | None = Field(default=None, description="Language to answer in; default zh")
    source: Literal["text", "tap", "barcode"] = Field(default="text", description="How the turn was made")
    intent: str | None = Field(
        default=None,
        pattern=NAME_PATTERN,
        description="Intent of a tapped suggestion; one that the pack does not know is refused",
    )
    entities: list[EntityIn] = Field(default_factory=list, max_length=ENTITIES, description="Structure beside the text")

    def turn(self, language: str) -> Turn:
        """The turn that enters the door, in `language` unless the body names one; entities get their spans."""
        return Turn(
            text=self.text,
            source=self.source,
            language=self.language or language,
            entities=tuple(_placed(entity, self.text, self.source) for entity in self.entities),
            intent=Intent(self.intent, 1.0) if self.intent else None,
        )


class TypedIn(_Strict):
    """What is being typed, to be completed. It is a body and no query: addresses are logged on their way."""

    text: Printable = Field(
        min_length=1,
        max_length=LONGEST,
        description="What has been typed so far: characters, pinyin, its initials, English, or a mixture",
        examples=["xiyi"],
    )
    language: Literal["zh", "en"] = Field(default="zh", description="Language of the suggestions")
    limit: Whole = Field(default=SUGGESTIONS, ge=1, le=MOST, description="Most suggestions wanted")


class ListenIn(_Strict):
    """Who is about to speak."""

    session: str | None = Field(
        default=None, pattern=SESSION_PATTERN, description="Session of an earlier answer; none starts a new one"
    )
    language: Literal["zh", "en"] = Field(default="zh", description="Language that is spoken")


class LogIn(_Strict):
    """How loud the log is to be, and for how long."""

    level: Literal["debug", "info", "warning", "error"] = Field(description="Least level that is logged")
    minutes: Whole = Field(
        default=LOUD_MINUTES,
        ge=1,
        le=MOST_LOUD_MINUTES,
        description="Minutes after which the level of the settings is back by itself",
    )


def _placed(entity: EntityIn, text: str, source: str) -> Entity:
    said = entity.text if entity.text is not None else entity.value
    start = text.find(said)
    if start < 0:  # the structure says more than the words do: an entity without a span
        start, said = 0, ""
    return Entity(entity.type, said, entity.value, start, start + len(said), source=source)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidInput(f"{twice[:40]}: expected once, got it {names.count(twice)} times")
    return found


def _not_json(name: str) -> NoReturn:
    raise BadRequest(f"body: expected JSON, got {name}, which JSON does not have")


def parse_json_body(body: bytes) -> object:
    """JSON from UTF-8 bytes; raises BadRequest when it is none or too deep, InvalidInput on a repeated field."""
    if not body:
        raise BadRequest("body: expected JSON, got an empty body")
    try:
        return json.loads(body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_not_json)
    except UnicodeDecodeError as error:
        raise BadRequest(f"body: expected UTF-8, got byte 0x{body[error.start]:02x} at {error.start}") from error
    except RecursionError as error:
        raise BadRequest("body: expected flat JSON, got it nested too deep") from error
    except json.JSONDecodeError as error:
        raise BadRequest(f"body: expected JSON, got {error.msg} at character {error.pos}") from error
    except ValueError as error:  # an integer of thousands of digits
        raise BadRequest("body: expected JSON, got a number too long") from error


Model = TypeVar("Model", bound=BaseModel)


def checked(model: type[Model], body: bytes) -> Model:
    """A JSON body as `model` reads it; raises BadRequest or InvalidInput naming the field."""
    parsed = parse_json_body(body)
    if not isinstance(parsed, dict):
        raise InvalidInput(f"body: expected a JSON object, got {kind(parsed)}")
    try:
        return model.model_validate(parsed)
    except ValidationError as error:
        raise InvalidInput(said(error)) from error


def read_typed(body: bytes) -> TypedIn:
    """A checked half-typed text from a JSON body; raises BadRequest or InvalidInput naming the field."""
    return checked(TypedIn, body)


def read_listen(body: bytes) -> ListenIn:
    """Who is about to speak, from a JSON body; raises BadRequest or InvalidInput naming the field."""
    return checked(ListenIn, body)


def read_log(body: bytes) -> LogIn:
    """A level for the log, from a JSON body; raises BadRequest or InvalidInput naming the field."""
    return checked(LogIn, body)


def read_turn(body: bytes, max_chars: int) -> TurnIn:
    """A checked turn from a JSON body; raises BadRequest or InvalidInput naming the field."""
    turn = checked(TurnIn, body)
    if len(turn.text) > max_chars:
        raise InvalidInput(f"text: expected at most {max_chars} characters, got {len(turn.text)}")
    return turn


def check_session(session: str | None) -> str | None:
    """`session` as given, or None; raises InvalidInput when it cannot be one of ours."""
    if session is not None and re.fullmatch(SESSION_PATTERN[1:-1], session) is None:
        raise InvalidInput(f"session: expected text of the form {SESSION_PATTERN}, got {kind(session)}")
    return session


def check_stream(stream: str) -> str:
    """`stream` as given; raises InvalidInput when it cannot be one of ours."""
    if re.fullmatch(SESSION_PATTERN[1:-1], stream) is None:
        raise InvalidInput(f"stream: expected text of the form {SESSION_PATTERN}, got {kind(stream)}")
    return stream


def check_language(language: str | None) -> str:
    """`zh` or `en`, `zh` when nothing was said; raises InvalidInput otherwise."""
    if language is None:
        return "zh"
    if language not in LANGUAGES:
        raise InvalidInput(f"language: expected zh or en, got {kind(language)}")
    return language


def check_count(name: str, given: str | None, default: int, least: int, most: int) -> int:
    """A whole number from the query, `default` when nothing was said; raises InvalidInput outside `least` to `most`."""
    if given is None:
        return default
    # Digits of ASCII alone: int() would also take 8_0, ٨ and spaces.
    if not (given.isascii() and given.isdigit() and len(given) <= 9 and least <= int(given) <= most):
        got = given if re.fullmatch(r"-?[0-9]{1,9}", given) else "an empty text" if not given else "text that is none"
        raise InvalidInput(f"{name}: expected a whole number from {least} to {most}, got {got}")
    return int(given)


def check_deadline(given: str | None, longest_s: float) -> float | None:
    """Seconds from a `deadline_ms`, None when nothing was said; raises InvalidInput outside 100 ms to `longest_s`."""
    if given is None:
        return None
    return check_count("deadline_ms", given, 0, SHORTEST_MS, int(longest_s * 1000)) / 1000


def check_detail(given: str | None) -> bool:
    """True for `characters`, False for `lines` or nothing; raises InvalidInput otherwise."""
    if given is not None and given not in DETAILS:
        raise InvalidInput(f"detail: expected {' or '.join(DETAILS)}, got {kind(given)}")
    return given == "characters"
