"""The moment at which somebody holds a document still, and the sharpest picture of it.

What stands in view when the camera opens is no document: nobody has shown it. A document that was read is not read
again before it has left the view, or has moved and looks different since. Stillness is the mean difference of
brightness between two looks within the document's box, freed of what the whole picture gained or lost: a camera that
adapts itself to white paper does not make it move.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from appliance.vision.document import Box, Cells, alike, document, small, written
from appliance.vision.frame import Frame
from appliance.vision.image import Pixels
from appliance.vision.sharpness import Grey, Quality, measure

COARSE = 4
"""Motion is looked for in a picture so many times smaller than the small one: a hand that holds something still moves
it by less than one of its pixels."""
ENOUGH = 3
"""Pictures from which one is chosen when a document is taken away before its time."""
SHARPER = 1.05
"""How much sharper a picture must be for the lens to count as searching still."""
EMPTY, MOVING, HOLDING, READ = "empty", "moving", "holding", "read"


@dataclass(frozen=True, slots=True)
class Rules:
    """What counts as still, gone and the same; times in seconds."""

    still: float = 10.0
    """Largest mean difference of brightness, of 255, between two looks at what is held still by a hand."""
    stir: float = 1.5
    """Mean difference of the whole picture from which something moves in it; noise alone makes less than 0.8."""
    overlap: float = 0.6
    """Least overlap of the boxes of two looks at it."""
    hold_s: float = 0.5
    """How long it is still before it counts as held."""
    choose_s: float = 0.6
    """How long the sharpest picture is looked for then."""
    focus_s: float = 3.0
    """Longest time to look on while each picture is sharper than those before: the lens is still searching."""
    gone_s: float = 1.5
    """Without a document it has left: a hand that trembles hides it for less."""
    same: float = 0.95
    """Least likeness (normalised correlation) of what moved and is the same as before: the same at another place."""
    settle_s: float = 1.0
    """After the camera has opened: what is written then is the shop's own. Its light settles meanwhile, too."""
    stays_s: float = 120.0
    """A document that was read and lies untouched for so long belongs to the shop: nobody stands there any more."""
    lively_s: float = 5.0
    """After the last motion in view, or document, a slow look is enough."""


@dataclass(frozen=True, slots=True)
class Pick:
    """The picture to read."""

    pixels: Pixels
    """BGR, all of it: what lies beyond the document's box may be its rim."""
    quality: Quality
    """Of the document in it."""
    at: float
    """When it was taken."""
    looks: int
    """Pictures that it was chosen from."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look has shown."""

    phase: str
    """`empty`, `moving`, `holding` or `read`."""
    light: str = ""
    """Of the document that is held: `good`, `dark`, `bright` or `flat`; empty where none is."""
    lively: bool = False
    """Whether it pays to look often."""
    left: bool = False
    """True once, when a document has left the view."""
    pick: Pick | None = None
    """The picture to read, once for each time that a document is shown."""


@dataclass(slots=True)
class _Held:
    """What is known of a document since it has been still."""

    since: float | None = None
    best: tuple[Frame, Quality, Grey] | None = None
    looks: int = 0
    improving: bool = False


class Moment:
    """Follows what lies in view from look to look. For one thread."""

    def __init__(self, rules: Rules = Rules()) -> None:
        self._rules = rules
        self.begin()

    def begin(self) -> None:
        """The camera was opened anew: what it shows first is the shop's own."""
        self._opened: float | None = None
        self._shop: tuple[Cells, Grey] | None = None
        self._before: Grey | None = None
        self._box: Box | None = None
        self._last_document = self._last_motion = float("-inf")
        self._phase = EMPTY
        self._drop()
        self._read: Grey | None = None
        self._stirred = False

    def see(self, frame: Frame) -> Seen:
        """Take in the next picture."""
        rules, at = self._rules, frame.at
        grey = small(frame.pixels)
        if self._before is not None and self._before.shape != grey.shape:
            self.begin()  # the camera gives another size
        if self._opened is None:
            self._opened = self._last_motion = at
        settling = at - self._opened < rules.settle_s
        cells = self._shown(grey, settling)
        box = None if settling else document(cells)
        before, self._before = self._before, grey
        if before is not None and _difference(grey, before) > rules.stir:
            self._last_motion = at
        left, pick = False, None
        if box is None:
            left, pick = self._without(at)
        else:
            self._last_document = at
            moves = before is None or self._moves(grey, before, box)
            self._box = box
            pick = self._with(frame, grey, box, moves)
        lively = self._phase in (MOVING, HOLDING) or at - self._last_motion < rules.lively_s
        return Seen(self._phase, self._held.best[1].light if self._held.best else "", lively, left, pick)

    def unread(self) -> None:
        """The last pick was not read: it is picked again while it is held."""
        if self._phase == READ:
            self._phase, self._read, self._stirred = MOVING, None, True

    def _shown(self, grey: Grey, settling: bool) -> Cells:
        """Written cells without those that show what the shop has there."""
        cells = written(grey)
        if settling or self._shop is None:
            self._shop = (cells, grey)
        import cv2

        own, picture = self._shop
        # The shop's own print begins and ends within a cell: one beside it counts as it.
        near = cv2.dilate((own & alike(grey, picture)).astype(np.uint8), np.ones((3, 3), np.uint8))
        shown: Cells = cells & (near == 0)
        return shown

    def _without(self, at: float) -> tuple[bool, Pick | None]:
        """Nothing is in view: what was held is read all the same when there was time for a good picture."""
        pick = self._chosen() if self._phase == HOLDING and self._held.looks >= ENOUGH else None
        if pick is None and self._phase == HOLDING:
            self._phase = MOVING
        self._drop()
        if self._phase != EMPTY and at - self._last_document >= self._rules.gone_s:
            self._phase, self._read, self._box = EMPTY, None, None
            return True, pick
        return False, pick

    def _with(self, frame: Frame, grey: Grey, box: Box, moves: bool) -> Pick | None:
        rules = self._rules
        if moves:
            self._stirred = True
            pick = self._chosen() if self._phase == HOLDING and self._held.looks >= ENOUGH else None
            self._drop()
            if self._phase != READ:
                self._phase = MOVING
            return pick
        if self._phase == READ and not self._stirred:
            if frame.at - self._last_motion > rules.stays_s:
                self._shop, self._phase, self._read = (written(grey), grey), EMPTY, None
            return None
        if self._held.since is None:
            self._held.since = frame.at
        held = frame.at - self._held.since
        if held >= rules.hold_s / 2:
            self._weigh(frame, grey, box)
        if held < rules.hold_s:
            return None
        if self._phase == READ and self._is_same(grey):
            self._stirred = False
            self._drop()
            return None
        self._phase = HOLDING
        searching = self._held.improving and held < rules.focus_s
        if held < rules.hold_s + rules.choose_s or searching:
            return None
        return self._chosen()

    def _weigh(self, frame: Frame, grey: Grey, box: Box) -> None:
        quality = measure(box.cut(frame.pixels))
        held, best = self._held, self._held.best
        held.looks += 1
        held.improving = best is None or quality.rank > (best[1].light == "good", best[1].sharpness * SHARPER)
        if best is None or quality.rank > best[1].rank:
            held.best = (frame, quality, np.ascontiguousarray(box.cut(grey)))

    def _chosen(self) -> Pick | None:
        if self._held.best is None:
            return None
        frame, quality, patch = self._held.best
        pick = Pick(frame.pixels, quality, frame.at, self._held.looks)
        self._phase, self._read, self._stirred = READ, patch, False
        self._drop()
        return pick

    def _drop(self) -> None:
        """Forget the pictures of what was held."""
        self._held = _Held()

    def _moves(self, grey: Grey, before: Grey, box: Box) -> bool:
        if self._box is not None and self._box.overlap(box) < self._rules.overlap:
            return True
        return _difference(box.cut(grey), box.cut(before)) > self._rules.still

    def _is_same(self, grey: Grey) -> bool:
        """Whether what was read is in view still, moved at most."""
        import cv2

        patch = self._read
        if patch is None or patch.shape[0] > grey.shape[0] or patch.shape[1] > grey.shape[1]:
            return False
        likeness = float(cv2.matchTemplate(grey, patch, cv2.TM_CCOEFF_NORMED).max())
        return likeness >= self._rules.same


def _difference(one: Grey, other: Grey) -> float:
    """Mean difference of brightness, freed of what the whole has gained or lost, and of what a hand's tremor moves."""
    import cv2

    size = (max(1, one.shape[1] // COARSE), max(1, one.shape[0] // COARSE))
    now, before = (cv2.resize(part, size, interpolation=cv2.INTER_AREA).astype(np.int16) for part in (one, other))
    change = now - before
    return float(np.abs(change - np.median(change)).mean())
