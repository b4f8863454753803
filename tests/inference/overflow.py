"""A variant of a network that float32 computes to the same outputs and float16 cannot: made to overflow on purpose."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper
from PIL import Image

from appliance.artifacts.cases import Case

LINEAR = ("Identity", "Relu", "MaxPool", "Resize")
"""Operators that a positive factor passes through."""
KERNEL, FACTOR = "conv2d_170.w_0", 2.0**16
"""The head of PP-OCRv6's detector, and a factor that takes its 4 beyond what a half can hold: 280,013."""


def overflowing(source: Path, target: Path, kernel: str, factor: float) -> Path:
    """Write `source` with the convolution by `kernel` and the bias behind it times `factor`, a power of two.

    The next convolution is divided by it, which takes it out again without a rounding: only exponents change. Between
    the two there may be additions of biases and what `LINEAR` names, and nothing else may read the values. Returns
    `target`.
    """
    assert np.log2(factor).is_integer()
    model = onnx.load(str(source))
    weights = {tensor.name: tensor for tensor in model.graph.initializer}

    def multiply(name: str, by: float) -> None:
        array = numpy_helper.to_array(weights[name])
        weights[name].CopyFrom(numpy_helper.from_array(array * np.float32(by), name))

    (node,) = [node for node in model.graph.node if kernel in node.input]
    multiply(kernel, factor)
    while True:
        (node,) = [reader for reader in model.graph.node if node.output[0] in reader.input]
        if node.op_type in ("Conv", "ConvTranspose"):
            multiply(node.input[1], 1 / factor)
            break
        if node.op_type == "Add":
            multiply(next(name for name in node.input if name in weights), factor)
        else:
            assert node.op_type in LINEAR, node.op_type
    onnx.save(model, str(target))
    return target


def cropped(page: Case, area: tuple[int, int, int, int], folder: Path) -> Case:
    """A small `page` case: the lines within `area` (left, top, right, bottom), so that halves take seconds."""
    left, top, right, bottom = area
    lines: list[Mapping[str, Any]] = []
    for line in page.truth["lines"]:
        box = [[x - left, y - top] for x, y in line["box"]]
        if all(0 <= x <= right - left and 0 <= y <= bottom - top for x, y in box):
            lines.append({"text": line["text"], "box": box})
    assert lines
    path = folder / f"{page.path.stem}-{left}-{top}.png"
    Image.open(page.path).convert("RGB").crop(area).save(path)
    truth = {"width": right - left, "height": bottom - top, "photo": False, "lines": lines}
    return Case(path, "page", truth, page.licence)
