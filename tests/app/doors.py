"""Fakes on both sides of an appliance's door, and rooms changed behind it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace

from appliance.app.appliance import Appliance
from appliance.values import OcrLine, OcrResult, Transcript


class Ear:
    """Fake hearing: says what it was told to have heard."""

    def __init__(self, text: str) -> None:
        self.text = text

    def transcribe(self, data: bytes, language: str, *, deadline: float | None = None) -> Transcript:
        return Transcript(self.text, 0.9 if self.text else 0.0, language, engine="fake-ear", timings_ms={"asr": 1.0})


class Eye:
    """Fake reader: waits until it is let go, then reads one line."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.go = threading.Event()

    def read(
        self, image: object, *, size: object = None, deadline: float | None = None, watch: object = None
    ) -> OcrResult:
        self.entered.release()
        assert self.go.wait(10)
        line = OcrLine("SF1392847561002", 0.9, ((0, 0), (9, 0), (9, 9), (0, 9)))
        return OcrResult((line,), 10, 10, "fake-eye", {"detect": 1.0})


class Heard:
    """Listener that keeps what it hears."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Mapping[str, object]]] = []

    def __call__(self, event: str, /, **fields: object) -> None:
        self.events.append((event, fields))

    def of(self, name: str) -> list[Mapping[str, object]]:
        return [fields for event, fields in self.events if event == name]


def replace_rooms(appliance: Appliance, **rooms: object) -> None:
    appliance._rooms = replace(appliance._rooms, **rooms)  # type: ignore[arg-type]
