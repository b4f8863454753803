"""What is picked out of drawn films: each document once, at its sharpest; nothing where nothing is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from appliance.vision.document import Box
from appliance.vision.frame import Frame
from appliance.vision.image import Pixels
from appliance.vision.moment import Moment, Seen
from appliance.vision.sharpness import tenengrad
from benchmarks.camera.scenes import Knot, Scene, Shown, frames, held

SIZE = (640, 360)
LOOKS = 5
"""Looks a second: the default rate."""
TOLERANCE = 0.25
"""Pixels of blur that nobody sees: so close to the least, a picture counts as the sharpest."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one document that was shown."""

    picks: int
    """Times that it was picked: once is right."""
    waited_s: float
    """Seconds from its coming to rest to the pick; nan where there was none."""
    excess: dict[str, float]
    """By measure: pixels of blur of the picture chosen beyond the least of those that it was chosen from."""


@dataclass(frozen=True, slots=True)
class Looked:
    """One picture that was looked at."""

    frame: Frame
    blur: float
    seen: Seen


def shown(sheets: Sequence[Pixels], trials: int, seed: int) -> Iterator[Outcome]:
    """Documents brought, held by a hand and taken away, each in other light and another pose."""
    rng = np.random.default_rng(seed)
    for trial in range(trials):
        sheet = sheets[trial % len(sheets)]
        start, seconds = float(rng.uniform(1.6, 2.2)), float(rng.uniform(2.0, 3.0))
        lit = float(rng.uniform(0.6, 1.4))
        document = held(
            sheet,
            start,
            seconds,
            angle=float(rng.normal(0, 8)),
            share=float(rng.uniform(0.55, 0.85)),
            tremor=float(rng.uniform(0.2, 1.2)),
        )
        if trial % 3 == 0:  # the lens has to find its focus first
            knots = tuple(
                Knot(knot.at, knot.x, knot.y, knot.angle, 2.5 if knot.at < start + 0.8 else 0.0)
                for knot in document.knots
            )
            between = Knot(start + 1.3, 0.5, 0.5, document.knots[1].angle, 0.0)
            document = Shown(sheet, (*knots[:2], between, *knots[2:]), document.share, document.tremor)
        scene = Scene(start + seconds + 3.2, (document,), SIZE, light=lambda _at, lit=lit: lit, seed=seed + trial)
        yield _outcome(list(_looks(scene)), start + 0.7)


def nothing(sheets: Sequence[Pixels], trials: int, seed: int) -> int:
    """Picks where nothing was shown: an empty desk, hands, changing light, a document that only passes."""
    rng = np.random.default_rng(seed)
    found = 0
    for trial in range(trials):
        at, pause = float(rng.uniform(1.5, 3)), float(rng.uniform(0.3, 2.5))
        hand = (Knot(at, -0.2), Knot(at + 0.6, 0.5), Knot(at + 0.6 + pause, 0.5), Knot(at + 1.2 + pause, 1.3))
        passing = (Shown(sheets[trial % len(sheets)], (Knot(at, -0.5), Knot(at + 1.4, 1.5)), 0.6),)
        sudden = float(rng.uniform(0.4, 1.8))
        scene = Scene(
            7.0,
            passing if trial % 4 == 3 else (),
            SIZE,
            light=(lambda now, at=at, sudden=sudden: sudden if now > at else 1.0)
            if trial % 4 == 2
            else lambda _now: 1.0,
            hand=hand if trial % 4 == 1 else (),
            print_on_desk=bool(rng.integers(2)),
            seed=seed + trial,
        )
        found += sum(looked.seen.pick is not None for looked in _looks(scene))
    return found


def _looks(scene: Scene) -> Iterator[Looked]:
    moment, blurs, every = Moment(), list[float](), scene.fps // LOOKS
    for number, view in enumerate(frames(scene, blurs)):
        if number % every == 0:
            frame = Frame(view, number / scene.fps, number + 1)
            yield Looked(frame, blurs[-1], moment.see(frame))


def _outcome(looked: Sequence[Looked], rests: float) -> Outcome:
    picked = [(index, each.seen.pick) for index, each in enumerate(looked) if each.seen.pick is not None]
    if not picked:
        return Outcome(0, float("nan"), {})
    index, pick = picked[0]
    assert pick is not None
    # It was chosen from the looks before it was picked; from those before the last, if it moved in that.
    last = index if looked[index].seen.phase == "read" and looked[index].blur < 3 else index - 1
    among = looked[max(0, last + 1 - pick.looks) : last + 1]
    least = min(each.blur for each in among)
    own = next(each.blur for each in looked if each.frame.at == pick.at)
    excess = {"appliance": own - least, "first": among[0].blur - least, "last": among[-1].blur - least}
    for name, measure in MEASURES.items():
        best = max(among, key=lambda each, measure=measure: measure(MIDDLE.cut(each.frame.pixels)))
        excess[name] = best.blur - least
    return Outcome(len(picked), looked[index].frame.at - rests, excess)


MIDDLE = Box(0.3, 0.25, 0.7, 0.75)
"""Where the measures are compared: the document lies there in every trial."""


def _tenengrad(part: Pixels) -> float:
    return tenengrad(np.asarray(cv2.cvtColor(part, cv2.COLOR_BGR2GRAY), np.uint8))


def _laplacian(part: Pixels) -> float:
    grey = cv2.cvtColor(part, cv2.COLOR_BGR2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_16S).var() / max(1.0, float(grey.var())))


MEASURES: dict[str, Callable[[Pixels], float]] = {"tenengrad": _tenengrad, "laplacian": _laplacian}
"""Measures of sharpness that are compared on the same pictures."""
