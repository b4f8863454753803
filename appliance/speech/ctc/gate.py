"""Task metric of a CTC network whatever it hears: how often it finds the class that was recorded of it.

For networks that have no words to be judged by (random weights, in tests of export and engines) or whose front end is
judged elsewhere. A case of kind `arrays` is an .npz with the network's inputs by name and `best`, the likeliest class
of each step, as the network gave them before it was quantised or built for another device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from appliance.artifacts.cases import Case
from appliance.errors import ManifestInvalid
from appliance.inference.backend import Run
from appliance.inference.signature import Arrays

BEST_PATH = "best_path"
_BEST = "best"


def best_path(run: Run, cases: Sequence[Case], folder: Path) -> float:
    """Share of the steps of all `arrays` cases at which the first output's likeliest class is the recorded one."""
    agreed = []
    for held in _held(cases):
        out = run({name: values for name, values in held.items() if name != _BEST})
        (logits,) = (values for values in out.values() if values.ndim == 3)
        found = logits[0].argmax(axis=1)
        if found.shape != held[_BEST].shape:
            return 0.0
        agreed.append(found == held[_BEST])
    return float(np.concatenate(agreed).mean()) if agreed else 0.0


def arrays_in(cases: Sequence[Case], folder: Path) -> Iterator[Arrays]:
    """The inputs of the `arrays` cases."""
    for held in _held(cases):
        yield {name: values for name, values in held.items() if name != _BEST}


def _held(cases: Sequence[Case]) -> Iterator[dict[str, npt.NDArray[Any]]]:
    for case in cases:
        if case.kind != "arrays":
            continue
        try:
            with np.load(case.path, allow_pickle=False) as held:
                found = {name: held[name] for name in held.files}
        except (OSError, ValueError) as error:
            raise ManifestInvalid(f"{case.path.name}: expected an .npz of arrays, got {error}") from error
        if _BEST not in found:
            raise ManifestInvalid(f"{case.path.name}: expected an array `{_BEST}`, got {', '.join(found)}")
        yield found


METRICS: Mapping[str, Callable[[Run, Sequence[Case], Path], float]] = {BEST_PATH: best_path}
"""Metrics by the names that manifests use."""
FEEDS: Mapping[str, Callable[[Sequence[Case], Path], Iterator[Arrays]]] = {BEST_PATH: arrays_in}
"""What makes the inputs of the networks that these metrics are of."""
