"""What a strip of text says: the recogniser at natural width, then greedy CTC with a confidence per character."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from appliance.errors import ModelMismatch
from appliance.inference.arrive import IDS, LOGPROBS
from appliance.inference.backend import Run
from appliance.inference.ctc import Decoded, Ids, LogProbs, greedy, rivals
from appliance.values import Character
from appliance.vision.image import Pixels
from appliance.vision.rectify import STRIP_HEIGHT

STEP = 8
"""Columns of pixels behind one time step of the network; strips are padded to a multiple of it and no further.

Measured on 456 strips of 23 photos and pages, each policy in turn on every strip: multiples of 16, 32 and 64 take 1.01,
1.03 and 1.09 of the CPU time, at least 320 columns (the peer's policy) 1.38. Between 8 and 32 four texts differ, each
by a character or two; at least 320 loses a `年`, reads `8.` as `S.` and lowers the mean confidence.
"""

MIN_WIDTH = 96
"""Narrower strips are padded to this width: with less beside it, a single `0` is read as `o` and `11.` as `H.`."""

MAX_WIDTH = 1280
"""Wider strips are cut at gaps: bounds memory, and the attention's cost, which grows with the square of the width."""

LEAST_GAP = 5.0
"""Fewest time steps (40 columns, 0.8 of the height) between the middles of two characters that a space parts."""

WIDE_GAP = 2.5
"""The same in median distances of the line's characters, so that wide print is not torn apart."""

_SEARCH = 160
"""Columns before `MAX_WIDTH` in which the emptiest place to cut is sought."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The text of one strip."""

    characters: tuple[Character, ...] = ()
    """Its characters from left to right, each with what else it may be; an inserted space has no alternatives."""
    columns: tuple[int, ...] = ()
    """Column of the strip in which the middle of each character is."""

    @property
    def text(self) -> str:
        """Recognised characters; empty when none."""
        return "".join(character.text for character in self.characters)

    @property
    def confidence(self) -> float:
        """Mean character confidence; 0 for an empty text."""
        return self.weight / len(self.characters) if self.characters else 0.0

    @property
    def weight(self) -> float:
        """Sum of the confidences: how many characters can be believed."""
        return sum(character.confidence for character in self.characters)


def alphabet(characters: Sequence[str]) -> tuple[str, ...]:
    """Text of each class of the network: blank, the characters of the model's list, and the space it does not name."""
    return ("", *characters, " ")


def recognise(run: Run, strip: Pixels, classes: Sequence[str], deadline: float | None = None) -> Reading:
    """Read one strip, shape (48, width, 3). `classes` is the text of every class, as `alphabet` gives it.

    The network gives ids and log-probabilities of the best classes of every step (see `inference.arrive`).
    Raises ModelMismatch when it names a class that `classes` has no text for.
    """
    characters: list[Character] = []
    columns: list[int] = []
    left = 0
    for piece in pieces(strip):
        outputs = run({"x": tensor(piece)}, deadline=deadline)
        ids, logprobs = outputs[IDS][0], outputs[LOGPROBS][0]
        if ids.size and not 0 <= ids.min() <= ids.max() < len(classes):
            raise ModelMismatch(f"recogniser: expected {len(classes)} classes, got {ids.min()} to {ids.max()}")
        for character, column in _characters(ids, logprobs, classes):
            characters.append(character)
            columns.append(left + min(column, piece.shape[1] - 1))
        left += piece.shape[1]
    return _trimmed(characters, columns)


def _characters(ids: Ids, logprobs: LogProbs, classes: Sequence[str]) -> Iterator[tuple[Character, int]]:
    """Each character of one piece with the column of its middle; a space stands where the line's rhythm breaks."""
    decoded = greedy(ids, logprobs)
    texts = [classes[index] for index in decoded.indices]
    others = rivals(ids, logprobs, decoded)
    middles = ((decoded.starts + decoded.ends) * STEP // 2).tolist()
    for at, apart in enumerate(gaps(texts, decoded)):
        confidence = float(decoded.confidences[at])
        if apart:
            yield Character(" ", confidence), (middles[at - 1] + middles[at]) // 2
        alternatives = tuple((classes[index], odds) for index, odds in others[at])
        yield Character(texts[at], confidence, alternatives), middles[at]


def gaps(characters: Sequence[str], decoded: Decoded) -> list[bool]:
    """For each character, whether a space that the network did not write stands before it.

    The detector joins neighbouring cells of a table now and then, and `1` and `55.90` must not become `155.90`. Chinese
    is left alone: it is often set wide, and a space inside a word would be worse than none between two.
    """
    apart = [False] * len(characters)
    if len(characters) < 3:
        return apart
    middles = (decoded.starts + decoded.ends) / 2
    pitch = np.diff(middles)
    least = max(LEAST_GAP, WIDE_GAP * float(np.median(pitch)))
    for index, distance in enumerate(pitch, start=1):
        one, other = characters[index - 1], characters[index]
        apart[index] = bool(distance >= least) and (one + other).isascii() and " " not in (one, other)
    return apart


def tensor(strip: Pixels) -> npt.NDArray[np.float32]:
    """Scale a strip to [-1, 1] and pad it with grey to a multiple of 8 columns: (1, 3, 48, width), float32, BGR."""
    width = strip.shape[1]
    scaled = np.zeros((1, 3, STRIP_HEIGHT, max(MIN_WIDTH, -(-width // STEP) * STEP)), np.float32)
    np.multiply(strip.transpose(2, 0, 1), np.float32(1 / 127.5), out=scaled[0, :, :, :width])
    scaled[..., :width] -= 1
    return scaled


def pieces(strip: Pixels, limit: int = MAX_WIDTH) -> Iterator[Pixels]:
    """Cut a strip into pieces of at most `limit` columns, each cut at the place with the least ink nearby."""
    while strip.shape[1] > limit:
        start = limit - min(_SEARCH, limit // 2)
        at = start + _emptiest(strip[:, start:limit])
        yield strip[:, :at]
        strip = strip[:, at:]
    yield strip


def _emptiest(window: Pixels) -> int:
    """Middle of the widest run of columns that have about the least contrast of all in `window`."""
    contrast = np.ptp(window.mean(axis=2), axis=0)
    empty = contrast <= contrast.min() + 0.1 * np.ptp(contrast)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], empty, [False])).astype(np.int8)))
    starts, ends = edges[::2], edges[1::2]
    widest = int(np.argmax(ends - starts))
    return max(1, int(starts[widest] + ends[widest]) // 2)


def _trimmed(characters: Sequence[Character], columns: Sequence[int]) -> Reading:
    """Without spaces at either end: they are padding that was read."""
    inked = [at for at, character in enumerate(characters) if not character.text.isspace()]
    kept = slice(inked[0], inked[-1] + 1) if inked else slice(0)
    return Reading(tuple(characters[kept]), tuple(columns[kept]))
