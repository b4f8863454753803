"""Nearness to the pack's example sentences: kernel ridge regression on how alike texts are written (`ngrams`)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from appliance.language.ngrams import NGrams
from appliance.language.pinyin import Syllables

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_RIDGE = 1.0


@dataclass(frozen=True, slots=True)
class Near:
    """How much a text speaks like an intent's sentences."""

    intent: str
    """Intent name."""
    likeness: float
    """About 1 for one of its sentences, about 0 for none; a regression's value, not a probability."""


class Sentences:
    """All example sentences of a pack. Thread-safe after construction."""

    def __init__(self, examples: Iterable[tuple[str, str]], syllables: Syllables) -> None:
        """Take (intent, flattened sentence) pairs; equal sentences of one intent count once."""
        pairs = list(dict.fromkeys(examples))
        self._index = NGrams((sentence for _, sentence in pairs), syllables)
        self._names = tuple(sorted({intent for intent, _ in pairs}))
        self._weights = self._fit([intent for intent, _ in pairs]) if pairs else None

    def _fit(self, intents: list[str]) -> npt.NDArray[np.float32]:
        """Regression of one-against-the-rest targets on the cosine kernel: (K + ridge I) A = Y.

        K is (n, n) for n sentences, Y and A (n, intents). It takes a fraction of a second for some thousand sentences.
        """
        import numpy as np

        kernel = self._index.kernel()
        kernel[np.diag_indices(len(kernel))] += _RIDGE
        targets = np.zeros((len(kernel), len(self._names)), np.float32)
        targets[np.arange(len(kernel)), [self._names.index(intent) for intent in intents]] = 1
        return np.linalg.solve(kernel, targets).astype(np.float32)

    def near(self, text: str) -> list[Near]:
        """Every intent that the flattened `text` speaks for at all, likeliest first."""
        import numpy as np

        if self._weights is None:
            return []
        votes = self._index.likeness(text) @ self._weights
        order = np.argsort(-votes, kind="stable")
        return [Near(self._names[index], min(float(votes[index]), 1.0)) for index in order if votes[index] > 0.02]
