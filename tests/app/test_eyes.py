"""Reading goes on when the networks fail in mid-service, and the state says so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from appliance.app.eyes import AGAIN_S, Eyes
from appliance.errors import BackendFailed, InvalidInput, Unavailable
from appliance.values import Feature, OcrLine, OcrResult
from appliance.vision.watch import Watch

IMAGE = np.zeros((4, 4, 3), np.uint8)
LINE = OcrLine("一", 0.9, ((0, 0), (4, 0), (4, 4), (0, 4)))
READY = Feature("ocr", "ready", "onnxruntime-cpu", "loaded", models=("m@1",))


class Reader:
    """A fake reader that fails with what it is told to."""

    def __init__(self, engine: str, error: Exception | None = None) -> None:
        self.engine, self.error, self.calls = engine, error, 0

    def read(
        self, image: object, *, size: object = None, deadline: float | None = None, watch: object = None
    ) -> OcrResult:
        self.calls += 1
        if self.error is not None:
            raise self.error
        return OcrResult((), 4, 4, self.engine)


class Telling(Reader):
    """A fake reader that finds two lines, and fails, if it is to, when it has told of the first."""

    def read(self, image: object, *, size: object = None, deadline: object = None, watch: Any = None) -> OcrResult:
        watch.found(2)
        watch.line(LINE)
        result = super().read(image)
        watch.line(LINE)
        return replace(result, lines=(LINE, LINE))


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_spare_reads_until_the_networks_work_again() -> None:
    networks, spare, clock = Reader("networks", BackendFailed("device lost")), Reader("spare"), Clock()
    heard: list[tuple[str, dict[str, object]]] = []
    eyes = Eyes(networks, lambda: spare, lambda: READY, listener=lambda e, /, **f: heard.append((e, f)), clock=clock)
    assert eyes.feature is READY
    assert eyes.read(IMAGE).engine == "spare"
    assert (eyes.feature.state, eyes.feature.backend) == ("fallback", "tesseract")
    assert "device lost" in eyes.feature.reason
    assert heard == [("backend_lost", {"feature": "ocr", "reason": "device lost"})]
    networks.error = None
    assert eyes.read(IMAGE).engine == "spare"
    assert networks.calls == 1  # not tried before its time
    clock.now += AGAIN_S
    assert eyes.read(IMAGE).engine == "networks"
    assert eyes.feature is READY


def told(eyes: Eyes) -> list[object]:
    """What is heard of one reading."""
    heard: list[object] = []
    watch = Watch(heard.append, lambda line: heard.append(line.text), again=lambda: heard.append("again"))
    assert len(eyes.read(IMAGE, watch=watch).lines) == 2
    return heard


def test_who_watches_hears_that_a_reading_begins_anew() -> None:
    eyes = Eyes(Telling("networks", BackendFailed("device lost")), lambda: Telling("spare"), lambda: READY)
    assert told(eyes) == [2, "一", "again", 2, "一", "一"]
    assert told(eyes) == [2, "一", "一"]  # the networks are not tried


def test_a_failure_before_anything_was_told_is_nothing_to_hear_of() -> None:
    eyes = Eyes(Reader("networks", BackendFailed("device lost")), lambda: Telling("spare"), lambda: READY)
    assert told(eyes) == [2, "一", "一"]


def test_a_bad_image_is_no_failure_of_the_networks() -> None:
    eyes = Eyes(Reader("networks", InvalidInput("not an image")), lambda: Reader("spare"), lambda: READY)
    with pytest.raises(InvalidInput):
        eyes.read(IMAGE)
    assert eyes.feature is READY


def test_without_a_spare_it_is_unavailable_and_says_why() -> None:
    def none() -> Reader:
        raise Unavailable("tesseract is not installed")

    eyes = Eyes(Reader("networks", BackendFailed("device lost")), none, lambda: READY)
    with pytest.raises(Unavailable, match="device lost.*tesseract is not installed") as caught:
        eyes.read(IMAGE)
    assert caught.value.retry_after == AGAIN_S
    assert (eyes.feature.state, eyes.feature.backend) == ("failed", "none")
