"""Requests as pydantic models, and how their mistakes are said."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal, NoReturn

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from appliance.errors import BadRequest, InvalidInput
from appliance.language.suggest import LONGEST
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
SUGGESTIONS = 8
"""How many suggestions are given unless asked otherwise."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


def _printable(text: str) -> str:
    if "\0" in text:
        raise ValueError("expected text without NUL characters")
    return text


Printable = Annotated[str, AfterValidator(_printable)]


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


def read_turn(body: bytes, max_chars: int) -> TurnIn:
    """A checked turn from a JSON body; raises BadRequest or InvalidInput naming the field."""
    parsed = parse_json_body(body)
    if not isinstance(parsed, dict):
        raise InvalidInput(f"body: expected a JSON object, got {_kind(parsed)}")
    try:
        turn = TurnIn.model_validate(parsed)
    except ValidationError as error:
        raise InvalidInput(_said(error)) from error
    if len(turn.text) > max_chars:
        raise InvalidInput(f"text: expected at most {max_chars} characters, got {len(turn.text)}")
    return turn


_KINDS: dict[type, str] = {
    dict: "an object",
    list: "a list",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    type(None): "null",
}


def _kind(value: object) -> str:
    if isinstance(value, str):
        return f"text of {len(value)} characters"
    return _KINDS.get(type(value), type(value).__name__)


def _said(error: ValidationError) -> str:
    """The first mistake as 'field: expected X, got Y'; what a customer typed is never echoed."""
    first = error.errors(include_url=False, include_context=True)[0]
    place = ".".join(str(part)[:40] for part in first["loc"]) or "body"
    context = first.get("ctx", {})
    got = _kind(first.get("input"))
    match first["type"]:
        case "missing":
            return f"{place}: expected a value, got none"
        case "extra_forbidden":
            return f"{place}: expected no such field, got {got}"
        case "literal_error":
            return f"{place}: expected {context.get('expected')}, got {got}"
        case "string_too_short":
            return f"{place}: expected at least {context.get('min_length')} character, got an empty text"
        case "string_too_long":
            return f"{place}: expected at most {context.get('max_length')} characters, got {got}"
        case "string_pattern_mismatch":
            return f"{place}: expected text of the form {context.get('pattern')}, got {got}"
        case "string_type":
            return f"{place}: expected text, got {got}"
        case "string_unicode":
            return f"{place}: expected valid Unicode text, got half a surrogate pair"
        case "too_long":
            return f"{place}: expected at most {context.get('max_length')} items, got more"
        case "list_type":
            return f"{place}: expected a list, got {got}"
        case "model_type" | "model_attributes_type":
            return f"{place}: expected an object, got {got}"
        case "value_error":
            return f"{place}: {context.get('error')}, got {got}"
        case other:
            return f"{place}: {other}, got {got}"


def check_session(session: str | None) -> str | None:
    """`session` as given, or None; raises InvalidInput when it cannot be one of ours."""
    if session is not None and re.fullmatch(SESSION_PATTERN[1:-1], session) is None:
        raise InvalidInput(f"session: expected text of the form {SESSION_PATTERN}, got {_kind(session)}")
    return session


def check_language(language: str | None) -> str:
    """`zh` or `en`, `zh` when nothing was said; raises InvalidInput otherwise."""
    if language is None:
        return "zh"
    if language not in LANGUAGES:
        raise InvalidInput(f"language: expected zh or en, got {_kind(language)}")
    return language


def check_typed(text: str | None) -> str:
    """A half-typed text; raises InvalidInput when there is none or it is too long."""
    if text is None or not 0 < len(text) <= LONGEST:
        got = "none" if text is None else _kind(text)
        raise InvalidInput(f"text: expected 1 to {LONGEST} characters, got {got}")
    return text


def check_count(name: str, given: str | None, default: int, least: int, most: int) -> int:
    """A whole number from the query, `default` when nothing was said; raises InvalidInput outside `least` to `most`."""
    if given is None:
        return default
    # Digits of ASCII alone: int() would also take 8_0, ٨ and spaces.
    if not (given.isascii() and given.isdigit() and len(given) <= 9 and least <= int(given) <= most):
        got = given if given.isascii() and given.isdigit() and len(given) <= 9 else _kind(given)
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
        raise InvalidInput(f"detail: expected {' or '.join(DETAILS)}, got {_kind(given)}")
    return given == "characters"
