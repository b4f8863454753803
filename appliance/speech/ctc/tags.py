"""What SenseVoice tells beside the words: language, feeling, kind of sound, and whether numbers are written as digits.

The tags are its own (FunASR, funasr/models/sense_voice/model.py): `<|zh|><|NEUTRAL|><|Speech|><|withitn|>`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

LANGUAGES = ("zh", "en", "yue", "ja", "ko", "nospeech")
EMOTIONS = ("HAPPY", "SAD", "ANGRY", "NEUTRAL", "FEARFUL", "DISGUSTED", "SURPRISED", "EMO_UNKNOWN")
EVENTS = (
    "Speech",
    "BGM",
    "Applause",
    "Laughter",
    "Cry",
    "Sneeze",
    "Breath",
    "Cough",
    "Sing",
    "Speech_Noise",
    "Event_UNK",
)
NORMS = ("withitn", "woitn")


@dataclass(frozen=True, slots=True)
class Tags:
    """What was told of one segment; empty where nothing was."""

    language: str = ""
    """One of `LANGUAGES`; `nospeech` when nobody speaks."""
    emotion: str = ""
    """One of `EMOTIONS`."""
    event: str = ""
    """One of `EVENTS`."""
    norm: str = ""
    """`withitn` (digits and punctuation) or `woitn`."""

    @property
    def silent(self) -> bool:
        """True when it heard nobody speak."""
        return self.language == "nospeech"


NONE = Tags()
"""Nothing was told."""


def read_tags(texts: Iterable[str]) -> Tags:
    """The first tag of each kind among tokens like `<|zh|>`; what is none of them is left out."""
    found: dict[str, str] = {}
    for text in texts:
        if not (text.startswith("<|") and text.endswith("|>")):
            continue
        name = text[2:-2]
        for kind, known in (("language", LANGUAGES), ("emotion", EMOTIONS), ("event", EVENTS), ("norm", NORMS)):
            if name in known:
                found.setdefault(kind, name)
    return Tags(**found)
