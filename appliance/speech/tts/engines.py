"""Which engines a machine may speak through, best first; whether one does, its `probe` says."""

from __future__ import annotations

import re
from pathlib import Path

from appliance.speech.tts.espeak import EspeakVoice
from appliance.speech.tts.sherpa import SherpaVoice
from appliance.speech.tts.voice import Voice

ENGINES = ("auto", "sherpa", "espeak", "off")
"""Choices: the best that is installed, one of the two, or none."""


def candidates(engine: str, folder: str = "", *, telephone: bool = True) -> tuple[Voice, ...]:
    """The voices that `engine` (one of `ENGINES`) may mean, best first; nothing is started and nothing loaded.

    `folder` is that of a voice for sherpa-onnx, empty for none; `telephone` says 1 as 幺 in numbers that are read digit
    by digit.
    """
    found: list[Voice] = []
    if engine in ("auto", "sherpa") and folder:
        path = Path(folder).expanduser()
        found.append(SherpaVoice(path, languages=spoken_by(path.name), telephone=telephone))
    if engine in ("auto", "espeak"):
        found.append(EspeakVoice(telephone=telephone))
    return tuple(found)


def spoken_by(name: str) -> tuple[str, ...]:
    """Languages of a sherpa-onnx voice by the name of its folder: vits-melo-tts-zh_en speaks both; zh when unsaid."""
    parts = re.split(r"[-_]", name.lower())
    if "multi" in parts:
        return ("zh", "en")
    languages = tuple(language for language in ("zh", "en") if language in parts)
    return languages or ("zh",)
