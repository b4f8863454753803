"""Mean and variance normalisation as FunASR ships it: am.mvn, the text of a Kaldi nnet1 with a shift and a scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from appliance.errors import ModelCorrupt, ModelMismatch, ModelMissing

_REMEDY = ("请使用与模型一同导出的 am.mvn", "Use the am.mvn that was exported with the model")
_LARGEST = 1 << 20
"""Bytes of the largest am.mvn that is read; that of 560 values has 11 kB."""


@dataclass(frozen=True, slots=True)
class Cmvn:
    """What brings features to mean 0 and variance 1: (features + shift) * scale."""

    shift: npt.NDArray[np.float32]
    """The negative means, shape (d,)."""
    scale: npt.NDArray[np.float32]
    """One over the standard deviations, shape (d,)."""

    def __call__(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Normalised `features`, shape (t, d), float32. Raises ModelMismatch for another width."""
        if features.shape[1:] != self.shift.shape:
            raise ModelMismatch(
                f"CMVN: expected features of width {len(self.shift)}, got {features.shape[1:]}", remedy=_REMEDY
            )
        return (features + self.shift) * self.scale


def read_cmvn(path: Path) -> Cmvn:
    """Read an am.mvn: `<AddShift>` and `<Rescale>`, each followed by `<LearnRateCoef> 0 [ numbers ]`.

    Raises ModelMissing without a file and ModelCorrupt, naming the part that is absent or malformed, for any other.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise ModelCorrupt(f"{path.name}: expected at most {_LARGEST} bytes, got more", remedy=_REMEDY)
        words = path.read_text("utf-8").split()
    except FileNotFoundError as error:
        raise ModelMissing(f"expected {path.name} beside the network, found none", remedy=_REMEDY) from error
    except UnicodeDecodeError as error:
        raise ModelCorrupt(
            f"{path.name}: expected the text of a Kaldi nnet, got binary data", remedy=_REMEDY
        ) from error
    if words[:1] != ["<Nnet>"]:
        raise ModelCorrupt(
            f"{path.name}: expected <Nnet> first, got {' '.join(words[:1]) or 'nothing'}", remedy=_REMEDY
        )
    return _paired(_component(words, "<AddShift>", path.name), _component(words, "<Rescale>", path.name), path.name)


def metadata_cmvn(metadata: Mapping[str, str], name: str) -> Cmvn:
    """The same from `neg_mean` and `inv_stddev`, as sherpa-onnx writes them into an ONNX file's metadata.

    Raises ModelCorrupt when one is absent or malformed.
    """
    found = []
    for key in ("neg_mean", "inv_stddev"):
        if key not in metadata:
            raise ModelCorrupt(f"{name}: expected {key} in its metadata, found none", remedy=_REMEDY)
        found.append(_numbers(metadata[key].split(","), f"{name}: {key}"))
    return _paired(found[0], found[1], name)


def write_cmvn(cmvn: Cmvn, path: Path) -> None:
    """Write `cmvn` as an am.mvn that `read_cmvn` reads. Raises OSError."""
    width = len(cmvn.shift)
    lines = [
        f"{name} {width} {width}\n<LearnRateCoef> 0 [ {' '.join(map(repr, values.tolist()))} ]\n"
        for name, values in (("<AddShift>", cmvn.shift), ("<Rescale>", cmvn.scale))
    ]
    path.write_text(f"<Nnet>\n<Splice> {width} {width}\n[ 0 ]\n{''.join(lines)}</Nnet>\n", "utf-8")


def _paired(shift: npt.NDArray[np.float32], scale: npt.NDArray[np.float32], name: str) -> Cmvn:
    if len(shift) != len(scale):
        raise ModelCorrupt(
            f"{name}: expected as many scales as shifts, got {len(scale)} and {len(shift)}", remedy=_REMEDY
        )
    return Cmvn(shift, scale)


def _component(words: list[str], name: str, file: str) -> npt.NDArray[np.float32]:
    """The numbers behind `<name> width width <LearnRateCoef> 0 [ ... ]`."""
    if words.count(name) != 1:
        raise ModelCorrupt(f"{file}: expected {name} once, found it {words.count(name)} times", remedy=_REMEDY)
    at = words.index(name)
    head, rest = words[at + 1 : at + 6], words[at + 6 :]
    fits = (
        len(head) == 5
        and head[0] == head[1]
        and len(head[0]) < 7
        and head[0].isdecimal()
        and head[2] == "<LearnRateCoef>"
    )
    if not fits or head[4] != "[" or "]" not in rest:
        raise ModelCorrupt(
            f"{file}: {name}: expected `N N <LearnRateCoef> 0 [ N numbers ]`, got {' '.join(head) or 'its end'}",
            remedy=_REMEDY,
        )
    values = _numbers(rest[: rest.index("]")], f"{file}: {name}")
    if len(values) != int(head[0]):
        raise ModelCorrupt(f"{file}: {name}: expected {head[0]} numbers, got {len(values)}", remedy=_REMEDY)
    return values


def _numbers(words: list[str], where: str) -> npt.NDArray[np.float32]:
    try:
        values = np.array([float(word) for word in words], np.float32)
    except ValueError as error:
        raise ModelCorrupt(f"{where}: expected numbers, got {error}", remedy=_REMEDY) from error
    if not len(values) or not np.isfinite(values).all():
        raise ModelCorrupt(
            f"{where}: expected finite numbers, got {len(values)}, not all of them finite", remedy=_REMEDY
        )
    return values
