"""What the OpenAPI document promises, held against real answers."""

from __future__ import annotations

import jsonschema_rs

from appliance.channels.http.openapi import document
from appliance.settings import Settings

SPEC = document(Settings())


def valid(schema: str, answer: object) -> None:
    """The answer is what the document promises, to the last field."""
    root = {"$ref": f"#/components/schemas/{schema}", "components": SPEC["components"]}
    jsonschema_rs.validator_for(root).validate(answer)
