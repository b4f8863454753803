"""Heavy work: photos and recordings are let in by a gate and by the power budget, and have a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from appliance.app.rooms import Rooms
from appliance.device.bill import stage
from appliance.errors import IN_VAIN, DeadlineExceeded, Unavailable
from appliance.inference.admission import Admission
from appliance.values import Feature, OcrResult
from appliance.vision.watch import Watch

SECOND_BYTES = 32_000
"""Bytes of a second of sound as it is usually sent, by which the length of a recording is guessed before it is read."""


def read_image(
    rooms: Rooms,
    gate: Admission,
    features: Callable[[], tuple[Feature, ...]],
    image: bytes,
    deadline_s: float | None,
    watch: Watch,
) -> OcrResult:
    """Read an image file, let in by `gate`, within `deadline_s` seconds or what the settings allow.

    Raises Unavailable where no reader serves, with what `features` say of it, and whatever reading raises.
    """
    reader = rooms.reader
    if reader is None:
        ocr = next(feature for feature in features() if feature.name == "ocr")
        why = ("；".join(ocr.said("zh")), "; ".join(ocr.said("en")))
        raise Unavailable("reading is off: expected a reader, got none", remedy=why, retry_after=60)
    deadline = _deadline(rooms, deadline_s)
    with gate.enter(), rooms.governing.enter("image", deadline):
        begin = time.perf_counter()
        with stage("decode"):
            pixels, size = rooms.decode(image)
        decoded = (time.perf_counter() - begin) * 1000
        with _in_chosen_time(rooms, deadline_s):
            result = reader.read(pixels, size=size, deadline=deadline, watch=watch)
        return replace(result, timings_ms={"decode": decoded, **result.timings_ms})


@contextmanager
def listening(rooms: Rooms, gate: Admission, recording: bytes) -> Iterator[float]:
    """Be let in by `gate` with a recording; gives the deadline. What waits for power is as long as the sound may be."""
    deadline = _deadline(rooms)
    size = max(1, len(recording)) / SECOND_BYTES
    with gate.enter(), rooms.governing.enter("audio", deadline, size):
        yield deadline


@contextmanager
def _in_chosen_time(rooms: Rooms, asked_s: float | None) -> Iterator[None]:
    """Say that it is for the client to ask for more time, where it was the client who asked for so little."""
    longest = rooms.settings.deadline_s
    try:
        yield
    except DeadlineExceeded as error:
        if asked_s is None or asked_s >= longest:
            raise
        raise DeadlineExceeded(
            f"reading: expected a line within the {asked_s * 1000:.0f} ms asked for, got none ({error.detail})",
            remedy=(
                f"请给更多时间：deadline_ms 最多 {longest * 1000:.0f}（命令行 --deadline，以秒计）",
                f"Allow more milliseconds: deadline_ms may be up to {longest * 1000:.0f} (--deadline, in seconds)",
            ),
            retry_after=IN_VAIN,
        ) from error


def _deadline(rooms: Rooms, asked_s: float | None = None) -> float:
    longest = rooms.settings.deadline_s
    return time.monotonic() + (longest if asked_s is None else min(asked_s, longest))
