"""The ONNX operators of the shipped networks in torch, each in the type of the tensors that it is given.

Nothing is widened on the way: two float16 tensors are multiplied as halves, which ONNX Runtime's CPU never does. Only
what the shipped graphs use is here, in the meanings of opset 11 to 18.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

Operator = Callable[..., Any]
"""Inputs (None where one is left out), then the attributes and `opset` by name; a tensor, or several."""

TYPES: Mapping[int, torch.dtype] = {
    1: torch.float32,
    2: torch.uint8,
    3: torch.int8,
    6: torch.int32,
    7: torch.int64,
    9: torch.bool,
    10: torch.float16,
    11: torch.float64,
}
"""Element types by ONNX's numbers."""


def _whole(tensor: Tensor) -> list[int]:
    return [int(value) for value in tensor.flatten().tolist()]


def _pads(x: Tensor, kernel: Sequence[int], named: Mapping[str, Any]) -> tuple[Tensor, list[int], list[int]]:
    """`x` padded as ONNX says, the strides and the dilations."""
    size = len(kernel)
    strides, dilations = (list(named.get(name, [1] * size)) for name in ("strides", "dilations"))
    mode = named.get("auto_pad", b"NOTSET").decode()
    pads = list(named.get("pads", [0] * 2 * size))
    if mode.startswith("SAME"):
        for axis in range(size):
            length = x.shape[2 + axis]
            reach = (math.ceil(length / strides[axis]) - 1) * strides[axis] + (kernel[axis] - 1) * dilations[axis] + 1
            total = max(0, reach - length)
            less, more = total // 2, total - total // 2
            pads[axis], pads[size + axis] = (less, more) if mode == "SAME_UPPER" else (more, less)
    both = [pad for axis in reversed(range(size)) for pad in (pads[axis], pads[size + axis])]
    fill = named.get("fill", 0.0)
    return functional.pad(x, both, value=fill) if any(both) else x, strides, dilations


def conv(x: Tensor, weight: Tensor, bias: Tensor | None = None, /, **named: Any) -> Tensor:
    """Conv in one or two dimensions."""
    padded, strides, dilations = _pads(x, weight.shape[2:], named)
    run = functional.conv1d if weight.dim() == 3 else functional.conv2d
    return run(padded, weight, bias, strides, 0, dilations, named.get("group", 1))


def conv_transpose(x: Tensor, weight: Tensor, bias: Tensor | None = None, /, **named: Any) -> Tensor:
    """ConvTranspose in two dimensions, with padding that is the same on both sides."""
    pads = named.get("pads", [0, 0, 0, 0])
    if named.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID") or pads[:2] != pads[2:]:
        raise NotImplementedError(f"ConvTranspose with pads {pads} and auto_pad {named.get('auto_pad')}")
    more, strides = named.get("output_padding", [0, 0]), named.get("strides", [1, 1])
    dilations = named.get("dilations", [1, 1])
    return functional.conv_transpose2d(x, weight, bias, strides, pads[:2], more, named.get("group", 1), dilations)


def max_pool(x: Tensor, /, **named: Any) -> Tensor:
    """MaxPool in two dimensions."""
    kernel = named["kernel_shape"]
    if named.get("ceil_mode"):
        raise NotImplementedError("MaxPool with ceil_mode")
    padded, strides, dilations = _pads(x, kernel, {**named, "fill": -math.inf})
    return functional.max_pool2d(padded, kernel, strides, 0, dilations)


def average_pool(x: Tensor, /, **named: Any) -> Tensor:
    """AveragePool in two dimensions, of windows that lie inside."""
    if any(named.get("pads", [0])) or named.get("ceil_mode") or named.get("auto_pad", b"NOTSET") == b"SAME_UPPER":
        raise NotImplementedError("AveragePool with padding or ceil_mode")
    return functional.avg_pool2d(x, named["kernel_shape"], named.get("strides", [1, 1]))


_NEAREST = {
    "mode": b"nearest",
    "coordinate_transformation_mode": b"half_pixel",
    "nearest_mode": b"round_prefer_floor",
}
_REPEATING = {("nearest", "half_pixel", "round_prefer_floor"), ("nearest", "asymmetric", "floor")}
"""Ways of resizing by a whole number that repeat every pixel as many times."""


def resize(x: Tensor, roi: Any = None, scales: Any = None, sizes: Any = None, /, **named: Any) -> Tensor:
    """Resize to the nearest, each pixel repeated a whole number of times."""
    wanted = (
        _whole(sizes)[2:] if sizes is not None else [int(n * s) for n, s in zip(x.shape[2:], scales[2:], strict=True)]
    )
    times = [to / of for to, of in zip(wanted, x.shape[2:], strict=True)]
    how = tuple(named.get(name, usual).decode() for name, usual in _NEAREST.items())
    if how not in _REPEATING or not all(time.is_integer() for time in times):
        raise NotImplementedError(f"Resize by {times} with {', '.join(how)}")
    for axis, time in enumerate(times):
        x = x.repeat_interleave(int(time), 2 + axis)
    return x


def batch_normalization(
    x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, variance: Tensor, /, **named: Any
) -> Tensor:
    """BatchNormalization as it is when serving."""
    return functional.batch_norm(x, mean, variance, scale, bias, False, 0.0, named.get("epsilon", 1e-5))


def layer_normalization(x: Tensor, scale: Tensor, bias: Tensor | None = None, /, **named: Any) -> Tensor:
    """LayerNormalization over the axes from `axis` on."""
    return functional.layer_norm(x, x.shape[named.get("axis", -1) :], scale, bias, named.get("epsilon", 1e-5))


def gemm(a: Tensor, b: Tensor, c: Tensor | None = None, /, **named: Any) -> Tensor:
    """Gemm."""
    product = (a.T if named.get("transA") else a) @ (b.T if named.get("transB") else b)
    product = product * named["alpha"] if named.get("alpha", 1.0) != 1.0 else product
    return product if c is None else product + (c * named["beta"] if named.get("beta", 1.0) != 1.0 else c)


def reshape(x: Tensor, shape: Tensor, /, **named: Any) -> Tensor:
    """Reshape; a 0 keeps the size unless `allowzero`."""
    wanted = _whole(shape)
    if not named.get("allowzero"):
        wanted = [size or x.shape[at] for at, size in enumerate(wanted)]
    return x.reshape(wanted)


def slice_(
    x: Tensor, starts: Tensor, ends: Tensor, axes: Tensor | None = None, steps: Tensor | None = None, /, **named: Any
) -> Tensor:
    """Slice with steps forwards."""
    first, last = _whole(starts), _whole(ends)
    over = _whole(axes) if axes is not None else list(range(len(first)))
    by = _whole(steps) if steps is not None else [1] * len(first)
    for start, end, axis, step in zip(first, last, over, by, strict=True):
        if step < 0:
            raise NotImplementedError("Slice with steps backwards")
        size = x.shape[axis]
        at = [min(max(size + edge if edge < 0 else edge, 0), size) for edge in (start, end)]
        x = x.narrow(axis, at[0], max(0, at[1] - at[0]))
        if step > 1:
            x = x.index_select(axis, torch.arange(0, x.shape[axis], step))
    return x


def _axes(named: Mapping[str, Any], axes: Tensor | None) -> list[int]:
    return _whole(axes) if axes is not None else list(named.get("axes", []))


def squeeze(x: Tensor, axes: Tensor | None = None, /, **named: Any) -> Tensor:
    """Squeeze."""
    over = _axes(named, axes)
    return x.squeeze(tuple(over)) if over else x.squeeze()


def unsqueeze(x: Tensor, axes: Tensor | None = None, /, **named: Any) -> Tensor:
    """Unsqueeze; axes count in the result."""
    over = _axes(named, axes)
    for axis in sorted(axis % (x.dim() + len(over)) for axis in over):
        x = x.unsqueeze(axis)
    return x


def _reduced(run: Callable[..., Tensor]) -> Operator:
    def reduce(x: Tensor, axes: Tensor | None = None, /, **named: Any) -> Tensor:
        over = _axes(named, axes) or list(range(x.dim()))
        return run(x, dim=over, keepdim=bool(named.get("keepdims", 1)))

    return reduce


def _along(run: Callable[..., Tensor]) -> Operator:
    """A softmax; before opset 13 over all axes from `axis` on, which is the last one in the shipped graphs."""

    def normalise(x: Tensor, /, *, opset: int, axis: int | None = None) -> Tensor:
        chosen = (1 if opset < 13 else -1) if axis is None else axis
        if opset < 13 and chosen % x.dim() != x.dim() - 1:
            raise NotImplementedError(f"a softmax of opset {opset} over axis {chosen} of {x.dim()}")
        return run(x, dim=chosen)

    return normalise


def _plain(run: Callable[..., Any]) -> Operator:
    return lambda *inputs, **named: run(*inputs)


OPERATORS: Mapping[str, Operator] = {
    "Add": _plain(torch.add),
    "AveragePool": average_pool,
    "BatchNormalization": batch_normalization,
    "Cast": lambda x, **named: x.to(TYPES[named["to"]]),
    "Clip": lambda x, low=None, high=None, **named: torch.clamp(x, low, high),
    "Concat": lambda *inputs, **named: torch.cat(inputs, named["axis"]),
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "Div": lambda a, b, **named: a / b if a.is_floating_point() else torch.div(a, b, rounding_mode="trunc"),
    "Erf": _plain(torch.erf),
    "Expand": lambda x, shape, **named: x.expand(torch.broadcast_shapes(x.shape, tuple(_whole(shape)))),
    "Gather": lambda x, at, **named: gather(x, at, named.get("axis", 0)),
    "Gemm": gemm,
    "GlobalAveragePool": lambda x, **named: x.mean(dim=tuple(range(2, x.dim())), keepdim=True),
    "HardSigmoid": lambda x, **named: (x * named.get("alpha", 0.2) + named.get("beta", 0.5)).clamp(0, 1),
    "Identity": _plain(lambda x: x),
    "LayerNormalization": layer_normalization,
    "LogSoftmax": _along(torch.log_softmax),
    "MatMul": _plain(torch.matmul),
    "Max": _plain(torch.maximum),
    "MaxPool": max_pool,
    "Mul": _plain(torch.mul),
    "Pow": lambda x, by, **named: x.pow(by.to(x.dtype)),
    "ReduceL2": _reduced(lambda x, **over: torch.linalg.vector_norm(x, **over)),
    "ReduceMean": _reduced(torch.mean),
    "ReduceSum": _reduced(torch.sum),
    "Relu": _plain(torch.relu),
    "Reshape": reshape,
    "Resize": resize,
    "Shape": lambda x, **named: torch.tensor(x.shape[named.get("start", 0) : named.get("end")], dtype=torch.int64),
    "Sigmoid": _plain(torch.sigmoid),
    "Slice": slice_,
    "Softmax": _along(torch.softmax),
    "Sqrt": _plain(torch.sqrt),
    "Squeeze": squeeze,
    "Sub": _plain(torch.sub),
    "TopK": lambda x, k, **named: torch.topk(x, int(k), named.get("axis", -1), bool(named.get("largest", 1))),
    "Transpose": lambda x, **named: x.permute(named.get("perm", list(reversed(range(x.dim()))))),
    "Unsqueeze": unsqueeze,
    "Where": _plain(torch.where),
}
"""Operators by their ONNX names."""


def gather(x: Tensor, at: Tensor, axis: int) -> Tensor:
    """Slices of `x` at the indices `at`, which may count from the end."""
    flat = at.flatten().long()
    flat = torch.where(flat < 0, flat + x.shape[axis], flat)
    axis %= x.dim()
    return x.index_select(axis, flat).reshape(*x.shape[:axis], *at.shape, *x.shape[axis + 1 :])
