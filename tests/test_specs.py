"""ModelSpec: what fits and what does not."""

from __future__ import annotations

import numpy as np
import pytest

from appliance.errors import InvalidInput
from appliance.specs import ModelSpec, ShapeProfile, TensorSpec

SPEC = ModelSpec(
    "toy",
    (TensorSpec("x", "float32", ("batch", 3, "width")), TensorSpec("n", "int64", ("batch",))),
    (TensorSpec("y", "float32", ("batch", "width")),),
    (ShapeProfile({"batch": 1, "width": 8}, {"batch": 2, "width": 16}, {"batch": 4, "width": 32}),),
)


def inputs(batch: int = 2, width: int = 16) -> dict[str, np.ndarray]:
    return {"x": np.zeros((batch, 3, width), np.float32), "n": np.zeros(batch, np.int64)}


def test_what_fits_passes_and_zeros_fit() -> None:
    SPEC.check(inputs())
    SPEC.check(SPEC.zeros())
    assert SPEC.zeros()["x"].shape == (2, 3, 16)
    assert SPEC.zeros({"batch": 1, "width": 8})["x"].shape == (1, 3, 8)


@pytest.mark.parametrize(
    "change, says",
    [
        ({"n": np.zeros(3, np.int64)}, "expected shape"),
        ({"n": np.zeros(2, np.int32)}, "expected dtype int64"),
        ({"x": np.zeros((2, 4, 16), np.float32)}, "expected shape"),
        ({"x": np.zeros((2, 16), np.float32)}, "expected 3 axes"),
        ({"z": np.zeros(1, np.float32)}, "expected inputs"),
    ],
)
def test_what_does_not_fit_is_said(change: dict[str, np.ndarray], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        SPEC.check(inputs() | change)
