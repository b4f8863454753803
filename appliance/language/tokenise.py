"""Text to the numbers of its pieces, by the tokenizer that came with a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from appliance.errors import BackendFailed, ModelCorrupt

BUCKET = 8
"""Lengths are filled up to a multiple of this, so that sentences of about the same length can run together."""


def opened(path: Path) -> Any:
    """The `tokenizers.Tokenizer` at `path`; raises BackendFailed without the library, ModelCorrupt for another file."""
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise BackendFailed(
            f"tokenizers: expected to import, got {error}",
            remedy=("请运行 `pip install tokenizers`", "Run `pip install tokenizers`"),
        ) from error
    try:
        found = Tokenizer.from_file(str(path))
    except Exception as error:
        raise ModelCorrupt(f"{path.name}: expected a tokenizer, got {error}") from error
    # What may be switched on in the file is done by the callers: padding there would count as text.
    found.no_padding()
    found.no_truncation()
    return found


class Tokeniser:
    """One tokenizer of the library `tokenizers`. Thread-safe: encoding changes nothing."""

    def __init__(self, path: Path, longest: int) -> None:
        """Read the tokenizer at `path`; texts are cut after `longest` pieces.

        Raises BackendFailed without the library, ModelCorrupt for a file that it does not read.
        """
        self._tokenizer: Any = opened(path)
        self._longest = longest
        self._padding = self._tokenizer.token_to_id("<pad>") or 0

    def encode(self, text: str) -> dict[str, npt.NDArray[np.int64]]:
        """`input_ids` and `attention_mask` of one text, shape (1, n) int64, n a multiple of BUCKET."""
        return self.batch([text])

    def batch(self, texts: list[str]) -> dict[str, npt.NDArray[np.int64]]:
        """The same for several texts, shape (len(texts), n); shorter ones are padded at their end."""
        numbers = [self._cut(encoded.ids) for encoded in self._tokenizer.encode_batch(texts)]
        width = -(-max(map(len, numbers), default=1) // BUCKET) * BUCKET or BUCKET
        ids = np.full((len(numbers), width), self._padding, np.int64)
        mask = np.zeros((len(numbers), width), np.int64)
        for row, found in enumerate(numbers):
            ids[row, : len(found)] = found
            mask[row, : len(found)] = 1
        return {"input_ids": ids, "attention_mask": mask}

    def _cut(self, ids: list[int]) -> list[int]:
        return ids if len(ids) <= self._longest else [*ids[: self._longest - 1], ids[-1]]
