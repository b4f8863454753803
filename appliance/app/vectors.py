"""Sentence vectors on disk: made once for a model and its texts, found again at the next start."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from appliance.language.head import Floats


def kept(cache: Path, purpose: str, model: str, texts: list[str], make: Callable[[], Floats]) -> Floats:
    """Vectors of `texts` by `model`, from `cache` when they were made before; where the cache fails they are made."""
    vectors = stored(cache, purpose, model, texts)
    if vectors is None:
        vectors = make()
        store_vectors(cache, purpose, model, texts, vectors)
    return vectors


def stored(cache: Path, purpose: str, model: str, texts: list[str]) -> Floats | None:
    """Vectors of `texts` by `model` in `cache`, shape (len(texts), width); None where there are none that are whole."""
    with suppress(Exception):  # numpy raises what it likes over a damaged file, tokenize.TokenError among them
        found: Floats = np.load(_place(cache, purpose, model, texts), allow_pickle=False)
        if found.dtype == np.float32 and found.ndim == 2 and len(found) == len(texts):
            return found
    return None


def store_vectors(cache: Path, purpose: str, model: str, texts: list[str], vectors: Floats) -> None:
    """Keep vectors for the next start, in the place of older ones for this purpose; a disk that refuses is no harm."""
    path = _place(cache, purpose, model, texts)
    with suppress(OSError):
        cache.mkdir(parents=True, exist_ok=True)
        for old in cache.glob(f"{purpose}-*.npy"):
            old.unlink()
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            np.save(file, vectors)
        part.replace(path)


def _place(cache: Path, purpose: str, model: str, texts: list[str]) -> Path:
    key = hashlib.sha256("\n".join([model, *texts]).encode()).hexdigest()[:24]
    return cache / f"{purpose}-{key}.npy"
