"""Fake vosk package: "hears" one word for every burst of loud samples, and misbehaves as its model folder asks.

The file `behaviour` in the model folder says how: hear (default), refuse, deaf, segfault, abort, hang, swell, stumble.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import time
from pathlib import Path

RATE = 16000
levels: list[int] = []
recognisers = 0


def SetLogLevel(level: int) -> None:  # noqa: N802 - vosk's own names
    levels.append(level)


class Model:
    def __init__(self, folder: str) -> None:
        file = Path(folder) / "behaviour"
        self.behaviour = file.read_text() if file.exists() else "hear"
        if self.behaviour == "refuse":
            os.write(2, b"ERROR (VoskAPI:Read():kaldi-matrix.cc:1620) Failed to read matrix from stream.\n")
            raise Exception("Failed to create a model")
        if self.behaviour == "segfault":
            ctypes.string_at(0)
        if self.behaviour == "abort":
            os.write(2, b"ASSERTION_FAILED (VoskAPI:Check():online-ivector-feature.cc:87) Assertion failed\n")
            os.kill(os.getpid(), signal.SIGABRT)
        if self.behaviour == "hang":
            time.sleep(60)
        if self.behaviour == "swell":
            self.lake = [bytes(1 << 26) for _ in range(10_000)]


class KaldiRecognizer:
    def __init__(self, model: Model, rate: float) -> None:
        global recognisers
        if model.behaviour == "deaf":
            raise Exception("Failed to create a recognizer")
        recognisers += 1
        self.model, self.rate = model, rate
        self.clock = 0
        self.sound: list[int] = []
        self.words = False

    def SetWords(self, wanted: bool) -> None:  # noqa: N802
        self.words = wanted

    def AcceptWaveform(self, data: bytes) -> int:  # noqa: N802
        if self.model.behaviour == "stumble":
            raise Exception("Failed to process waveform")
        if self.model.behaviour == "slow":
            time.sleep(0.05)
        self.sound += memoryview(data).cast("h").tolist()
        # Like Kaldi's endpoint rule: an utterance ends after half a second of silence behind a word.
        tail = self.sound[-RATE // 2 :]
        return int(any(self.sound) and len(tail) == RATE // 2 and not any(tail))

    def Result(self) -> str:  # noqa: N802
        rows, start, last = [], None, 0
        for at, value in enumerate([*self.sound, *[0] * 1600]):
            if abs(value) > 1000:
                start, last = at if start is None else start, at
            elif start is not None and at - last > 800:
                rows.append({"word": self._word(start, last), "start": start, "end": last + 1, "conf": 0.5})
                start = None
        result = [row | {key: (self.clock + row[key]) / RATE for key in ("start", "end")} for row in rows]
        self.clock += len(self.sound)
        self.sound = []
        text = " ".join(row["word"] for row in rows)
        return json.dumps({"result": result, "text": text} if result and self.words else {"text": text})

    FinalResult = Result

    def _word(self, start: int, last: int) -> str:
        """A burst's word by its length in tenths of a second."""
        return {1: "我", 2: "要", 3: "wifi", 4: "code", 5: "[unk]"}.get(round((last - start) / 1600), "嗯")
