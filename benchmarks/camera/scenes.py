"""Films of a counter: a document that is brought, held and taken away, as a camera above would see it.

Drawn, not filmed: a desk with a grain and some print of its own, a sheet that moves along a path of knots, blurred by
its motion and by the lens, light that the camera adapts to what is white, and noise. Everything follows from a seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
SETTLE_S = 1.5
"""Seconds of the empty desk before anything: the camera has just been opened."""


@dataclass(frozen=True, slots=True)
class Knot:
    """Where a document is at a moment."""

    at: float
    """Seconds."""
    x: float
    """Its middle as a share of the width; beyond 0 to 1 it is out of view."""
    y: float = 0.5
    """Its middle as a share of the height."""
    angle: float = 0.0
    """Degrees against the clock."""
    blur: float = 0.0
    """Sigma of the lens's blur, in pixels."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A document with its path."""

    sheet: Pixels
    """The document itself, BGR."""
    knots: tuple[Knot, ...]
    """In order of time; before the first and after the last it is not there."""
    share: float = 0.55
    """Its larger side over that of the picture in the same direction."""
    tremor: float = 0.0
    """How far a hand shakes it, in pixels."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One film."""

    seconds: float
    """Its length."""
    shown: tuple[Shown, ...] = ()
    """What is brought, one above the other."""
    size: tuple[int, int] = (1280, 720)
    """Pixels across and down."""
    fps: int = 15
    """Pictures a second."""
    light: Callable[[float], float] = field(default=lambda _seconds: 1.0)
    """Brightness of the room by the second."""
    hand: tuple[Knot, ...] = ()
    """Path of a hand with nothing in it."""
    print_on_desk: bool = False
    """Whether something is written on the desk itself."""
    seed: int = 0
    """Of desk and noise."""


def held(sheet: Pixels, start: float, seconds: float, **more: float) -> Shown:
    """A document that is pushed in from the left within 0.7 s, held for so long, and taken out to the right."""
    angle = more.pop("angle", 0.0)
    knots = (
        Knot(start, -0.5, 0.55, angle),
        Knot(start + 0.7, 0.5, 0.5, angle),
        Knot(start + 0.7 + seconds, 0.5, 0.5, angle),
        Knot(start + 1.4 + seconds, 1.6, 0.45, angle),
    )
    return Shown(sheet, knots, **more)


def frames(scene: Scene, blurs: list[float] | None = None) -> Iterator[Pixels]:
    """The pictures, one after the other; how far each document in them is blurred, in pixels, goes into `blurs`."""
    rng = np.random.default_rng(scene.seed)
    cv2.setRNGSeed(scene.seed)
    desk = _desk(scene, rng)
    noise = [np.empty((scene.size[1], scene.size[0]), np.int8) for _ in range(3)]
    for grains in noise:
        cv2.randn(grains, 0, 4)
    noise = [cv2.merge([grains] * 3) for grains in noise]
    gain = 1.0
    for number in range(round(scene.seconds * scene.fps)):
        at = number / scene.fps
        view = desk.copy()
        blur = 0.0
        for shown in scene.shown:
            blur = max(blur, _lay(view, shown, at, 1 / scene.fps, rng))
        if blurs is not None:
            blurs.append(blur)
        if (hand := _between(scene.hand, at)) is not None:
            centre = (int(hand.x * scene.size[0]), int(hand.y * scene.size[1]))
            cv2.ellipse(
                view, centre, (scene.size[0] // 9, scene.size[1] // 5), 20, 0, 360, (120, 150, 205), -1, cv2.LINE_AA
            )
        # A camera brings the mean to where it likes it, within a second.
        mean = float(view[::8, ::8].mean()) * scene.light(at)
        gain += 0.15 * (float(np.clip(105 / max(5.0, mean), 0.6, 2.5)) - gain)
        lit = cv2.convertScaleAbs(view, alpha=scene.light(at) * gain)
        yield cv2.add(lit, noise[number % 3], dtype=cv2.CV_8U).astype(np.uint8)


def film(scene: Scene, path: Path) -> Path:
    """Write a scene as an AVI of JPEG pictures, as a USB camera sends them."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), scene.fps, scene.size)
    assert writer.isOpened()
    try:
        for picture in frames(scene):
            writer.write(picture)
    finally:
        writer.release()
    return path


def _between(knots: Sequence[Knot], at: float) -> Knot | None:
    if not knots or not knots[0].at <= at <= knots[-1].at:
        return None
    times = [knot.at for knot in knots]
    values = [
        float(np.interp(at, times, [getattr(knot, name) for knot in knots])) for name in ("x", "y", "angle", "blur")
    ]
    return Knot(at, *values)


def _lay(view: Pixels, shown: Shown, at: float, exposure: float, rng: np.random.Generator) -> float:
    """Draw a document where it is, smeared along the way that it goes while the shutter is open; how blurred it is."""
    now = _between(shown.knots, at)
    if now is None:
        return 0.0
    later = _between(shown.knots, at + exposure / 2) or now
    height, width = view.shape[:2]
    high, wide = shown.sheet.shape[:2]
    scale = shown.share * min(width / wide, height / high)
    shake = rng.normal(0, shown.tremor, 2) if shown.tremor else np.zeros(2)
    matrix = cv2.getRotationMatrix2D((wide / 2, high / 2), now.angle, scale)
    matrix[:, 2] += (now.x * width - wide / 2 + shake[0], now.y * height - high / 2 + shake[1])
    smear = np.array([(later.x - now.x) * width, (later.y - now.y) * height]) + shake
    corners = cv2.transform(np.array([[[0, 0], [wide, 0], [wide, high], [0, high]]], np.float64), matrix)[0]
    reach = 8 + int(np.abs(smear).max()) + int(4 * now.blur)
    left, top = np.floor(corners.min(axis=0)).astype(int) - reach
    right, bottom = np.ceil(corners.max(axis=0)).astype(int) + reach
    if left >= width or top >= height or right <= 0 or bottom <= 0:
        return 0.0
    matrix[:, 2] -= (left, top)
    size = (int(right - left), int(bottom - top))
    # Shrunk before it is turned, as a lens does: each pixel is the mean of what it sees.
    sheet = cv2.warpAffine(shown.sheet, matrix, size, flags=cv2.INTER_AREA if scale < 0.6 else cv2.INTER_LINEAR)
    there = cv2.warpAffine(np.full((high, wide), 255, np.uint8), matrix, size)
    sheet, there = _smeared(sheet, smear), _smeared(there, smear)
    if now.blur > 0:
        sheet, there = (cv2.GaussianBlur(part, (0, 0), now.blur) for part in (sheet, there))
    x0, y0, x1, y1 = max(0, left), max(0, top), min(width, right), min(height, bottom)
    cut = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
    under, weight = view[y0:y1, x0:x1], there[cut][:, :, None].astype(np.float32) / 255
    under[:] = (under * (1 - weight) + sheet[cut] * weight).astype(np.uint8)
    # A smear of a length is as wide as a bell of a twelfth of its square.
    return float(np.hypot(np.hypot(*smear) / 12**0.5, now.blur))


def _smeared(picture: Pixels, smear: npt.NDArray[np.float64]) -> Pixels:
    length = int(np.hypot(*smear))
    if length < 2:
        return picture
    if length > 20:  # nothing finer than this is left: a smaller picture is smeared as well, and much faster
        size = (picture.shape[1], picture.shape[0])
        shrunk = cv2.resize(picture, (max(1, size[0] // 8), max(1, size[1] // 8)), interpolation=cv2.INTER_AREA)
        return cv2.resize(_smeared(shrunk, smear / 8), size).astype(np.uint8)
    kernel = np.zeros((2 * length + 1, 2 * length + 1), np.float32)
    half = smear / 2
    start, end = (length - half).round().astype(int), (length + half).round().astype(int)
    cv2.line(kernel, tuple(map(int, start)), tuple(map(int, end)), 1.0)
    smeared: Pixels = cv2.filter2D(picture, -1, kernel / kernel.sum()).astype(np.uint8)
    return smeared


def _desk(scene: Scene, rng: np.random.Generator) -> Pixels:
    width, height = scene.size
    grain = cv2.resize(rng.normal(0, 4, (height // 3, 6)).astype(np.float32), (width, height))
    desk = np.clip(92 + grain[:, :, None] * (0.8, 0.9, 1.0), 0, 255).astype(np.uint8)
    cv2.rectangle(desk, (width * 17 // 20, 0), (width, height // 3), (60, 60, 62), -1)  # a card reader's corner
    for key in range(9):
        x, y = width * 7 // 8 + key % 3 * width // 28, 20 + key // 3 * height // 12
        cv2.rectangle(desk, (x, y), (x + width // 40, y + height // 20), (150, 150, 150), -1)
    cv2.circle(desk, (width // 12, height * 5 // 6), height // 9, (70, 90, 60), -1, cv2.LINE_AA)  # a cup
    if scene.print_on_desk:
        for line in range(6):
            place = (width // 20, height // 10 + line * height // 22)
            cv2.putText(
                desk, "PLEASE KEEP YOUR RECEIPT 0123456789", place, 0, height / 1200, (230, 230, 230), 2, cv2.LINE_AA
            )
    return cv2.GaussianBlur(desk, (0, 0), 0.7).astype(np.uint8)
