"""The gate of a streaming recogniser counts characters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("kaldi_native_fbank")

import acoustic_network  # noqa: E402

from appliance.artifacts.cases import Case  # noqa: E402
from appliance.speech.ctc.accuracy import character_accuracy, edits, pieces_in  # noqa: E402
from appliance.speech.ctc.bank import Bank  # noqa: E402
from appliance.speech.ctc.stream import CtcStreaming  # noqa: E402
from appliance.speech.resample import RATE  # noqa: E402
from appliance.values import Audio, Segment  # noqa: E402

SOUND = acoustic_network.sound()


def test_the_gate_counts_characters(tmp_path: Path) -> None:
    import wave

    folder = acoustic_network.folder(tmp_path)
    path = tmp_path / "said.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((SOUND * 32767).astype("<i2").tobytes())
    with acoustic_network.backend(folder) as backend:

        def run(inputs, /, *, deadline=None):  # type: ignore[no-untyped-def]
            return backend.infer(inputs)

        heard = CtcStreaming(run, folder, name="gate").transcribe(
            Audio((SOUND * 32767).astype("<i2").astype(np.float32) / 32768, RATE), (Segment(0, 2),)
        )
        cases = [
            Case(path, "utterance", {"text": text}, "Apache-2.0") for text in (heard.text, heard.text[1:] + "一二")
        ]
        assert character_accuracy(run, cases[:1], folder) == 1
        assert character_accuracy(run, cases[1:], folder) == pytest.approx(1 - 3 / (len(heard.text) + 1))
        assert character_accuracy(run, [], folder) == 0
        for inputs in pieces_in(cases[:1], folder):
            backend.spec.check(inputs)
    assert len(list(pieces_in(cases, folder))) == 2 * (len(Bank()(SOUND)) // 16)


@pytest.mark.parametrize(
    "said, heard, wanted", [("", "", 0), ("你好", "", 2), ("", "好", 1), ("你好吗", "你号吗", 1), ("你好", "你你好", 1)]
)
def test_edits(said: str, heard: str, wanted: int) -> None:
    assert edits(said, heard) == wanted
