"""The forms that the schemas of the OpenAPI document are made of."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

TEXT: Json = {"type": "string"}
NUMBER: Json = {"type": "number"}
COUNT: Json = {"type": "integer", "minimum": 0}
RATIO: Json = {"type": "number", "minimum": 0, "maximum": 1}
LANGUAGE: Json = {"type": "string", "enum": ["zh", "en"]}
TIMINGS: Json = {"type": "object", "additionalProperties": {"type": "number", "minimum": 0}}
REQUEST_ID: Json = {
    "type": "string",
    "description": "The request's X-Request-Id, as in the answer's header and in the log: the client's own if it is "
    "a UUID, a ULID, a traceparent, or 32 or 64 hexadecimal digits, else a new one",
}
JOULES: Json = {"$ref": "#/components/schemas/Joules"}
WATTS: Json = {"anyOf": [{"type": "number"}, {"type": "null"}]}


def ref(name: str) -> Json:
    """The schema of this name."""
    return {"$ref": f"#/components/schemas/{name}"}


def array(items: Json) -> Json:
    """A list of `items`."""
    return {"type": "array", "items": items}


def record(description: str, optional: tuple[str, ...] = (), /, **properties: Json) -> Json:
    """An object with these fields and no others, all there but the `optional` ones."""
    return {
        "type": "object",
        "description": description,
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def or_null(schema: Json) -> Json:
    """What `schema` says, or null."""
    return {"anyOf": [schema, {"type": "null"}]}
