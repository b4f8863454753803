"""The knobs that the governor turns, each where its room keeps it; one whose variant is not installed says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from appliance.app.govern import Knob
from appliance.device.ladder import Rung
from appliance.inference.admission import Admission


class Rated(Protocol):
    """Something that works so many times a second: a camera."""

    rate: float
    """Times a second; may be set while it works."""


def detector(limit: Callable[[float], None] | None) -> Knob:
    """How many pixels the text detector may see."""

    def turn(rung: Rung) -> str:
        if limit is None:
            return "skipped: no detector serves"
        limit(rung.pixels)
        return f"{rung.pixels:.0%} of the pixels"

    return Knob("detector", turn)


def precision(lighten: Callable[[bool], dict[str, str]]) -> Knob:
    """The networks' int8 variants, where what serves has one."""
    return Knob("precision", lambda rung: _lightened(lighten(rung.light), rung.light, "int8"), slow=True)


def recogniser(lighten: Callable[[bool], dict[str, str]] | None) -> Knob:
    """The lightest recogniser of speech that is installed."""

    def turn(rung: Rung) -> str:
        if lighten is None:
            return "skipped: nothing hears"
        return _lightened(lighten(rung.light), rung.light, "the lightest")

    return Knob("recogniser", turn, slow=True)


def concurrency(images: Admission, recordings: Admission) -> Knob:
    """Photos and recordings at once."""
    most = images.counters.capacity, recordings.counters.capacity

    def turn(rung: Rung) -> str:
        photos = min(most[0], rung.images or most[0])
        sounds = min(most[1], rung.recordings or most[1])
        images.resize(photos)
        recordings.resize(sounds)
        return f"{photos} photos and {sounds} recordings at once"

    return Knob("concurrency", turn)


def camera(found: Rated | None) -> Knob:
    """The camera's rate: `governing.join([knobs.camera(camera)])`."""
    full = found.rate if found is not None else 0.0

    def turn(rung: Rung) -> str:
        if found is None:
            return "skipped: no camera"
        found.rate = full * rung.camera
        return f"{full * rung.camera:g} frames a second"

    return Knob("camera", turn)


def _lightened(skipped: dict[str, str], light: bool, what: str) -> str:
    if not light:
        return "as set"
    said = "; ".join(f"{name}: {_english(reason)}" for name, reason in sorted(skipped.items()))
    return f"{what} where it is installed" + (f"; skipped {said}" if said else "")


def _english(reason: str) -> str:
    return reason.rpartition(" / ")[2]
