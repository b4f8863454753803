"""What every CTC recogniser does alike: segments, pieces, deadline, search, words. The networks' own ways are beside.

A front end with its network is an `Emit`: samples in, probabilities of tokens out.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import numpy.typing as npt

from appliance.errors import DeadlineExceeded, InvalidInput, ModelMismatch, Unavailable
from appliance.listener import Listener, silent
from appliance.speech.asr import transcript
from appliance.speech.ctc.phrases import Phrases
from appliance.speech.ctc.search import LogProbs, Search
from appliance.speech.ctc.tags import NONE, Tags
from appliance.speech.ctc.tokens import Speller, Tokens
from appliance.speech.ctc.words import Clock, words
from appliance.speech.resample import RATE
from appliance.speech.segmental import SegmentalStream
from appliance.values import Audio, Segment, Transcript, Word

Samples = npt.NDArray[np.float32]

TAIL = int(0.3 * RATE)
"""Samples behind each piece: a network looks ahead, and without them the last word may be lost."""
_TAIL_LEVEL = 1e-4
"""Loudness of the tail, three steps of 16 bit: no recording is silent as zeros are, and no network has learnt them."""
LONGEST_S = 30.0
"""Seconds that a network is given at once: attention takes memory by the square, and SenseVoice's export ends at 30."""
BOOST = 1.5
"""Natural logarithm by which each token of a phrase is likelier: 4.5 times."""
BEAM = 8
"""Prefixes that are kept where there are phrases."""
_SEEK_S = 5.0
"""Seconds before that end in which the quietest place is looked for, to cut a longer segment."""
_QUIET = RATE // 10
"""Samples of a quiet place."""

SPOKEN = {"zh": "zh", "yue": "zh", "en": "en"}
"""Language that is answered in, by the one that was heard; another one leaves the recogniser's."""


@dataclass(frozen=True, slots=True)
class Emission:
    """What a network heard in a piece of sound."""

    logprobs: LogProbs
    """Natural logarithms of the probabilities of V tokens at T steps, shape (T, V)."""
    step: float
    """Seconds of one step."""
    start: float = 0.0
    """Seconds from the first sample to the beginning of step 0."""
    tags: Tags = NONE
    """What it told beside the words."""


class Emit(Protocol):
    """A front end with its network."""

    def __call__(self, samples: Samples, /, *, deadline: float | None = None) -> Emission:
        """Hear `samples` (n,) at 16 kHz before `deadline` (time.monotonic). Raises only ApplianceError."""


class CtcRecogniser:
    """An `asr.Streaming` over an `Emit`, without partial texts. Thread-safe: nothing is kept between calls."""

    def __init__(
        self,
        emit: Emit,
        tokens: Tokens,
        *,
        name: str,
        language: str,
        search: Search | None = None,
        phrases: Sequence[str] = (),
        boost: float = BOOST,
        beam: int = BEAM,
        listener: Listener = silent,
    ) -> None:
        """Hear `language` by `emit`, whose classes are `tokens`; `name` is the engine, for example `sensevoice:NAME`.

        Without `phrases` the `search` decodes, by default the best path; with them a beam (see `biased`). `listener`
        hears `asr_phrases` (engine, used, unknown, reason) for them, and `asr_tags` (engine, language, emotion, sound)
        for each piece of which a network tells some.
        """
        self.name = name
        self.language = language
        self._emit, self._tokens, self._listener = emit, tokens, listener
        self._phrases, self._boost, self._beam = tuple(phrases), boost, beam
        self._closed = False
        self._sibling: CtcRecogniser | None = None
        self.search = search or Search()
        if self._phrases:
            self.search, unknown = biased(tokens, self._phrases, boost=boost, beam=beam)
            reason = "" if not unknown else "its tokens cannot spell them"
            listener("asr_phrases", engine=name, used=True, unknown=unknown, reason=reason)

    def stream(self, *, phrases: Sequence[str] = ()) -> SegmentalStream:
        """Begin an utterance, which is recognised at its end; `phrases` are likelier in it beside the recogniser's own.

        Raises Unavailable after `close`.
        """
        if self._closed:
            raise _closed(self.name)
        wanted = tuple(dict.fromkeys((*self._phrases, *phrases)))
        if wanted == self._phrases:
            return SegmentalStream(self)
        sibling = self._sibling
        if sibling is None or sibling._phrases != wanted:  # every utterance of a pack has the same ones
            sibling = self._sibling = CtcRecogniser(
                self._emit,
                self._tokens,
                name=self.name,
                language=self.language,
                phrases=wanted,
                boost=self._boost,
                beam=self._beam,
                listener=self._listener,
            )
        return SegmentalStream(sibling)

    def transcribe(self, audio: Audio, segments: Sequence[Segment], *, deadline: float | None = None) -> Transcript:
        """Recognise each of `segments`, cut where longer than `LONGEST_S`. Raises as the contract says.

        The language of the transcript is the recogniser's, or Chinese or English where the network heard that one.
        """
        if audio.rate != RATE:
            raise InvalidInput(f"{self.name}: expected {RATE} samples per second, got {audio.rate}")
        if self._closed:
            raise _closed(self.name)
        found: list[Word] = []
        heard: dict[str, float] = {}
        for piece in pieces(audio, segments):
            if deadline is not None and time.monotonic() > deadline:
                raise DeadlineExceeded(f"{self.name}: expected an end before the deadline, got {piece.start:.1f} s in")
            more, tags = self._hear(audio, piece, deadline)
            found += more
            if more and tags.language in SPOKEN:
                spoken = SPOKEN[tags.language]
                heard[spoken] = heard.get(spoken, 0.0) + piece.end - piece.start
        language = max(heard, key=lambda one: heard[one]) if heard else self.language
        return transcript(found, language=language, engine=self.name, seconds=audio.seconds)

    def close(self) -> None:
        """Hear no more; the network belongs to whoever loaded it. A second call does nothing."""
        self._closed = True
        if self._sibling is not None:
            self._sibling.close()

    def _hear(self, audio: Audio, piece: Segment, deadline: float | None) -> tuple[list[Word], Tags]:
        samples = audio.samples[round(piece.start * RATE) : round(piece.end * RATE)]
        if not len(samples):
            return [], NONE
        emission = self._emit(np.concatenate([samples, tail()]), deadline=deadline)
        if emission.logprobs.shape[1:] != (len(self._tokens),):
            raise ModelMismatch(
                f"{self.name}: expected {len(self._tokens)} classes, one for each token, got "
                f"{emission.logprobs.shape[1:]}",
                remedy=("请使用与模型一同导出的词表", "Use the token list that was exported with the model"),
            )
        tags = emission.tags
        if tags != NONE:
            self._listener("asr_tags", engine=self.name, language=tags.language, emotion=tags.emotion, sound=tags.event)
        if tags.silent:
            return [], tags
        decoded = self.search.decode(emission.logprobs, blank=self._tokens.blank)
        clock = Clock(piece.start + emission.start, emission.step, piece.end)
        return [_inside(word, piece) for word in words(self._tokens, decoded, clock)], tags


def _closed(name: str) -> Unavailable:
    return Unavailable(f"{name}: expected an open recogniser, got a closed one", retry_after=5)


def biased(
    tokens: Tokens, phrases: Sequence[str], *, boost: float = BOOST, beam: int = BEAM
) -> tuple[Search, tuple[str, ...]]:
    """A search in which `phrases` are likelier, and those of them that cannot be spelt in `tokens`.

    `boost` counts for each token, as a natural logarithm: 1.5 makes one of a complete phrase 4.5 times as likely.
    """
    spell = Speller(tokens).spell
    spelt = {phrase: spell(phrase) for phrase in phrases if phrase.strip()}
    known = Phrases([one for one in spelt.values() if one], boost)
    return Search(beam=beam, phrases=known), tuple(phrase for phrase, one in spelt.items() if not one)


def tail() -> Samples:
    """0.3 s of the faintest noise, always the same."""
    return (np.random.default_rng(3).standard_normal(TAIL) * _TAIL_LEVEL).astype(np.float32)


def pieces(audio: Audio, segments: Sequence[Segment]) -> Iterator[Segment]:
    """`segments` inside `audio`, those longer than `LONGEST_S` cut where it is quietest in the last five seconds."""
    quiet = partial(_quietest, audio.samples)
    for segment in segments:
        first, last = max(0, round(segment.start * RATE)), min(len(audio.samples), round(segment.end * RATE))
        while last - first > LONGEST_S * RATE:
            end = first + int(LONGEST_S * RATE)
            cut = quiet(end - int(_SEEK_S * RATE), end)
            yield Segment(first / RATE, cut / RATE)
            first = cut
        if last > first:
            yield Segment(first / RATE, last / RATE)


def _quietest(samples: Samples, first: int, last: int) -> int:
    """Middle of the quietest 0.1 s between two samples."""
    blocks = samples[first:last][: (last - first) // _QUIET * _QUIET].reshape(-1, _QUIET)
    return first + int((blocks.astype(np.float64) ** 2).sum(axis=1).argmin()) * _QUIET + _QUIET // 2


def _inside(word: Word, piece: Segment) -> Word:
    """A front end's first step may begin a little before the first sample."""
    start, end = (min(max(at, piece.start), piece.end) for at in (word.start, word.end))
    return Word(word.text, start, end, word.confidence)
