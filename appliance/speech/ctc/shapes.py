"""The ModelSpec of a brought network: its own names and sizes, with the lengths of sound that it is to serve."""

from __future__ import annotations

from collections.abc import Mapping

from appliance.errors import ModelMismatch
from appliance.inference.header import Header
from appliance.specs import Dim, ModelSpec, ShapeProfile, TensorSpec

AXES: Mapping[str, str] = {"sensevoice": "frames", "wav2vec2": "samples", "zipformer": "frames"}
"""The axis of time of each kind's first input."""
LENGTHS: Mapping[str, tuple[int, int, int]] = {
    # 60 ms each, and FunASR's export ends at 512 with four before: 0.3 s, 5 s and 30.3 s with the tail.
    "sensevoice": (5, 88, 508),
    "wav2vec2": (8_000, 84_800, 488_000),
    "zipformer": (50, 530, 3_050),
}
"""Least, usual and most of it."""


def spec_of(kind: str, header: Header, tokens: int, file: str) -> ModelSpec:
    """The spec of a network of `kind` in `file`, one recording at a time, with one class for each of the tokens.

    Raises ModelMismatch for a network of other sizes: a fixed length, or another number of classes.
    """
    axis = AXES[kind]
    first = header.signature.inputs[0]
    beside: tuple[Dim, ...] = (1, axis) if kind == "wav2vec2" else (1,)
    inputs = [TensorSpec(first.name, first.dtype, _front(first, axis, file))]
    inputs += [TensorSpec(one.name, one.dtype, beside) for one in header.signature.inputs[1:]]
    outputs = [_output(one, tokens, file) for one in header.signature.outputs]
    least, usual, most = LENGTHS[kind]
    profile = ShapeProfile({axis: least}, {axis: usual}, {axis: most})
    return ModelSpec(
        name=file,
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        profiles=(profile,),
        precisions=("fp32",),
        opset=header.opset,
    )


def _front(tensor: TensorSpec, axis: str, file: str) -> tuple[Dim, ...]:
    """The first input's shape with batch 1 and an open length."""
    batch, length, *rest = tensor.shape
    if isinstance(length, int) or (isinstance(batch, int) and batch != 1):
        raise ModelMismatch(
            f"{file}: expected {tensor.name} with an open length, got {list(tensor.shape)}",
            remedy=("请以可变长度重新导出", "Export it again with a dynamic length"),
        )
    return (1, axis, *rest)


def _output(tensor: TensorSpec, tokens: int, file: str) -> TensorSpec:
    """An output with batch 1 and as many classes as there are tokens; lengths are one number."""
    if tensor.dtype != "float32":
        return TensorSpec(tensor.name, tensor.dtype, (1,))
    classes = tensor.shape[-1] if tensor.shape else tokens
    if isinstance(classes, int) and classes != tokens:
        raise ModelMismatch(
            f"{file}: expected {tokens} classes, one for each token, got {classes}",
            remedy=("请使用与模型一同导出的词表", "Use the token list that was exported with the model"),
        )
    return TensorSpec(tensor.name, tensor.dtype, (1, "steps", tokens))
