"""What channels that hear and speak without a conversation need: OpenAI's audio routes and the Wyoming listener."""

from __future__ import annotations

from appliance.channels.door import Door

LANGUAGES = ("zh", "en")
"""Languages that the appliance answers in."""
SPEEDS = (0.25, 4.0)
"""Slowest and fastest speech, as multiples of the voice's own speed: what OpenAI's interface allows."""


def language_of(tag: str) -> str | None:
    """The language of a tag (RFC 5646: `zh`, `zh-CN`, `en_US`), in lower case; None unless it is one of LANGUAGES."""
    primary = tag.replace("_", "-").partition("-")[0].lower()
    return primary if primary in LANGUAGES else None


def usual_language(door: Door) -> str:
    """The language to hear where nobody names one: Chinese, unless only others are recognised here."""
    heard = languages_of(door, "asr")
    return heard[0] if heard and "zh" not in heard else "zh"


def languages_of(door: Door, feature: str) -> tuple[str, ...]:
    """Languages that a feature serves now, in the order of LANGUAGES; none where it is off or has failed."""
    for found in door.features():
        if found.name == feature and found.state in ("ready", "fallback"):
            return tuple(language for language in LANGUAGES if language in (found.languages or LANGUAGES))
    return ()
