"""Which word each character stands in, by the pieces of a tokenizer: what a tagger sees beside the characters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from appliance.language.tokenise import opened

UNKNOWN = 3
"""Number of what no piece covers (`<unk>`, as multilingual-e5-small numbers it)."""


class Segmenter:
    """One tokenizer of the library `tokenizers`. Thread-safe: encoding changes nothing."""

    def __init__(self, path: Path) -> None:
        """Read the tokenizer at `path`. Raises BackendFailed without the library, ModelCorrupt for another file."""
        self._tokenizer: Any = opened(path)

    @property
    def pieces(self) -> int:
        """How many pieces it knows."""
        return int(self._tokenizer.get_vocab_size())

    def words(self, text: str) -> npt.NDArray[np.int64]:
        """For each character the number of the piece that it stands in, shape (len(text),), int64."""
        found = np.full(len(text), UNKNOWN, np.int64)
        encoded = self._tokenizer.encode(text, add_special_tokens=False)
        for number, (start, end) in zip(encoded.ids, encoded.offsets, strict=True):
            found[start:end] = number
        return found
