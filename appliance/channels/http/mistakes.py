"""How what is wrong with a request is said: the field, what was expected, what kind of thing came instead."""

from __future__ import annotations

from pydantic import ValidationError

KINDS: dict[type, str] = {
    dict: "an object",
    list: "a list",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    type(None): "null",
}


def kind(value: object) -> str:
    """What was given, without giving it again."""
    if isinstance(value, str):
        return f"text of {len(value)} characters"
    return KINDS.get(type(value), type(value).__name__)


def said(error: ValidationError) -> str:
    """The first mistake as 'field: expected X, got Y'; what a customer typed is never echoed."""
    first = error.errors(include_url=False, include_context=True)[0]
    place = ".".join(str(part)[:40] for part in first["loc"]) or "body"
    context = first.get("ctx", {})
    got = kind(first.get("input"))
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
        case "int_type":
            return f"{place}: expected a whole number, got {got}"
        case "float_type":
            return f"{place}: expected a number, got {got}"
        case "greater_than_equal":
            return f"{place}: expected at least {context.get('ge')}, got less"
        case "less_than_equal":
            return f"{place}: expected at most {context.get('le')}, got more"
        case "list_type":
            return f"{place}: expected a list, got {got}"
        case "model_type" | "model_attributes_type":
            return f"{place}: expected an object, got {got}"
        case "value_error":
            return f"{place}: {context.get('error')}, got {got}"
        case other:
            return f"{place}: {other}, got {got}"
