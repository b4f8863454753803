from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tiny_networks import AFFINE, HALVE, PAIR, tensor

from appliance.inference.batch import batching, fits, join, key, rows, split
from appliance.specs import ModelSpec, ShapeProfile


def test_how_a_spec_may_be_joined() -> None:
    how = batching(HALVE)
    assert how is not None
    assert (how.inputs, how.outputs, how.axis, how.profiles) == ((("x", 0),), (("y", 0),), "batch", HALVE.profiles)


@pytest.mark.parametrize(
    "spec",
    [
        replace(AFFINE, batch_axis=None),
        replace(AFFINE, profiles=()),
        replace(AFFINE, profiles=(ShapeProfile({}, {}, {}),)),
        PAIR,
        replace(AFFINE, inputs=(*AFFINE.inputs, tensor("rate", "int64"))),
    ],
    ids=["no axis", "no profile", "profile without the axis", "output without the axis", "input without the axis"],
)
def test_what_may_not_be_joined(spec: ModelSpec) -> None:
    assert batching(spec) is None


def test_as_many_rows_are_joined_as_one_profile_holds_of_that_size() -> None:
    narrow = ShapeProfile({"batch": 1, "width": 1}, {"batch": 4, "width": 8}, {"batch": 16, "width": 16})
    wide = ShapeProfile({"batch": 1, "width": 17}, {"batch": 1, "width": 32}, {"batch": 2, "width": 64})
    spec = ModelSpec(
        "strips",
        (tensor("x", "float32", "batch", "width"),),
        (tensor("y", "float32", "batch", "width"),),
        (narrow, wide),
        batch_axis="batch",
    )
    how = batching(spec)
    assert how is not None
    most = {
        width: max((n for n in range(1, 40) if fits(how, {"batch": 1, "width": width}, n)), default=0)
        for width in (1, 16, 17, 64, 65)
    }
    assert most == {1: 16, 16: 16, 17: 2, 64: 2, 65: 0}


def test_join_and_split_along_any_axis() -> None:
    spec = ModelSpec(
        "turned",
        (tensor("x", "float32", 2, "batch"), tensor("n", "int64", "batch")),
        (tensor("y", "float32", "time", 2, "batch"),),
        AFFINE.profiles,
        batch_axis="batch",
    )
    how = batching(spec)
    assert how is not None
    parts = [{"x": np.full((2, k), k, np.float32), "n": np.full(k, k)} for k in (1, 2, 1)]
    assert [rows(how, part) for part in parts] == [1, 2, 1]
    assert len({key(how, part) for part in parts}) == 1
    joined = join(how, parts)
    assert joined["x"].tolist() == [[1, 2, 2, 1]] * 2
    assert joined["n"].tolist() == [1, 2, 2, 1]
    outputs = split(how, {"y": np.stack([joined["x"]] * 3)}, [1, 2, 1])
    assert [part["y"].shape for part in outputs] == [(3, 2, 1), (3, 2, 2), (3, 2, 1)]
    assert all((part["y"] == k).all() for part, k in zip(outputs, (1, 2, 1), strict=True))


def test_the_key_tells_other_sizes_apart() -> None:
    how = batching(HALVE)
    assert how is not None
    shapes = [(1, 1, 8), (3, 1, 8), (1, 1, 9)]
    one, three, wide = (key(how, {"x": np.zeros(shape)}) for shape in shapes)
    assert one == three
    assert one != wide
