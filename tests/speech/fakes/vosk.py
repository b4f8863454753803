"""Fake vosk package: "hears" one word for every burst of loud samples, and misbehaves as its model folder asks.

The file `behaviour` in the model folder says how: hear (default), refuse, deaf, segfault, abort, hang, swell, stumble,
slow, stuck (until `gate` is set), plain (does not know `[unk]`).
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import threading
import time
from pathlib import Path

RATE = 16000
WORDS = ("我", "要", "wifi", "code", "嗯", "退货")
levels: list[int] = []
grammars: list[str] = []
recognisers = 0
alive = 0
threads: set[str] = set()
gate = threading.Event()


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

    def vosk_model_find_word(self, word: str) -> int:
        known = WORDS if self.behaviour == "plain" else (*WORDS, "[unk]")
        return known.index(word) + 1 if word in known else -1


class KaldiRecognizer:
    def __init__(self, model: Model, rate: float, grammar: str = "") -> None:
        global recognisers, alive
        if model.behaviour == "deaf":
            raise Exception("Failed to create a recognizer")
        recognisers += 1
        alive += 1
        threads.add(threading.current_thread().name)
        grammars.append(grammar)
        self.listed = {word for line in json.loads(grammar) for word in line.split()} if grammar else set(WORDS)
        self.model, self.rate = model, rate
        self.clock = 0
        self.sound: list[int] = []
        self.words = False

    def __del__(self) -> None:
        global alive
        alive -= hasattr(self, "sound")

    def SetWords(self, wanted: bool) -> None:  # noqa: N802
        self.words = wanted

    def AcceptWaveform(self, data: bytes) -> int:  # noqa: N802
        if self.model.behaviour == "stumble":
            raise Exception("Failed to process waveform")
        if self.model.behaviour == "slow":
            time.sleep(0.05)
        if self.model.behaviour == "stuck":
            gate.wait(30)
        self.sound += memoryview(data).cast("h").tolist()
        # Like Kaldi's endpoint rule: an utterance ends after half a second of silence behind a word.
        tail = self.sound[-RATE // 2 :]
        return int(any(self.sound) and len(tail) == RATE // 2 and not any(tail))

    def PartialResult(self) -> str:  # noqa: N802
        return json.dumps({"partial": " ".join(row["word"] for row in self._rows())})

    def Result(self) -> str:  # noqa: N802
        rows = self._rows()
        result = [row | {key: (self.clock + row[key]) / RATE for key in ("start", "end")} for row in rows]
        self.clock += len(self.sound)
        self.sound = []
        text = " ".join(row["word"] for row in rows)
        return json.dumps({"result": result, "text": text} if result and self.words else {"text": text})

    FinalResult = Result

    def _rows(self) -> list[dict]:
        rows, start, last = [], None, 0
        for at, value in enumerate([*self.sound, *[0] * 1600]):
            if abs(value) > 1000:
                start, last = at if start is None else start, at
            elif start is not None and at - last > 800:
                rows.append({"word": self._word(start, last), "start": start, "end": last + 1, "conf": 0.5})
                start = None
        return rows

    def _word(self, start: int, last: int) -> str:
        """A burst's word by its length in tenths of a second."""
        word = {1: "我", 2: "要", 3: "wifi", 4: "code", 5: "[unk]"}.get(round((last - start) / 1600), "嗯")
        return word if word in self.listed else "[unk]"
