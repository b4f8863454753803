"""Outputs of a network that are no numbers, as an accelerator's halves may give them."""

from __future__ import annotations

import numpy as np

from appliance.errors import BackendFailed
from appliance.inference.backend import Backend
from appliance.inference.signature import Arrays
from appliance.specs import ModelSpec


class NotFinite(BackendFailed):
    """Outputs that are no numbers."""


def check_finite(spec: ModelSpec, backend: Backend, outputs: Arrays) -> None:
    """Raises NotFinite where an output holds what is no number: halves that overflowed, mostly."""
    for name, array in outputs.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise NotFinite(f"{spec.name} on {backend.name}: expected finite outputs, got {name} with others")
