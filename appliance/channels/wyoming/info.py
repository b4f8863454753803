"""What the appliance says of itself when a Wyoming client asks: which services it has now, in which languages."""

from __future__ import annotations

from typing import Any

from appliance import __version__
from appliance.channels.door import Door
from appliance.channels.speaking import LANGUAGES, languages_of

NAME = "appliance"
"""Name of each of its programs."""

Json = dict[str, Any]


def info(door: Door) -> Json:
    """Fields of the event `info`; a service that is off is left out."""
    backends = {feature.name: feature.backend for feature in door.features()}
    heard, spoken = languages_of(door, "asr"), languages_of(door, "speech")
    ears = [_artifact(backends["asr"], "Recognises speech") | {"languages": list(heard)}] if heard else []
    mouths = [_artifact(voice_of(language), backends["speech"]) | {"languages": [language]} for language in spoken]
    minds = [_artifact("pack", "Understands what the pack knows") | {"languages": list(LANGUAGES)}]
    return {
        "asr": [_program("Speech to text") | {"models": ears}] if ears else [],
        "tts": [_program("Text to speech") | {"voices": mouths}] if mouths else [],
        "intent": [_program("Names what a customer wants") | {"models": minds}],
        "handle": [_program("Answers a customer") | {"models": minds}],
        "wake": [],
        "mic": [],
        "snd": [],
    }


def voice_of(language: str) -> str:
    """Name of the voice of a language."""
    return f"{NAME}-{language}"


def _program(description: str) -> Json:
    return _artifact(NAME, description)


def _artifact(name: str, description: str) -> Json:
    return {
        "name": name,
        "attribution": {"name": "edge-inference-appliance", "url": ""},
        "installed": True,
        "description": description,
        "version": __version__,
    }
