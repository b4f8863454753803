"""Vectors of characters out of a pretrained encoder, narrowed, for networks that begin with them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


def character_vectors(encoder: Path, width: int) -> Mapping[str, Floats]:
    """The encoder's vectors of single characters in `width` numbers, with a standard deviation of about one.

    They are the first principal components: most of what tells characters apart lies in few directions.
    """
    from safetensors import safe_open
    from tokenizers import Tokenizer

    vocabulary = Tokenizer.from_file(str(encoder / "tokenizer.json")).get_vocab()
    alone = {piece: number for piece, number in vocabulary.items() if len(piece) == 1}
    with safe_open(str(encoder / "model.safetensors"), "np") as file:
        name = next(key for key in file.keys() if key.endswith("word_embeddings.weight"))  # noqa: SIM118 - no dict
        vectors = file.get_tensor(name)[list(alone.values())].astype(np.float32)
    vectors -= vectors.mean(0)
    _, _, directions = np.linalg.svd(vectors, full_matrices=False)
    narrow = vectors @ directions[:width].T
    narrow /= narrow.std()
    return dict(zip(alone, narrow, strict=True))
