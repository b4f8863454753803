"""Values of the appliance written as plain JSON, and the one way a JSON response is made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flask import Response

from appliance.values import (
    Answer,
    Character,
    Entity,
    FaqMatch,
    Feature,
    Joules,
    OcrLine,
    OcrResult,
    Parse,
    Reply,
    Sentiment,
    Suggestion,
    Transcript,
    Turn,
)

JSON = "application/json"


def json_response(payload: object, status: int = 200) -> Response:
    """`payload` as a compact UTF-8 JSON response; never NaN, which is not JSON."""
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Response(text.encode("utf-8"), status=status, content_type=JSON)


def _rounded(timings: Mapping[str, float]) -> dict[str, float]:
    return {stage: round(float(ms), 3) for stage, ms in timings.items()}


def entity_json(entity: Entity) -> dict[str, Any]:
    """An entity with its span, value, source and parts."""
    return {
        "type": entity.type,
        "text": entity.text,
        "value": entity.value,
        "start": entity.start,
        "end": entity.end,
        "confidence": round(float(entity.confidence), 4),
        "source": entity.source,
        "detail": dict(entity.detail),
    }


def suggestion_json(suggestion: Suggestion) -> dict[str, Any]:
    """Something to tap next."""
    return {"label": suggestion.label, "text": suggestion.text, "intent": suggestion.intent}


def parse_json(parse: Parse) -> dict[str, Any]:
    """What a turn means."""
    return {
        "intent": {"name": parse.intent.name, "confidence": round(float(parse.intent.confidence), 4)},
        "entities": [entity_json(entity) for entity in parse.entities],
        "alternatives": [{"name": i.name, "confidence": round(float(i.confidence), 4)} for i in parse.alternatives],
        "clean": parse.clean,
        "language": parse.language,
        "source": parse.source,
        "sentiment": _sentiment_json(parse.sentiment),
        "faq": [faq_json(match) for match in parse.faq],
        "models": list(parse.models),
        "timings_ms": _rounded(parse.timings_ms),
    }


def _sentiment_json(sentiment: Sentiment | None) -> dict[str, Any] | None:
    if sentiment is None:
        return None
    return {"name": sentiment.name, "confidence": round(float(sentiment.confidence), 4)}


def faq_json(match: FaqMatch) -> dict[str, Any]:
    """A frequent question that a turn may be."""
    return {
        "id": match.id,
        "confidence": round(float(match.confidence), 4),
        "way": match.way,
        "words": min(1.0, max(0.0, round(float(match.words), 4))),
        "meaning": min(1.0, max(-1.0, round(float(match.meaning), 4))),
    }


def answer_json(answer: Answer) -> dict[str, Any]:
    """What the kiosk says, with what may be tapped next."""
    return {
        "text": answer.text,
        "language": answer.language,
        "suggestions": [suggestion_json(suggestion) for suggestion in answer.suggestions],
        "outcome": answer.outcome,
        "flow": answer.flow,
        "expects": answer.expects,
        "data": dict(answer.data),
    }


def turn_json(turn: Turn) -> dict[str, Any]:
    """The turn as it entered: for an image or a recording, the text that was read or heard."""
    return {
        "text": turn.text,
        "source": turn.source,
        "language": turn.language,
        "confidence": round(float(turn.confidence), 4),
        "partial": turn.partial,
    }


def _character_json(character: Character) -> dict[str, Any]:
    return {
        "text": character.text,
        "confidence": round(float(character.confidence), 4),
        "alternatives": [
            {"text": text, "confidence": round(float(confidence), 4)} for text, confidence in character.alternatives
        ],
    }


def line_json(line: OcrLine, characters: bool = False) -> dict[str, Any]:
    """One line of text; with its `characters` one by one where they are wanted."""
    body: dict[str, Any] = {
        "text": line.text,
        "confidence": round(float(line.confidence), 4),
        "box": [[round(float(x), 1), round(float(y), 1)] for x, y in line.box],
    }
    if characters:
        body["characters"] = [_character_json(character) for character in line.characters]
    return body


def joules_json(joules: Joules) -> dict[str, Any]:
    """What work cost, millijoules rounded away; null where too little of it was measured by its end."""
    return {
        "total": _rounded_or_none(joules.total),
        "stages": {stage: _rounded_or_none(value) for stage, value in joules.stages.items()},
        "net": joules.net,
        "source": joules.source,
    }


def _rounded_or_none(value: float | None) -> float | None:
    return None if value is None else round(float(value), 3)


def _with_joules(body: dict[str, Any], joules: Joules | None) -> dict[str, Any]:
    """`body` with the joules, where power is measured: nobody is to take 0 for nothing known."""
    return body if joules is None else body | {"joules": joules_json(joules)}


def ocr_json(result: OcrResult, characters: bool = False) -> dict[str, Any]:
    """Everything read in one image; boxes are in pixels of the photo as displayed, `width` x `height` after its EXIF
    orientation, and not turned by `angle`.
    """
    body = {
        "text": result.text,
        "confidence": round(float(result.confidence), 4),
        "lines": [line_json(line, characters) for line in result.lines],
        "width": int(result.width),
        "height": int(result.height),
        "angle": int(result.angle),
        "partial": result.partial,
        "unread": int(result.unread),
        "reduced": bool(result.reduced),
        "engine": result.engine,
        "timings_ms": _rounded(result.timings_ms),
    }
    return _with_joules(body, result.joules)


def transcript_json(transcript: Transcript) -> dict[str, Any]:
    """What was heard, word by word."""
    body = {
        "text": transcript.text,
        "confidence": round(float(transcript.confidence), 4),
        "language": transcript.language,
        "words": [
            {
                "text": word.text,
                "start": round(float(word.start), 3),
                "end": round(float(word.end), 3),
                "confidence": round(float(word.confidence), 4),
            }
            for word in transcript.words
        ],
        "segments": [
            {"start": round(float(segment.start), 3), "end": round(float(segment.end), 3)}
            for segment in transcript.segments
        ],
        "engine": transcript.engine,
        "seconds": round(float(transcript.seconds), 3),
        "timings_ms": _rounded(transcript.timings_ms),
    }
    return _with_joules(body, transcript.joules)


def reply_json(reply: Reply) -> dict[str, Any]:
    """A finished turn; `ocr` and `transcript` are there only for an image or a recording."""
    body: dict[str, Any] = {
        "session": reply.session,
        "turn": turn_json(reply.turn),
        "parse": parse_json(reply.parse),
        "answer": answer_json(reply.answer),
        "timings_ms": _rounded(reply.timings_ms),
        "backends": dict(reply.backends),
    }
    if reply.ocr is not None:
        body["ocr"] = ocr_json(reply.ocr)
    if reply.transcript is not None:
        body["transcript"] = transcript_json(reply.transcript)
    return _with_joules(body, reply.joules)


def feature_json(feature: Feature) -> dict[str, Any]:
    """State of one ability."""
    return {
        "name": feature.name,
        "state": feature.state,
        "backend": feature.backend,
        "reason": feature.reason,
        "required": feature.required,
        "models": list(feature.models),
        "languages": list(feature.languages),
    }
