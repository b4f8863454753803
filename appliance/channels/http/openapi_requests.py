"""Schemas of what is asked, from the models that check it."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic.json_schema import models_json_schema

from appliance.channels.http.openapi_forms import Json
from appliance.channels.http.schemas import ListenIn, LogIn, TurnIn, TypedIn

# What the models say in a validator of their own: no NUL; for a turn's text, something beside white space.
PRINTABLE = r"^[^\u0000]*$"
SAYING = r"^[^\u0000]*[^\s\u0000][^\u0000]*$"


def request_schemas(
    max_text_chars: int, intents: Sequence[str] = (), entity_types: Sequence[str] = ()
) -> dict[str, Json]:
    """Schemas of what is asked, from the models that check it; `intents` and `entity_types` are those of the pack."""
    _, definitions = models_json_schema(
        [(TurnIn, "validation"), (TypedIn, "validation"), (ListenIn, "validation"), (LogIn, "validation")],
        ref_template="#/components/schemas/{model}",
    )
    schemas: dict[str, Json] = definitions["$defs"]
    schemas["TurnIn"]["properties"]["text"] |= {"maxLength": max_text_chars, "pattern": SAYING}
    schemas["TypedIn"]["properties"]["text"]["pattern"] = PRINTABLE
    entity = schemas["EntityIn"]["properties"]
    for text in (entity["value"], *(kind for kind in entity["text"]["anyOf"] if kind["type"] == "string")):
        text["pattern"] = PRINTABLE
    if intents:
        given = next(kind for kind in schemas["TurnIn"]["properties"]["intent"]["anyOf"] if kind["type"] == "string")
        given["enum"] = sorted(intents)
        del given["pattern"]
    if entity_types:
        entity["type"]["enum"] = sorted(entity_types)
        del entity["type"]["pattern"]
    return schemas
