"""What was read in an image: places, characters, lines and the whole page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from appliance.values.cost import Joules
from appliance.values.empty import NO_TIMINGS

Point = tuple[float, float]
"""A position in pixels, (x, y), origin at the top left corner of the photo as it is displayed: turned by its EXIF
orientation and by nothing else."""

Quad = tuple[Point, Point, Point, Point]
"""Four corners in reading order: top left, top right, bottom right, bottom left, as the text is read."""

Box = Quad


@dataclass(frozen=True, slots=True)
class Character:
    """One recognised character and what else it may be."""

    text: str
    """The character."""
    confidence: float
    """0 to 1."""
    alternatives: tuple[tuple[str, float], ...] = ()
    """Other readings with their confidences, best first, at most four: the five best without itself and blank."""


@dataclass(frozen=True, slots=True)
class OcrLine:
    """One line of text found in an image."""

    text: str
    """The recognised characters."""
    confidence: float
    """Mean character confidence, 0 to 1."""
    box: Quad
    """Its corners in pixels of the photo as displayed: after its EXIF orientation, not turned by the page's `angle`."""
    characters: tuple[Character, ...] = ()
    """The characters of `text` one by one; empty where the reader does not tell (tesseract)."""


@dataclass(frozen=True, slots=True)
class OcrResult:
    """Everything read in one image, lines in reading order."""

    lines: tuple[OcrLine, ...]
    """Lines in reading order."""
    width: int
    """Width in pixels of the photo as displayed, after its EXIF orientation; the boxes are in these pixels."""
    height: int
    """Height in pixels of the photo as displayed, after its EXIF orientation."""
    engine: str
    """Which reader made it, for example `pp-ocrv6-small/onnxruntime-cpu` or `tesseract`."""
    timings_ms: Mapping[str, float] = field(default_factory=lambda: NO_TIMINGS)
    """Milliseconds by stage: decode, detect, orient, recognise, layout."""
    angle: int = 0
    """Degrees clockwise by which the page stands turned in the photo: 0, 90, 180 or 270; boxes are not turned by it."""
    unread: int = 0
    """Lines that were found but not read when the deadline came or the reading was stopped."""
    reduced: bool = False
    """True when less of its detail was looked at than usual, to save power: small print may be missing."""
    joules: Joules | None = None
    """What reading it cost, for an image that was not answered; None where power is not measured."""

    @property
    def partial(self) -> bool:
        """True when the deadline came or the reading was stopped before the last line."""
        return self.unread > 0

    @property
    def text(self) -> str:
        """All lines joined by newlines."""
        return "\n".join(line.text for line in self.lines)

    @property
    def confidence(self) -> float:
        """Mean line confidence weighted by length; 0 when nothing was read."""
        characters = sum(len(line.text) for line in self.lines)
        return sum(line.confidence * len(line.text) for line in self.lines) / characters if characters else 0.0
