"""One look that is asked for: the sharpest picture of the next second, or why there is none."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from appliance.errors import Unavailable
from appliance.vision.camera import Camera
from appliance.vision.document import document, small, written
from appliance.vision.frame import Frame
from appliance.vision.sharpness import Quality, measure
from appliance.vision.watch import UNWATCHED, Watch

PATIENCE_S = 8.0
"""Seconds to wait for a camera that has to be opened first."""
CHOOSE_S = 1.0
"""Seconds in which the sharpest picture is taken."""
SETTLE_S = 0.7
"""Seconds after the camera was opened in which its light is not yet right."""

_TICK_S = 0.25


def sharpest(camera: Camera, watch: Watch = UNWATCHED, clock: Callable[[], float] = time.monotonic) -> Frame:
    """The sharpest picture of the next second, none of which shows what was before now; `clock` is the camera's.

    Raises Unavailable with the reason when there is none, or when `watch` says stop.
    """
    asked = clock()
    settled = asked if camera.state.state == "watching" else None
    best: tuple[Quality, Frame] | None = None
    with camera.watched(math.inf) as watcher:

        def fresh(frame: Frame) -> bool:
            nonlocal settled
            if frame.at < asked:
                return False
            if settled is None:
                settled = frame.at + SETTLE_S
            return frame.at >= settled

        frame: Frame | None = first(camera, watcher.next, fresh, watch, clock)
        until = clock() + CHOOSE_S
        while clock() < until and not watch.stopped():
            if frame is not None:
                box = document(written(small(frame.pixels)))
                quality = measure(frame.pixels if box is None else box.cut(frame.pixels))
                if best is None or quality.rank > best[0].rank:
                    best = (quality, frame)
            frame = watcher.next(min(_TICK_S, max(0.0, until - clock())))
    if best is None:
        raise _stopped()
    return best[1]


def first(
    camera: Camera,
    following: Callable[[float], Frame | None],
    good: Callable[[Frame], bool] = lambda _frame: True,
    watch: Watch = UNWATCHED,
    clock: Callable[[], float] = time.monotonic,
) -> Frame:
    """The first picture of `following(seconds)` that is `good`. Raises Unavailable as `sharpest`."""
    until = clock() + PATIENCE_S
    while clock() < until and camera.state.state not in ("paused", "off"):
        if watch.stopped():
            raise _stopped()
        frame = following(_TICK_S)
        if frame is not None and good(frame):
            return frame
        if (fault := camera.fault) is not None:
            # Anew each time: one object raised in several threads would gather all their frames.
            raise Unavailable(fault.detail, remedy=_both(fault.remedy), retry_after=5)
    now = camera.state.state
    raise Unavailable(f"camera: expected a picture, got none: it is {now}", retry_after=5)


def _both(remedy: str) -> tuple[str, str]:
    chinese, _, english = remedy.partition(" / ")
    return chinese, english


def _stopped() -> Unavailable:
    return Unavailable("camera: expected somebody who waits for the answer, got the look stopped")
