"""An inverted index in few arrays: for each feature the texts that have it, and what it counts in each.

Twenty thousand rows of questions may have a million features: Python objects for each would take far more memory than
the index itself.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]
    Numbers = npt.NDArray[np.int32]


class Gathering:
    """Features of texts as they come, before it is known what each counts."""

    def __init__(self) -> None:
        self.texts = 0
        """How many texts there are so far."""
        self._known: dict[str, int] = {}
        self._features, self._owners, self._amounts = array("i"), array("i"), array("f")

    def add(self, bag: Mapping[str, float]) -> None:
        """The next text: how much of each feature it has."""
        known = self._known
        for feature, amount in bag.items():
            self._features.append(known.setdefault(feature, len(known)))
            self._owners.append(self.texts)
            self._amounts.append(amount)
        self.texts += 1

    def columns(self) -> tuple[Numbers, Numbers, Floats]:
        """Feature, text and amount of every pair of a feature and a text that has it."""
        import numpy as np

        def column(values: array[int] | array[float], kind: type[np.generic]) -> Any:
            return np.frombuffer(values, kind) if values else np.empty(0, kind)

        return (
            column(self._features, np.int32),
            column(self._owners, np.int32),
            column(self._amounts, np.float32),
        )

    def having(self) -> npt.NDArray[np.int64]:
        """How many texts have each feature."""
        import numpy as np

        return np.bincount(self.columns()[0], minlength=len(self._known))

    def packed(self, values: npt.NDArray[np.float64]) -> Postings:
        """The index, `values` being what each pair of `columns` counts."""
        import numpy as np

        features, owners, _ = self.columns()
        order = np.argsort(features, kind="stable")
        ends = np.cumsum(self.having())
        return Postings(self._known, np.concatenate([[0], ends]), owners[order], values[order].astype(np.float32))


class Postings:
    """The finished index. Never changes."""

    def __init__(
        self, known: Mapping[str, int], starts: npt.NDArray[np.int64], owners: Numbers, values: Floats
    ) -> None:
        """Take the numbers of features, where each one's texts begin, the texts, and what it counts in each."""
        self._known, self._starts, self._owners, self._values = known, starts, owners, values

    def number(self, feature: str) -> int | None:
        """The feature's number, None for one that no text has."""
        return self._known.get(feature)

    def of(self, number: int) -> tuple[Numbers, Floats]:
        """Texts that have feature `number`, and what it counts in each."""
        inside = slice(int(self._starts[number]), int(self._starts[number + 1]))
        return self._owners[inside], self._values[inside]

    def __iter__(self) -> Iterator[tuple[Numbers, Floats]]:
        return (self.of(number) for number in range(len(self._starts) - 1))
