"""A recogniser that hears while somebody speaks: filter banks, a CTC network with carried state, then characters.

The network gets pieces of one length whatever the caller feeds, and so computes the very same numbers for every way of
cutting a sound: what a stream hears is what a recording of it gives, to the last bit. It was trained by
`export.train.asr`; its files are `acoustic.onnx`, `acoustic.json` (see `Sizes`) and `characters.npz`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from appliance.errors import DeadlineExceeded, InvalidInput, ModelCorrupt, ModelMismatch, ModelMissing, Unavailable
from appliance.inference.backend import Run, WrongState
from appliance.speech.asr import transcript
from appliance.speech.ctc import characters
from appliance.speech.ctc.bank import BANDS, HOP, Bank
from appliance.speech.ctc.characters import NONE, Favoured, Spelling, Weights, Writer
from appliance.speech.ctc.features import Samples
from appliance.speech.ctc.slots import Slot, Slots
from appliance.speech.resample import RATE
from appliance.values import Audio, Segment, Transcript, Word

STRIDE = 4
"""Filter banks of one step of the network: 40 ms."""
STEP_S = STRIDE * HOP / RATE
LEAD = 3
"""Steps of silence heard before every utterance, 0.12 s: no sentence of the training begins with its first sound."""
LEAST = 0.65
"""Mean confidence below which what was heard is no speech, and nothing is told of it: music becomes such syllables.

So a text that was told while somebody speaks may be taken back, and a short answer in noise asked for again."""
_CHUNK = RATE // 4
"""Samples heard at a time where a recording is given whole; the deadline is looked at between two of them."""
_CORRUPT = ("请重新安装该模型", "Install this model again")


@dataclass(frozen=True, slots=True)
class Sizes:
    """What has to be known of the network beside its file; `acoustic.json` holds it."""

    delay: int
    """Steps by which its output is late: what it looks ahead."""
    front: tuple[int, int]
    """Past frames that each of its two first convolutions is given: (log-mel, half rate)."""
    width: int
    """Channels."""
    layers: int
    """Residual layers."""
    past: int
    """Past frames that each layer is given."""
    language: float = 0.6
    """Exponent of the character model's probability."""
    beam: int = 24
    """Writings that are kept."""
    tone: float = 1.0
    """Exponent of a tone's probability among those of its syllable."""
    maybe: float = 0.2
    """Probability from which on a syllable that is less likely than the blank may have been said."""
    piece: int = 16
    """Filter banks given to the network at a time."""

    def zeros(self) -> dict[str, npt.NDArray[np.float32]]:
        """States before the first sound."""
        return {
            "mel": np.zeros((1, BANDS, self.front[0]), np.float32),
            "half": np.zeros((1, self.width, self.front[1]), np.float32),
            "past": np.zeros((self.layers, self.width, self.past), np.float32),
        }


def read_sizes(path: Path) -> Sizes:
    """Read acoustic.json; raises ModelMissing or ModelCorrupt."""
    try:
        found = json.loads(path.read_text("utf-8"))
        known = {field.name: found[field.name] for field in fields(Sizes) if field.name in found}
        sizes = Sizes(**known | {"front": (int(known["front"][0]), int(known["front"][1]))})
        if not 0 <= sizes.tone <= 1 or not 0 <= sizes.language <= 4:
            raise ValueError(f"weights {known}")
        if sizes.piece < STRIDE or sizes.piece % STRIDE or min(sizes.layers, sizes.past, sizes.width) < 1:
            raise ValueError(f"sizes {known}")
    except FileNotFoundError as error:
        raise ModelMissing(f"expected {path.name} beside the network, found none") from error
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise ModelCorrupt(
            f"{path.name}: expected sizes of a network, got {type(error).__name__}: {error}", remedy=_CORRUPT
        ) from error
    return sizes


class CtcStream:
    """One utterance of a `CtcStreaming`: see `asr.Stream`. For one caller at a time."""

    def __init__(
        self, run: Run, sizes: Sizes, spelling: Spelling, *, name: str, language: str, favoured: Favoured = NONE
    ) -> None:
        """Begin an utterance in which some phrases are likelier than the character model knows."""
        self._run, self._sizes, self._name, self._language = run, sizes, name, language
        self._units = len(spelling.units)
        self._state = sizes.zeros()
        self._bank = Bank()
        self._waiting = self._bank(np.zeros(LEAD * STRIDE * HOP, np.float32))
        self._slots = Slots(spelling.units, sizes.maybe, sizes.tone)
        self._heard: list[Slot] = []
        self._writer = Writer(spelling, Weights(sizes.language, sizes.beam), favoured)
        self._samples = 0
        self._late = sizes.delay
        self._text = ""
        self._over = False

    def feed(self, samples: Samples, /, *, deadline: float | None = None) -> str:
        """Hear the next `samples` (n,) at 16 kHz, any n; the text so far. Raises as the contract says."""
        if self._over:
            raise WrongState(f"{self._name}: expected an open stream, got one that is over")
        if samples.ndim != 1:
            raise InvalidInput(f"{self._name}: expected samples of shape (n,), got {samples.shape}")
        self._samples += len(samples)
        self._hear(samples, deadline)
        return self._text

    def finish(self, *, deadline: float | None = None) -> Transcript:
        """End the utterance: silence follows until the last sound has come through. Raises as the contract says."""
        if self._over:
            raise WrongState(f"{self._name}: expected an open stream, got one that is over")
        piece = self._sizes.piece * HOP
        behind = self._sizes.delay * STRIDE * HOP + RATE // 40
        heard = LEAD * STRIDE * HOP + self._samples
        self._hear(np.zeros(behind + -(heard + behind) % piece + piece, np.float32), deadline)
        last = self._slots.open()
        if last is not None:
            self._take(last)
        self._over = True
        seconds = self._samples / RATE
        written = self._sure(self._writer.written(ended=True))
        words = [self._word(character, self._heard[slot], seconds) for character, slot in written]
        return transcript(words, language=self._language, engine=self._name, seconds=seconds)

    def close(self) -> None:
        """Give up. Does nothing a second time."""
        self._over = True

    def _hear(self, samples: Samples, deadline: float | None) -> None:
        for start in range(0, len(samples), _CHUNK):
            if deadline is not None and time.monotonic() > deadline:
                raise DeadlineExceeded(
                    f"{self._name}: expected an end before the deadline, got {start / RATE:.1f} s in"
                )
            self._waiting += self._bank(samples[start : start + _CHUNK])
            while len(self._waiting) >= self._sizes.piece:
                piece = np.stack(self._waiting[: self._sizes.piece])[None]
                del self._waiting[: self._sizes.piece]
                self._advance(piece, deadline)

    def _advance(self, features: npt.NDArray[np.float32], deadline: float | None) -> None:
        out = self._run({"features": features, **self._state}, deadline=deadline)
        found: npt.NDArray[Any] = out["logprobs"]
        if found.shape[2] != self._units:
            raise ModelMismatch(
                f"{self._name}: expected {self._units} classes, one for each unit, got {found.shape[2]}",
                remedy=_CORRUPT,
            )
        self._state = {name: out[f"next_{name}"] for name in self._state}
        rows = found[0, self._late :]
        self._late = max(0, self._late - found.shape[1])
        slots = self._slots.push(rows)
        for slot in slots:
            self._take(slot)
        if slots:
            self._text = "".join(character for character, _ in self._sure(self._writer.written()))

    def _sure(self, written: list[tuple[str, int]]) -> list[tuple[str, int]]:
        """`written`, or nothing where it is not sure enough to be speech."""
        confidence = sum(min(self._heard[slot].sure, 1.0) for _, slot in written)
        return written if confidence >= LEAST * len(written) else []

    def _take(self, slot: Slot) -> None:
        self._heard.append(slot)
        self._writer.push(slot.units, slot.logprobs, slot.nothing)

    def _word(self, character: str, slot: Slot, seconds: float) -> Word:
        start, end = (min(max(at - LEAD, 0) * STEP_S, seconds) for at in (slot.first, slot.last))
        return Word(character, start, end, min(slot.sure, 1.0))


class CtcStreaming:
    """The recogniser trained by `export.train.asr`: an `asr.Streaming`. Thread-safe: every stream has its own state."""

    def __init__(self, run: Run, folder: Path, *, name: str, language: str = "zh", phrases: Sequence[str] = ()) -> None:
        """Use the network that `run` runs and the files beside it in `folder`; the engine is `ctc:<name>`.

        `phrases`, such as the names of the pack, are likelier than the character model knows.
        Raises ModelMissing or ModelCorrupt.
        """
        self.name, self.language = f"ctc:{name}", language
        self._run = run
        self._sizes = read_sizes(folder / "acoustic.json")
        self._spelling = characters.load(folder / "characters.npz")
        self._phrases = tuple(phrases)
        self._favoured = self._spelling.favoured(phrases)
        self._closed = False

    def stream(self, *, phrases: Sequence[str] = ()) -> CtcStream:
        """Begin an utterance. Raises Unavailable after `close` and without kaldi-native-fbank."""
        if self._closed:
            raise Unavailable(f"{self.name}: expected an open recogniser, got a closed one", retry_after=5)
        favoured = self._spelling.favoured((*self._phrases, *phrases)) if phrases else self._favoured
        return CtcStream(
            self._run, self._sizes, self._spelling, name=self.name, language=self.language, favoured=favoured
        )

    def transcribe(self, audio: Audio, segments: Sequence[Segment], *, deadline: float | None = None) -> Transcript:
        """Recognise each segment as a stream of its own; word times from the beginning of `audio`."""
        if audio.rate != RATE:
            raise InvalidInput(f"{self.name}: expected {RATE} samples per second, got {audio.rate}")
        found: list[Word] = []
        for segment in segments:
            stream = self.stream()
            stream.feed(audio.samples[round(segment.start * RATE) : round(segment.end * RATE)], deadline=deadline)
            for word in stream.finish(deadline=deadline).words:
                start, end = (min(at + segment.start, segment.end) for at in (word.start, word.end))
                found.append(Word(word.text, start, end, word.confidence))
        return transcript(found, language=self.language, engine=self.name, seconds=audio.seconds)

    def close(self) -> None:
        """Hear no more; the network belongs to whoever loaded it. A second call does nothing."""
        self._closed = True
