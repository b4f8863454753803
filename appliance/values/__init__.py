"""Frozen dataclasses that cross rooms. Pure data: no behaviour beyond small derived properties."""

from __future__ import annotations

from appliance.values.cost import Joules
from appliance.values.empty import EMPTY, NO_TIMINGS
from appliance.values.feature import Feature, statements
from appliance.values.page import Box, Character, OcrLine, OcrResult, Point, Quad
from appliance.values.reply import Answer, Reply, Suggestion
from appliance.values.sound import Audio, Segment, Transcript, Word
from appliance.values.turn import Entity, FaqMatch, Intent, Parse, Sentiment, Turn

__all__ = [
    "EMPTY",
    "NO_TIMINGS",
    "Answer",
    "Audio",
    "Box",
    "Character",
    "Entity",
    "FaqMatch",
    "Feature",
    "Intent",
    "Joules",
    "OcrLine",
    "OcrResult",
    "Parse",
    "Point",
    "Quad",
    "Reply",
    "Segment",
    "Sentiment",
    "Suggestion",
    "Transcript",
    "Turn",
    "Word",
    "statements",
]
