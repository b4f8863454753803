"""The entity tagger: a bidirectional LSTM over characters with a CRF on top (Huang et al. 2015; Lample et al. 2016).

Beside each character it sees a hint, the tag that the pack's tables and patterns would give it, so that it learns where
they are right, where they are too short, and what they miss. Hints are dropped for some sentences while it learns, so
that it also knows what no table lists.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torchcrf import CRF

from appliance.language.tagger import LEAST
from export.train.model import IGNORED
from export.train.noise import is_common
from export.train.sentences import Sentence, Span

PAD, UNKNOWN = 0, 1
"""Numbers of padding and of characters that were never seen."""
OUTSIDE = "O"
HEARD = 0.5
"""How much mentors count beside the marks."""


@dataclass(frozen=True)
class Shape:
    """Sizes of the tagger."""

    embedding: int = 100
    """Numbers for a character."""
    hint: int = 24
    """Numbers for a hint; 0 leaves hints out."""
    word: int = 0
    """Numbers for the word that a character stands in; 0 leaves words out."""
    hidden: int = 160
    """Width of each direction."""
    layers: int = 1
    """LSTM layers, one on the other."""
    dropout: float = 0.5
    """Before and behind the LSTM."""
    hint_dropout: float = 0.25
    """Share of sentences that learn without hints."""


def tags_of(types: Sequence[str]) -> tuple[str, ...]:
    """O, then B- and I- of every type."""
    return (OUTSIDE, *(f"{edge}-{kind}" for kind in types for edge in "BI"))


def character_numbers(sentences: Iterable[Sentence], least: int = 1) -> dict[str, int]:
    """Numbers of the characters that occur `least` times or are common in Chinese; 0 and 1 are PAD and UNKNOWN."""
    counted = Counter(c for sentence in sentences for c in uniform(sentence.text))
    common = (chr(code) for code in range(0x4E00, 0xA000) if is_common(chr(code)))
    kept = dict.fromkeys(sorted(c for c, count in counted.items() if count >= least)) | dict.fromkeys(common)
    return {character: number for number, character in enumerate(kept, 2)}


def uniform(text: str) -> str:
    """Digits become 0: which digit it is says nothing of what the number is."""
    return "".join("0" if c.isdigit() and c.isascii() else c for c in text)


def encoded(spans: Iterable[Span], length: int, tags: Mapping[str, int]) -> list[int]:
    """Numbers of the BIO tags of `length` characters; a span of a type without a tag does not count."""
    found = [tags[OUTSIDE]] * length
    for span in spans:
        if f"B-{span.type}" in tags:
            found[span.start] = tags[f"B-{span.type}"]
            for at in range(span.start + 1, min(span.end, length)):
                found[at] = tags[f"I-{span.type}"]
    return found


def _may_follow(tags: int) -> list[list[float]]:
    def may(before: int, after: int) -> bool:
        inside = after > 0 and after % 2 == 0
        return not inside or before in (after - 1, after)

    return [[1.0 if may(before, after) else 1e-3 for after in range(tags)] for before in range(tags)]


class Tagger(nn.Module):
    """Characters and hints, (batch, sequence) int64, to emissions (batch, sequence, tags) float32."""

    def __init__(self, characters: int, tags: int, shape: Shape, sounds: Tensor | None = None, words: int = 0) -> None:
        """Make one for so many characters (with PAD and UNKNOWN), tags and, where `shape` has them, words.

        `sounds` gives every character the number of its sound (0: none), shape (characters,): characters that sound
        alike then share a vector, which is added to their own.
        """
        super().__init__()
        self.shape = shape
        self.least = LEAST
        """Least probability of a mention that the appliance believes; `crf.least_of` fits it."""
        self.characters = nn.Embedding(characters, shape.embedding, padding_idx=PAD)
        self.sounds = None
        if sounds is not None:
            self.register_buffer("sound_of", sounds)
            self.sounds = nn.Embedding(int(sounds.max()) + 1, shape.embedding, padding_idx=0)
            nn.init.zeros_(self.sounds.weight)
        self.hints = nn.Embedding(tags, shape.hint) if shape.hint else None
        self.words = nn.Embedding(words, shape.word) if shape.word else None
        self.dropout = nn.Dropout(shape.dropout)
        self.lstm = nn.LSTM(
            shape.embedding + shape.hint + shape.word,
            shape.hidden,
            num_layers=shape.layers,
            dropout=shape.dropout if shape.layers > 1 else 0.0,
            batch_first=True,
            bidirectional=True,
        )
        self.out = nn.Linear(2 * shape.hidden, tags)
        self.crf = CRF(tags, batch_first=True)
        # What may follow what: an I- only its own B- or I-, as `tags_of` numbers them. Never quite nothing, so that a
        # sequence that cannot be still has a score.
        self.register_buffer("may_follow", torch.tensor(_may_follow(tags)), persistent=False)

    @torch.no_grad()
    def fold_sounds(self) -> None:
        """Add the vectors of sounds to those of the characters, for good."""
        if self.sounds is not None:
            self.characters.weight += self.sounds(self.sound_of)
            self.sounds = None
            del self.sound_of

    def embedded(self, characters: Tensor, hints: Tensor, words: Tensor | None = None) -> Tensor:
        """Inputs of the LSTM."""
        found = self.characters(characters)
        if self.sounds is not None:
            found = found + self.sounds(self.sound_of[characters])
        if self.hints is not None:
            found = torch.cat([found, self.hints(hints)], dim=-1)
        if self.words is not None:
            found = torch.cat([found, self.words(words)], dim=-1)
        return found

    def emissions(self, characters: Tensor, hints: Tensor, words: Tensor | None = None) -> Tensor:
        """Emissions of one sentence, or of several of the same length."""
        hidden, _ = self.lstm(self.dropout(self.embedded(characters, hints, words)))
        return self.out(self.dropout(hidden))

    def packed(self, characters: Tensor, hints: Tensor, words: Tensor, lengths: Tensor) -> Tensor:
        """Emissions of sentences of several lengths, padded at their ends; the padding is not seen."""
        found = self.dropout(self.embedded(characters, hints, words))
        inside = nn.utils.rnn.pack_padded_sequence(found, lengths.cpu(), batch_first=True, enforce_sorted=False)
        hidden, _ = self.lstm(inside)
        padded, _ = nn.utils.rnn.pad_packed_sequence(hidden, batch_first=True, total_length=characters.shape[1])
        return self.out(self.dropout(padded))

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        hints: Tensor,
        words: Tensor,
        tags: Tensor | None = None,
        said: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Emissions and, where there are tags, the CRF's mean negative log-likelihood a sentence.

        `said` (batch, sequence, tags) float32 is what mentors say of each place, 0 behind the end. Where it is given it
        counts HEARD, and alone for sentences whose tags are all IGNORED.
        """
        if self.training and self.shape.hint_dropout:
            kept = torch.rand(len(input_ids), 1, device=input_ids.device) >= self.shape.hint_dropout
            hints = hints * kept
        emissions = self.packed(input_ids, hints, words, attention_mask.sum(1))
        found = {"emissions": emissions}
        if tags is None:
            return found
        mask = attention_mask.bool()
        kept_tags = tags.masked_fill(tags == IGNORED, 0)
        if said is None:
            return {"loss": -self.crf(emissions, kept_tags, mask=mask, reduction="mean")} | found
        gold = nn.functional.one_hot(kept_tags, emissions.shape[-1]).to(emissions.dtype) * mask.unsqueeze(-1)
        # log Z, by the score of any tags at all: torchcrf gives no other way to it.
        whole = self.score(emissions, gold, mask) - self.crf(emissions, kept_tags, mask=mask, reduction="none")
        heard = torch.where(tags[:, 0] == IGNORED, 1.0, HEARD)
        wanted = (1 - heard) * self.score(emissions, gold, mask) + heard * self.score(emissions, said, mask)
        return {"loss": (whole - wanted).mean()} | found

    def score(self, emissions: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """The CRF's expected score of tags drawn place by place from `target` (batch, sequence, tags), shape (batch,).

        Less log Z it is, of one-hot targets, the log-likelihood, and of a teacher's posteriors nearly the negative
        cross entropy between the teacher's sequences and this CRF's (structure-level distillation, Wang et al. 2020):
        there with the teacher's pairs of tags, here with neighbours drawn independently among pairs that can be.
        """
        ends = target[torch.arange(len(target)), mask.sum(1) - 1]
        before, after = target[:, :-1], target[:, 1:]
        among = torch.einsum("bsx,xy,bsy->bs", before, self.may_follow, after).clamp(min=1e-6)
        pairs = torch.einsum("bsx,xy,bsy->bs", before, self.may_follow * self.crf.transitions, after)
        between = (pairs / among).sum(1)
        around = target[:, 0] @ self.crf.start_transitions + ends @ self.crf.end_transitions
        return (target * emissions).sum((1, 2)) + between + around


class Emissions(nn.Module):
    """What goes into the ONNX file: the Viterbi search over the CRF's transitions is numpy's at run time."""

    def __init__(self, tagger: Tagger) -> None:
        super().__init__()
        self.tagger = tagger

    def forward(self, characters: Tensor, hints: Tensor, words: Tensor | None = None) -> Tensor:
        """(1, sequence) int64 each to (1, sequence, tags); `words` where the tagger sees them."""
        return self.tagger.emissions(characters, hints, words)


def tag_batch(rows: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
    """Rows of `input_ids`, `hints`, `words`, `tags` and, where mentors spoke, `said`, padded."""
    longest = max(len(row["input_ids"]) for row in rows)

    def filled(name: str, value: int) -> Tensor:
        return torch.tensor([[*row[name], *[value] * (longest - len(row[name]))] for row in rows])

    mask = torch.tensor([[1] * len(row["input_ids"]) + [0] * (longest - len(row["input_ids"])) for row in rows])
    said = {}
    if "said" in rows[0]:
        places = [np.pad(row["said"], ((0, longest - len(row["said"])), (0, 0))) for row in rows]
        said = {"said": torch.from_numpy(np.stack(places)).float()}
    return said | {
        "input_ids": filled("input_ids", PAD),
        "attention_mask": mask,
        "hints": filled("hints", 0),
        "words": filled("words", 0),
        "tags": filled("tags", IGNORED),
    }
