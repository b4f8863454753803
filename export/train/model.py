"""The network that understands a sentence: an encoder, the mean of its token vectors, and heads on it.

One run gives the intent, the sentiment and a sentence vector. While it is trained, frequent questions pull the vectors
of their variants together through one prototype each (a cosine softmax, as in NormFace, Wang et al. 2017); the
prototypes are thrown away afterwards, for any pack's questions are compared by their vectors.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import BertConfig, BertModel

IGNORED = -100
"""Label of what is not known (torch's own convention)."""
QUESTION_SCALE = 16.0
"""Steepness of the cosine softmax over questions."""


@dataclass(frozen=True)
class Weights:
    """How much each task counts in the loss."""

    intent: float = 1.0
    """Cross entropy of the intents."""
    sentiment: float = 0.5
    """Cross entropy of the polarities."""
    question: float = 0.5
    """Cross entropy over the frequent questions."""
    smoothing: float = 0.05
    """Label smoothing of the intents: keeps confidence honest."""


class Understander(nn.Module):
    """Encoder with heads. Inputs are (batch, sequence) int64; `attention_mask` is 1 for tokens and 0 for padding."""

    def __init__(
        self,
        encoder: BertModel,
        intents: int,
        polarities: int,
        questions: int,
        weights: Weights,
        sounds: Tensor | None = None,
    ) -> None:
        """Put heads of these sizes on `encoder`; `questions` may be 0.

        `sounds` gives every piece the number of its sound (0: none), shape (pieces,): pieces that sound alike then
        share a vector, which is added to their own.
        """
        super().__init__()
        width = encoder.config.hidden_size
        self.encoder = encoder
        # The vectors of a pretrained encoder lie in a narrow cone: heads learn slowly until that is taken out.
        self.register_buffer("centre", torch.zeros(width))
        self.register_buffer("spread", torch.ones(width))
        self.dropout = nn.Dropout(0.1)
        self.intent = nn.Linear(width, intents)
        self.sentiment = nn.Linear(width, polarities)
        self.prototypes = nn.Parameter(torch.randn(questions, width) * width**-0.5) if questions else None
        # What no row answers has a logit of its own: how near a row must be to count.
        self.unanswered = nn.Parameter(torch.tensor(QUESTION_SCALE / 2)) if questions else None
        self.weights = weights
        self.sounds = None
        if sounds is not None:
            self.register_buffer("sound_of", sounds)
            self.sounds = nn.Embedding(int(sounds.max()) + 1, width, padding_idx=0)
            nn.init.zeros_(self.sounds.weight)

    @torch.no_grad()
    def fold_sounds(self) -> None:
        """Add the vectors of sounds to those of the pieces, for good: what runs needs to know nothing of sounds."""
        if self.sounds is not None:
            words = self.encoder.embeddings.word_embeddings.weight
            words += self.sounds(self.sound_of)
            self.sounds = None
            del self.sound_of

    def vectors(self, input_ids: Tensor, attention_mask: Tensor, *, layers: bool = False) -> tuple[Tensor, Any]:
        """Mean of the token vectors, (batch, width), and with `layers` that of every layer, (layers, batch, width)."""
        embedded = self.encoder.embeddings.word_embeddings(input_ids)
        if self.sounds is not None:
            embedded = embedded + self.sounds(self.sound_of[input_ids])
        out = self.encoder(inputs_embeds=embedded, attention_mask=attention_mask, output_hidden_states=layers)
        mask = attention_mask.unsqueeze(-1).to(out.last_hidden_state.dtype)
        count = mask.sum(1).clamp(min=1)
        mean = (out.last_hidden_state * mask).sum(1) / count
        each = torch.stack([(hidden * mask).sum(1) / count for hidden in out.hidden_states]) if layers else None
        return mean, each

    def unit(self, vectors: Tensor) -> Tensor:
        """Sentence vectors of length 1, from the means that `vectors` gives."""
        return functional.normalize((vectors - self.centre) / self.spread, dim=-1)

    def heads(self, vectors: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Logits of intents, polarities and questions (the last of these: nothing answers), from means of vectors."""
        conditioned = (vectors - self.centre) / self.spread
        dropped = self.dropout(conditioned)
        asked = None
        if self.prototypes is not None:
            near = functional.normalize(conditioned, dim=-1) @ functional.normalize(self.prototypes, dim=-1).T
            none = self.unanswered.expand(len(near), 1)
            asked = torch.cat([near * QUESTION_SCALE, none], dim=1)
        return self.intent(dropped), self.sentiment(dropped), asked

    @torch.no_grad()
    def prepare(self, vectors: Tensor, intents: Tensor, polarities: Tensor, questions: Tensor) -> None:
        """Begin with heads that fit the encoder as it is: linear probing, then fine-tuning (Kumar et al. 2022).

        `vectors` are the means of the training rows, the others their labels.
        """
        self.centre.copy_(vectors.mean(0))
        self.spread.copy_(vectors.std(0).clamp(min=1e-4))
        conditioned = (vectors - self.centre) / self.spread
        for head, labels in ((self.intent, intents), (self.sentiment, polarities)):
            known = labels != IGNORED
            if bool(known.any()):
                probe(head, conditioned[known], labels[known])
        if self.prototypes is not None:
            unit = functional.normalize(conditioned, dim=-1)
            for number in range(len(self.prototypes)):
                mine = unit[questions == number]
                if len(mine):
                    self.prototypes[number] = mine.mean(0)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        intent: Tensor | None = None,
        polarity: Tensor | None = None,
        question: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Logits and, where there are labels, the loss; labels of IGNORED do not count."""
        vectors, _ = self.vectors(input_ids, attention_mask)
        with torch.autocast(vectors.device.type, enabled=False):  # half precision is too coarse for logits and losses
            return self._judged(vectors.float(), intent, polarity, question)

    def _judged(
        self, vectors: Tensor, intent: Tensor | None, polarity: Tensor | None, question: Tensor | None
    ) -> dict[str, Tensor]:
        intents, polarities, asked = self.heads(vectors)
        found = {"intent_logits": intents, "sentiment_logits": polarities}
        if intent is None or polarity is None:
            return found
        loss = self.weights.intent * cross_entropy(intents, intent, self.weights.smoothing)
        loss = loss + self.weights.sentiment * cross_entropy(polarities, polarity)
        if question is not None and asked is not None:
            loss = loss + self.weights.question * cross_entropy(asked, question)
        return {"loss": loss} | found


def probe(head: nn.Linear, inputs: Tensor, labels: Tensor, penalty: float = 1e-3, steps: int = 60) -> None:
    """Fit a linear head to fixed inputs by L-BFGS, in place."""
    with torch.enable_grad():
        weight = torch.zeros_like(head.weight, requires_grad=True)
        bias = torch.zeros_like(head.bias, requires_grad=True)
        optimiser = torch.optim.LBFGS([weight, bias], max_iter=steps, line_search_fn="strong_wolfe")

        def closure() -> Tensor:
            optimiser.zero_grad()
            loss = functional.cross_entropy(inputs @ weight.T + bias, labels) + penalty * weight.square().sum()
            loss.backward()
            return loss

        optimiser.step(closure)
    head.weight.copy_(weight)
    head.bias.copy_(bias)


def cross_entropy(logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
    """Mean cross entropy over the labels that are known; zero where none is."""
    if not bool((labels != IGNORED).any()):
        return logits.sum() * 0.0
    return functional.cross_entropy(logits, labels, ignore_index=IGNORED, label_smoothing=smoothing)


class Exported(nn.Module):
    """What goes into the ONNX file: intent and sentiment logits and the sentence vector, length 1."""

    def __init__(self, model: Understander) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(batch, intents), (batch, polarities), (batch, width)."""
        vectors, _ = self.model.vectors(input_ids, attention_mask)
        intents, polarities, _ = self.model.heads(vectors)
        return intents, polarities, self.model.unit(vectors)


def load_encoder(folder: Path) -> BertModel:
    """The encoder in `folder`, without a pooling layer."""
    encoder: BertModel = BertModel.from_pretrained(folder, add_pooling_layer=False)
    return encoder


def small(config: BertConfig, layers: int, vocabulary: int, positions: int) -> BertConfig:
    """The teacher's configuration with fewer layers, pieces and positions."""
    kept = config.to_dict() | {
        "num_hidden_layers": layers,
        "vocab_size": vocabulary,
        "max_position_embeddings": positions,
    }
    return BertConfig.from_dict(kept)
