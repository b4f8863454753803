"""Sentences as rows of numbers, and batches of rows of about the same length."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Sampler

from export.train.corpus import Question
from export.train.encoder.build import PREFIX
from export.train.model import IGNORED
from export.train.sentences import POLARITIES, Sentence

LONGEST = 64
"""Tokens after which a sentence is cut."""
_POOL = 16
"""Batches that are shuffled and sorted by length together."""

Row = dict[str, Any]


def row_of(
    sentence: Sentence, tokens: Any, intents: Mapping[str, int], *, prefix: str = PREFIX, longest: int = LONGEST
) -> Row:
    """Token numbers and labels of a sentence; an intent that is not in `intents` does not count."""
    return {
        "input_ids": _cut(tokens.encode(prefix + sentence.text).ids, longest),
        "intent": intents.get(sentence.label, IGNORED),
        "polarity": POLARITIES.index(sentence.polarity) if sentence.polarity else IGNORED,
        "question": IGNORED,
    }


def row_of_question(
    question: Question, tokens: Any, numbers: Mapping[str, int], *, prefix: str = PREFIX, longest: int = LONGEST
) -> Row:
    """Token numbers of a way of asking a frequent question, and the number of its row."""
    ids = _cut(tokens.encode(prefix + question.text).ids, longest)
    return {"input_ids": ids, "intent": IGNORED, "polarity": IGNORED, "question": numbers.get(question.row, IGNORED)}


def _cut(ids: Sequence[int], longest: int) -> list[int]:
    return list(ids) if len(ids) <= longest else [*ids[: longest - 1], ids[-1]]


def padded(rows: Sequence[Row], padding: int = 1) -> dict[str, torch.Tensor]:
    """One batch: token numbers padded at the end, mask, and every other value as a tensor."""
    longest = max(len(row["input_ids"]) for row in rows)
    ids = torch.full((len(rows), longest), padding, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for number, row in enumerate(rows):
        ids[number, : len(row["input_ids"])] = torch.tensor(row["input_ids"])
        mask[number, : len(row["input_ids"])] = 1
    rest = {name: torch.as_tensor(np.asarray([row[name] for row in rows])) for name in rows[0] if name != "input_ids"}
    return {"input_ids": ids, "attention_mask": mask, **rest}


class Variants(Sequence[Row]):
    """Rows that come in several versions, one after the other from epoch to epoch."""

    def __init__(self, versions: Sequence[Sequence[Row]]) -> None:
        """`versions` holds for each row its versions."""
        self._versions, self._epoch = versions, 0

    def set_epoch(self, epoch: int) -> None:
        """Show the versions of this epoch."""
        self._epoch = int(epoch)

    def __len__(self) -> int:
        return len(self._versions)

    def __getitem__(self, number: Any) -> Any:
        versions = self._versions[number]
        return versions[self._epoch % len(versions)]


class Batches(Sampler[list[int]]):
    """Batches of rows of about the same length, in an order that depends on the seed and the epoch alone.

    So a training that was killed goes on with the very batches that it would have had.
    """

    def __init__(self, lengths: Sequence[int], size: int, seed: int) -> None:
        """Take the rows' lengths and the batch size."""
        self._lengths, self._size, self._seed, self._epoch = list(lengths), size, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Draw the order of this epoch."""
        self._epoch = int(epoch)

    def __len__(self) -> int:
        return -(-len(self._lengths) // self._size)

    def __iter__(self) -> Iterator[list[int]]:
        draw = torch.Generator().manual_seed(self._seed * 1000 + self._epoch)
        order = torch.randperm(len(self._lengths), generator=draw).tolist()
        batches: list[list[int]] = []
        step = self._size * _POOL
        for begin in range(0, len(order), step):
            pool = sorted(order[begin : begin + step], key=lambda i: self._lengths[i])
            batches += [pool[at : at + self._size] for at in range(0, len(pool), self._size)]
        yield from (batches[i] for i in torch.randperm(len(batches), generator=draw).tolist())


class Loader(DataLoader[Row]):
    """A loader whose batches follow the epoch that the trainer names."""

    def __init__(
        self, rows: Sequence[Row], size: int, seed: int, collate: Callable[[Sequence[Row]], Any] = padded
    ) -> None:
        """Load `rows` in batches of `size`, each put together by `collate`."""
        self._rows = rows
        self._batches = Batches([len(row["input_ids"]) for row in rows], size, seed)
        super().__init__(rows, batch_sampler=self._batches, collate_fn=collate)  # type: ignore[arg-type]

    def set_epoch(self, epoch: int) -> None:
        """Draw the order of this epoch."""
        self._batches.set_epoch(epoch)
        if isinstance(self._rows, Variants):
            self._rows.set_epoch(epoch)


def chunks(rows: Sequence[Row], size: int) -> Iterable[Sequence[Row]]:
    """Rows in their order, `size` at a time."""
    return (rows[at : at + size] for at in range(0, len(rows), size))
