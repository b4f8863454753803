"""The ladder: what each level takes away. The last one is the least with which everything still serves.

First goes what nobody notices (a lighter variant that passed the same gate, frames of the camera), then what is only
slower (less at once), then what small print may suffer from (the detector's size). Words and touch are on no rung.
"""

from __future__ import annotations

from dataclasses import dataclass

SENSES = ("image", "audio", "speech")
"""Kinds of work that are refused while the chip is too hot."""
WORDS = ("text", "touch")
"""Kinds that never are."""


@dataclass(frozen=True, slots=True)
class Rung:
    """What one level allows."""

    pixels: float = 1.0
    """Share of the pixels that the text detector may see."""
    light: bool = False
    """Whether networks are to run in their lightest installed precision, and speech on its lightest recogniser."""
    images: int | None = None
    """Photos read or queued at once; None for as many as the setting says."""
    recordings: int | None = None
    """Recordings heard or queued at once; None for as many as the setting says."""
    camera: float = 1.0
    """Share of the camera's rate."""


RUNGS = (
    Rung(),
    Rung(light=True, camera=0.5),
    Rung(light=True, camera=0.5, images=2, pixels=0.6),
    Rung(light=True, camera=0.25, images=1, recordings=1, pixels=0.4),
    Rung(light=True, camera=0.1, images=1, recordings=1, pixels=0.25),
)
"""Every level."""
DEEPEST = len(RUNGS) - 1
"""The last of them; one beyond it all but words and touch is refused."""


HOT = Rung(light=True, camera=0.0, images=1, recordings=1, pixels=0.25)
"""What is left while all but words and touch is refused: whoever is being answered is answered to the end."""


def rung_of(level: int) -> Rung:
    """What `level` allows."""
    return HOT if level > DEEPEST else RUNGS[max(0, level)]


def serves(kind: str, level: int, deepest: int = DEEPEST) -> bool:
    """Whether work of `kind` is taken at all at `level`."""
    return kind in WORDS or level <= deepest
