"""What listens to a stream: the recogniser of its language, bound to the pack's sentences where the settings say so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from appliance.app.senses import Hears
from appliance.app.voice import hearer
from appliance.errors import Unavailable
from appliance.settings import Settings
from appliance.speech.hear import Hearing, Limits
from appliance.speech.vosk import VoskRecogniser

SAID = ("我要寄快递", "洗衣液")
SPEECH = np.ones(16_000, np.float32)


class Told(VoskRecogniser):
    """Notes what it is told to hear, and hears nothing."""

    def __init__(self, language: str) -> None:
        super().__init__(Path("nowhere"), language=language, name="told")
        self.told: list[tuple[str, ...]] = []

    def stream(self, *, phrases: Sequence[str] = ()) -> Any:
        self.told.append(tuple(phrases))
        raise Unavailable("told: enough")


class Other:
    """Any other recogniser."""

    name, language = "other", "zh"

    def __init__(self) -> None:
        self.told: list[tuple[str, ...]] = []

    stream = Told.stream


def always(inputs: dict[str, np.ndarray], /, *, deadline: float | None = None) -> dict[str, np.ndarray]:
    """A network of voice activity detection that takes everything for speech."""
    return {"speech_probs": np.ones(len(inputs["input"]), np.float32), "hn": inputs["h"], "cn": inputs["c"]}


def told(recogniser: Any, language: str, *, grammar: bool) -> tuple[str, ...]:
    hearing = Hearing(None, {language: recogniser}, limits=Limits())
    hears = Hears(hearing, tuple, always, {language: recogniser})
    utterances = hearer(hears, Settings(speech_grammar=grammar), SAID)(language)
    with pytest.raises(Unavailable, match="enough"):
        utterances.feed(SPEECH)
    return recogniser.told[0]


def test_vosk_is_bound_to_the_packs_sentences_where_the_settings_say_so() -> None:
    assert told(Told("zh"), "zh", grammar=True) == SAID
    assert told(Told("zh"), "zh", grammar=False) == ()


def test_what_is_said_in_english_and_other_recognisers_are_not_bound() -> None:
    assert told(Told("en"), "en", grammar=True) == ()
    assert told(Other(), "zh", grammar=True) == ()


def test_without_voice_activity_detection_nothing_listens() -> None:
    hears = Hears(Hearing(None, {"zh": Other()}, limits=Limits()), tuple, None, {"zh": Other()})  # type: ignore[dict-item]
    with pytest.raises(Unavailable, match="voice activity"):
        hearer(hears, Settings())("zh")
