"""The student: the teacher with fewer layers and pieces, taught by it.

Its layers begin as copies of some of the teacher's (as in DistilBERT, Sanh et al. 2019), its vectors of pieces as the
teacher's own. It learns from labels, from the teacher's logits (Hinton et al. 2015), from the teacher's sentence vector
and from the means of the token vectors behind the layers that it was copied from (hidden states, as in TinyBERT, Jiao
et al. 2020; means, because its pieces are not the teacher's).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, zip_longest
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import BertModel

from export.train.encoder import tokenizer
from export.train.encoder.vocabulary import SPACE, is_han
from export.train.model import Understander, Weights, cross_entropy, small
from export.train.noise import is_common, sound_numbers
from export.train.rows import padded


@dataclass(frozen=True)
class Size:
    """How large the student is."""

    layers: int = 4
    """Layers."""
    pieces: int = 8000
    """Pieces of its vocabulary."""
    positions: int = 64
    """Longest sentence in tokens."""


@dataclass(frozen=True)
class Lessons:
    """How much each of the teacher's signals counts."""

    logits: float = 2.0
    """Kullback-Leibler divergence of the softened logits."""
    vector: float = 2.0
    """One minus the cosine of the sentence vectors."""
    layers: float = 0.5
    """Squared distance of the layers' means."""
    temperature: float = 2.0
    """By which logits are softened."""


def pieces(tokens: Any, texts: Iterable[str], size: int) -> list[tuple[str, float]]:
    """The student's pieces with their log-probabilities, the four special ones first.

    `tokens` is the teacher's tokenizer. Chinese is read character by character: a wrong character then stays one wrong
    character, while it breaks longer pieces apart. In order: every common character and every ASCII one, what `texts`
    use, most frequent first, then the teacher's most probable Chinese characters and Latin pieces in turn.
    """
    model = json.loads(tokens.to_str())["model"]
    known: dict[str, float] = dict(model["vocab"])
    # A dict and no set: the order of a set differs from process to process, and a killed training would go on with
    # other pieces than it began with.
    alone = dict.fromkeys(piece for piece in known if len(piece) == 1 or not any(map(is_han, piece)))
    kept = dict.fromkeys(tokenizer.SPECIAL)
    single = (p for p in known if len(p.strip(SPACE)) <= 1)
    kept |= dict.fromkeys(p for p in single if p.strip(SPACE).isascii() or is_common(p))
    counted: dict[str, int] = {}
    for encoded in tokens.encode_batch(list(texts), add_special_tokens=False):
        for piece in encoded.tokens:
            for part in piece if any(map(is_han, piece)) else (piece,):
                counted[part] = counted.get(part, 0) + 1
    used = sorted((p for p in counted if p in alone), key=lambda p: (-counted[p], p))
    characters = sorted((p for p in alone if is_han(p[0])), key=lambda p: (-known[p], p))
    latin = sorted((p for p in alone if p.strip(SPACE).isascii() and p.strip(SPACE)), key=lambda p: (-known[p], p))
    likely = (piece for pair in zip_longest(characters, latin) for piece in pair if piece)
    for piece in chain(used, likely):
        if len(kept) >= size:
            break
        kept.setdefault(piece)
    return [(piece, known.get(piece, 0.0)) for piece in kept]


def sounds(tokens: Any) -> Tensor:
    """The number of every piece's sound, 0 for what has none."""
    vocabulary = tokens.get_vocab()
    pieces_ = [""] * len(vocabulary)
    for piece, number in vocabulary.items():
        pieces_[number] = piece
    return torch.tensor(sound_numbers(pieces_))


def copied_layers(teacher: int, student: int) -> list[int]:
    """Which of the teacher's layers the student's begin as: spread evenly, the last one included."""
    return [round((number + 1) * teacher / student) - 1 for number in range(student)]


def shrink(teacher: Understander, teacher_tokens: Any, student_tokens: Any, size: Size) -> Understander:
    """A student with copies of the teacher's weights, heads and question prototypes included."""
    config = small(teacher.encoder.config, size.layers, student_tokens.get_vocab_size(), size.positions)
    encoder = BertModel(config, add_pooling_layer=False)
    theirs, ours = teacher.encoder.state_dict(), encoder.state_dict()
    chosen = copied_layers(teacher.encoder.config.num_hidden_layers, size.layers)
    for name in ours:
        if name.startswith("encoder.layer."):
            _, _, number, rest = name.split(".", 3)
            ours[name] = theirs[f"encoder.layer.{chosen[int(number)]}.{rest}"].clone()
        elif name.endswith("word_embeddings.weight"):
            ours[name] = _words(theirs[name], teacher_tokens, student_tokens)
        elif name.endswith("position_embeddings.weight"):
            ours[name] = theirs[name][: size.positions].clone()
        else:
            ours[name] = theirs[name].clone()
    encoder.load_state_dict(ours)
    questions = 0 if teacher.prototypes is None else len(teacher.prototypes)
    student = Understander(
        encoder,
        teacher.intent.out_features,
        teacher.sentiment.out_features,
        questions,
        teacher.weights,
        sounds(student_tokens),
    )
    student.centre.copy_(teacher.centre)
    student.spread.copy_(teacher.spread)
    student.intent.load_state_dict(teacher.intent.state_dict())
    student.sentiment.load_state_dict(teacher.sentiment.state_dict())
    if teacher.prototypes is not None and student.prototypes is not None:
        student.prototypes.data.copy_(teacher.prototypes.data)
        student.unanswered.data.copy_(teacher.unanswered.data)
    return student


def _words(theirs: Tensor, teacher_tokens: Any, student_tokens: Any) -> Tensor:
    vocabulary = sorted(student_tokens.get_vocab().items(), key=lambda item: item[1])
    numbers = [teacher_tokens.token_to_id(piece) for piece, _ in vocabulary]
    lost = [piece for (piece, _), number in zip(vocabulary, numbers, strict=True) if number is None]
    if lost:
        raise ValueError(f"student: expected pieces of the teacher, got {lost[:5]}")
    return theirs[torch.tensor(numbers)].clone()


class Taught(torch.nn.Module):
    """A student with the teacher's signals in its loss."""

    def __init__(self, student: Understander, lessons: Lessons, teacher: Understander | None = None) -> None:
        """Wrap `student`; `lessons` weigh the signals.

        A `teacher` of another width is heard through one matrix for each layer, learnt beside the student and thrown
        away (as in TinyBERT).
        """
        super().__init__()
        self.student = student
        self.lessons = lessons
        self.bridges: torch.nn.ModuleList | None = None
        ours = student.encoder.config.hidden_size
        if teacher is not None and teacher.encoder.config.hidden_size != ours:
            theirs = teacher.encoder.config.hidden_size
            layers = student.encoder.config.num_hidden_layers
            self.bridges = torch.nn.ModuleList(torch.nn.Linear(ours, theirs, bias=False) for _ in range(layers))
            self.register_buffer("centre", teacher.centre.clone())
            self.register_buffer("spread", teacher.spread.clone())

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        intent: Tensor,
        polarity: Tensor,
        question: Tensor,
        teacher_logits: Tensor | None = None,
        teacher_means: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Loss and logits; `teacher_logits` (batch, all heads side by side), `teacher_means` (batch, layers, width)."""
        vectors, each = self.student.vectors(input_ids, attention_mask, layers=True)
        with torch.autocast(vectors.device.type, enabled=False):  # half precision is too coarse for logits and losses
            means = each[1:].transpose(0, 1).float()
            return self._judged(vectors.float(), means, (intent, polarity, question), teacher_logits, teacher_means)

    def _judged(
        self,
        vectors: Tensor,
        means: Tensor,
        labels: tuple[Tensor, Tensor, Tensor],
        teacher_logits: Tensor | None,
        teacher_means: Tensor | None,
    ) -> dict[str, Tensor]:
        student, lessons = self.student, self.lessons
        intent, polarity, question = labels
        intents, polarities, asked = student.heads(vectors)
        weights: Weights = student.weights
        loss = weights.intent * cross_entropy(intents, intent, weights.smoothing)
        loss = loss + weights.sentiment * cross_entropy(polarities, polarity)
        if asked is not None:
            loss = loss + weights.question * cross_entropy(asked, question)
        if teacher_logits is not None and teacher_means is not None:
            heads = [intents, polarities] + ([asked] if asked is not None else [])
            theirs = teacher_logits.split([head.shape[1] for head in heads], dim=1)
            for ours, target in zip(heads, theirs, strict=True):
                loss = loss + lessons.logits * divergence(ours, target, lessons.temperature) / len(heads)
            ours = (vectors - student.centre) / student.spread
            centre, spread = (student.centre, student.spread) if self.bridges is None else (self.centre, self.spread)
            theirs_last = (teacher_means[:, -1] - centre) / spread
            if self.bridges is not None:
                ours = self.bridges[-1](ours)
                bridged = [bridge(means[:, layer]) for layer, bridge in enumerate(self.bridges)]
                means = functional.normalize(torch.stack(bridged, 1), dim=-1)
                teacher_means = functional.normalize(teacher_means, dim=-1)
            loss = loss + lessons.vector * (1 - functional.cosine_similarity(ours, theirs_last)).mean()
            loss = loss + lessons.layers * functional.mse_loss(means, teacher_means)
        return {"loss": loss, "intent_logits": intents, "sentiment_logits": polarities}


def divergence(ours: Tensor, theirs: Tensor, temperature: float) -> Tensor:
    """Kullback-Leibler divergence of softened logits, times the square of the temperature."""
    log_ours = functional.log_softmax(ours / temperature, dim=-1)
    return functional.kl_div(log_ours, (theirs / temperature).softmax(-1), reduction="batchmean") * temperature**2


@torch.inference_mode()
def signals(teacher: Understander, rows: Sequence[dict[str, Any]], layers: int) -> list[tuple[Any, Any]]:
    """What the teacher says of each row: (logits of all heads side by side, means behind the copied layers)."""
    chosen = copied_layers(teacher.encoder.config.num_hidden_layers, layers)
    order = sorted(range(len(rows)), key=lambda number: len(rows[number]["input_ids"]))
    found: list[tuple[Any, Any]] = [(None, None)] * len(rows)
    teacher.eval()
    for at in range(0, len(order), 64):
        numbers = order[at : at + 64]
        batch = padded([{"input_ids": rows[number]["input_ids"]} for number in numbers])
        vectors, each = teacher.vectors(batch["input_ids"], batch["attention_mask"], layers=True)
        logits = torch.cat([head for head in teacher.heads(vectors) if head is not None], dim=1)
        means = each[torch.tensor(chosen) + 1].transpose(0, 1)
        for place, number in enumerate(numbers):
            found[number] = logits[place].numpy(), means[place].numpy()
    return found


def described(size: Size, lessons: Lessons) -> dict[str, Any]:
    """Size and lessons as plain data, for the metrics file."""
    return {"size": asdict(size), "lessons": asdict(lessons)}
