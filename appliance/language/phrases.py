"""Sets of short phrases, packed: 8 bytes each, where a Python string in a set takes over a hundred."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from appliance.errors import ApplianceError

SHORTEST, LONGEST = 2, 4
"""Characters of a phrase."""

_KEY = re.compile(rb'"([^"\\]+)"\s*:')
"""A key of a JSON object, written without escapes."""
_BREAK = 10
"""Stands between sentences: no phrase holds a line break."""


class Phrases:
    """A set of texts of two to four characters of the Basic Multilingual Plane; a character takes 16 bits of a key."""

    def __init__(self, keys: npt.NDArray[np.uint64]) -> None:
        """Hold `keys` of shape (n,): first character in the lowest bits."""
        self._keys = np.unique(keys)

    @classmethod
    def of(cls, texts: Iterable[str]) -> Phrases:
        """Those of `texts` that are as short; others are left out."""
        return cls(np.fromiter((key for text in texts if (key := _key(text))), np.uint64))

    def __contains__(self, text: object) -> bool:
        """True when the very `text` is one of them."""
        key = _key(text) if isinstance(text, str) else 0
        at = int(np.searchsorted(self._keys, np.uint64(key)))
        return key != 0 and at < len(self._keys) and int(self._keys[at]) == key

    def __len__(self) -> int:
        return len(self._keys)

    def __or__(self, other: Phrases) -> Phrases:
        """Those of both."""
        return Phrases(np.concatenate([self._keys, other._keys]))


def _key(text: str) -> int:
    """The packed text, 0 for one that is no phrase."""
    units = text.encode("utf-16-le", "surrogatepass")
    short = SHORTEST <= len(text) <= LONGEST and len(units) == 2 * len(text)
    return int.from_bytes(units, "little") if short else 0


def phrases_of(sentences: Iterable[str]) -> tuple[Phrases, Phrases]:
    """Runs of two to four characters of `sentences`: those that they say more than once, and those said once."""
    text = "\n".join(sentences).encode("utf-16-le", "surrogatepass")
    units = np.frombuffer(text, np.uint16).astype(np.uint64)
    often, once = [], []
    for size in range(SHORTEST, LONGEST + 1):
        if len(units) < size:
            break
        windows = np.lib.stride_tricks.sliding_window_view(units, size)
        windows = windows[(windows != _BREAK).all(axis=1)]
        keys = (windows << (np.arange(size, dtype=np.uint64) * np.uint64(16))).sum(axis=1, dtype=np.uint64)
        found, counts = np.unique(keys, return_counts=True)
        often.append(found[counts > 1])
        once.append(found[counts == 1])
    none = np.zeros(0, np.uint64)
    return Phrases(np.concatenate([none, *often])), Phrases(np.concatenate([none, *once]))


def read_words() -> Phrases:
    """Ordinary words of two to four characters: pypinyin's phrases, read as a file as in `pinyin.read_table`.

    Only the phrases are read, without their readings: as objects those take 40 MB that a process hardly gives back.
    Raises ApplianceError where the file is missing or of another format.
    """
    spec = importlib.util.find_spec("pypinyin")
    folders = spec.submodule_search_locations if spec else None
    path = Path(folders[0]) / "phrases_dict.json" if folders else Path("phrases_dict.json")
    remedy = ("请运行 `pip install pypinyin`", "Run `pip install pypinyin`")
    if not path.is_file():
        raise ApplianceError(f"expected pypinyin's table of phrases at {path}, got no such file", remedy=remedy)
    data = path.read_bytes()
    words = Phrases.of(key.decode("utf-8", "replace") for key in _KEY.findall(data))
    if not len(words) or b"\\u" in data:
        raise ApplianceError(
            f"expected phrases with their readings, a JSON object in UTF-8 without escapes, in {path}, "
            f"got {len(words)} phrases",
            remedy=remedy,
        )
    return words
