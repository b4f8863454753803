"""When the kiosk listens, for how long, and whether a customer may break off its words."""

from __future__ import annotations

from dataclasses import dataclass

CANCELLING = ("echo-cancel", "echo_cancel", "echocancel", "echo cancel", "aec")
"""What sound servers and drivers call a microphone from which the loudspeaker's sound has been taken out."""


@dataclass(frozen=True, slots=True)
class Manners:
    """How turns are taken; times in seconds."""

    patience: float = 8.0
    """How long somebody who has been asked to speak may say nothing."""
    follow: float = 6.0
    """How long the kiosk goes on listening after an answer to one who came by the wake phrase."""
    insisting: float = 0.08
    """How long somebody speaks into the kiosk's words until it falls silent: a click is shorter."""
    softer_db: float = 14.0
    """How much softer than before a customer may speak into the kiosk's words, in dB."""
    barge_in: bool = False
    """Whether speaking breaks off the kiosk's words."""


def breaks_in(setting: str, microphone: str) -> bool:
    """Whether barge-in is on: as the setting says, `auto` by the name of the open microphone."""
    if setting == "auto":
        name = microphone.lower()
        return any(sign in name for sign in CANCELLING)
    return setting == "on"
