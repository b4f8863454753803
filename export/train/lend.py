"""Vectors of characters and words out of a pretrained encoder, narrowed, for networks that begin with them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from appliance.language.segment import Segmenter
from export.train.encoder import tokenizer
from export.train.encoder.vocabulary import SPACE, is_han
from export.train.noise import is_common

Floats = npt.NDArray[np.float32]

WORDS = 16_000
"""Pieces of a lexicon: what the training sentences use, common characters, and the likeliest Chinese words."""
FILE = "words.json"


@dataclass(frozen=True)
class Lexicon:
    """Words, and what they mean in few numbers."""

    segmenter: Segmenter
    """Finds the word that each character stands in."""
    vectors: Floats
    """Shape (pieces, width), float32."""


def lexicon(encoder: Path, texts: Iterable[str], width: int, out: Path, size: int = WORDS) -> Lexicon:
    """A lexicon of the encoder's pieces; its tokenizer is written to `out`/words.json."""
    from tokenizers import Tokenizer

    whole = Tokenizer.from_file(str(encoder / "tokenizer.json"))
    made = tokenizer.build(_pieces(whole, texts, size), precompiled=None)
    out.mkdir(parents=True, exist_ok=True)
    made.save(str(out / FILE), pretty=False)
    numbers = made.get_vocab()
    names = sorted(numbers, key=numbers.__getitem__)
    vectors = _narrowed(_table(encoder), width)[[whole.token_to_id(name) for name in names]]
    return Lexicon(Segmenter(out / FILE), vectors)


def _pieces(tokens: Any, texts: Iterable[str], size: int) -> list[tuple[str, float]]:
    """Pieces with their log-probabilities, the four special ones first."""
    known: dict[str, float] = dict(json.loads(tokens.to_str())["model"]["vocab"])
    kept = dict.fromkeys(tokenizer.SPECIAL)
    kept |= dict.fromkeys(piece for piece in known if len(piece) == 1 and (piece.isascii() or is_common(piece)))
    kept.setdefault(SPACE)
    counted: dict[str, int] = {}
    for encoded in tokens.encode_batch(list(texts), add_special_tokens=False):
        for piece in encoded.tokens:
            counted[piece] = counted.get(piece, 0) + 1
    used = sorted((piece for piece in counted if piece in known), key=lambda piece: (-counted[piece], piece))
    likely = sorted((piece for piece in known if piece and all(map(is_han, piece))), key=lambda piece: -known[piece])
    for piece in chain(used, likely):
        if len(kept) >= size:
            break
        kept.setdefault(piece)
    return [(piece, known[piece]) for piece in kept]


def _table(encoder: Path) -> Floats:
    """The encoder's vectors of pieces."""
    from safetensors import safe_open

    with safe_open(str(encoder / "model.safetensors"), "np") as file:
        name = next(key for key in file.keys() if key.endswith("word_embeddings.weight"))  # noqa: SIM118 - no dict
        found: Floats = file.get_tensor(name).astype(np.float32)
    return found


def _narrowed(vectors: Floats, width: int) -> Floats:
    """First principal components, with a standard deviation of about one: most of what tells apart lies in few."""
    centred = vectors - vectors.mean(0)
    _, directions = np.linalg.eigh(centred.T @ centred)
    narrow = centred @ directions[:, ::-1][:, :width]
    found: Floats = (narrow / narrow.std()).astype(np.float32)
    return found


def character_vectors(encoder: Path, width: int) -> Mapping[str, Floats]:
    """The encoder's vectors of single characters in `width` numbers."""
    from tokenizers import Tokenizer

    vocabulary = Tokenizer.from_file(str(encoder / "tokenizer.json")).get_vocab()
    # By number: `get_vocab` is in another order in every process, and sums of rows in another order are other sums.
    numbered = sorted(vocabulary.items(), key=lambda item: item[1])
    alone = {piece: number for piece, number in numbered if len(piece) == 1}
    return dict(zip(alone, _narrowed(_table(encoder)[list(alone.values())], width), strict=True))
