"""The contract of an engine that speaks, and what is alike for all: sentences, and the pauses between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from appliance.errors import ApplianceError, Unavailable
from appliance.speech.tts.reading import pieces
from appliance.values import Audio

QUIET = 10 ** (-50 / 20)
"""Amplitude below which the edges of a spoken sound are cut: -50 dB of full scale."""
_PAUSES_S = {"。": 0.32, ".": 0.32, "？": 0.36, "?": 0.36, "！": 0.36, "!": 0.36, "；": 0.24, ";": 0.24}
_COMMA_S = 0.16
_SEAM_S = 0.03
"""Seconds between two runs without a pause, as between two words."""


class Voice(Protocol):
    """Turns text into speech. Thread-safe; constructing one touches nothing."""

    @property
    def name(self) -> str:
        """Engine and voice, for example `espeak-ng:cmn-latn-pinyin`."""

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages that it speaks, of `zh` and `en`; known once it was probed."""

    def probe(self) -> None:
        """Make sure that it speaks, once; raises Unavailable, ModelMissing or ModelCorrupt saying why it does not."""

    def say(self, text: str, language: str) -> Audio:
        """Say `text`, raw as an answer has it, in `language`: float32 mono at the engine's rate; empty for no words.

        Raises Unavailable (not installed, has not the language, or stopped meanwhile), DeadlineExceeded or
        BackendFailed.
        """

    def stop(self) -> None:
        """Break off what is being said on other threads; their `say` raises Unavailable. The voice stays usable."""

    def close(self) -> None:
        """Stop and release what is held. A second call does nothing."""


def chosen(voices: Sequence[Voice], language: str) -> Voice:
    """The first of `voices` that speaks `language`; raises Unavailable with the reasons of all where none does."""
    reasons: list[ApplianceError] = []
    for voice in voices:
        try:
            voice.probe()
        except ApplianceError as error:
            reasons.append(error)
        else:
            if language in voice.languages:
                return voice
            reasons.append(Unavailable(f"{voice.name}: expected a voice for {language!r}, got {voice.languages}"))
    raise none_speaks(language, reasons)


def none_speaks(language: str, reasons: Sequence[ApplianceError]) -> Unavailable:
    """The error for a machine on which nothing speaks `language`, with the remedy for the first reason."""
    said = "; ".join(reason.detail for reason in reasons) or "no engine"
    chinese, _, english = reasons[0].remedy.partition(" / ") if reasons else ("", "", "")
    return Unavailable(
        f"speech: expected an engine that speaks {language!r}, got: {said}",
        remedy=(chinese, english) if english else None,
    )


def sentences(voice: Voice, text: str, language: str) -> Iterator[Audio]:
    """Say `text` sentence by sentence, each as soon as it is made, so that one is heard while the next is made."""
    for piece in pieces(text):
        audio = voice.say(piece, language)
        if len(audio.samples):
            yield audio


def joined(parts: Sequence[tuple[str, Audio]]) -> Audio:
    """Sounds with the texts that they say, cut to where they sound, with the pause that each text ends with behind it.

    All have one rate; without parts it is silence of no samples at 16 kHz.
    """
    if not parts:
        return Audio(np.zeros(0, np.float32), 16_000)
    rate = parts[0][1].rate
    pieces_: list[npt.NDArray[np.float32]] = []
    for text, audio in parts:
        seconds = _PAUSES_S.get(text[-1:], _COMMA_S if text[-1:] in "，,、：:" else _SEAM_S)
        pieces_ += [trimmed(audio.samples, rate), np.zeros(round(seconds * rate), np.float32)]
    return Audio(np.concatenate(pieces_), rate)


def trimmed(samples: npt.NDArray[np.float32], rate: int) -> npt.NDArray[np.float32]:
    """`samples` without the silence at both ends, 10 ms of which stay."""
    loud = np.flatnonzero(np.abs(samples) > QUIET)
    if not len(loud):
        return samples[:0]
    margin = rate // 100
    return samples[max(0, int(loud[0]) - margin) : int(loud[-1]) + margin + 1]
