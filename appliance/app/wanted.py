"""Engines that there may be, what became of them, and whether their gate lets them serve."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from appliance.artifacts.derived import network_path, place, record_of
from appliance.artifacts.engines import EngineRecord
from appliance.artifacts.manifest import Derivation
from appliance.artifacts.store import ModelStore
from appliance.errors import ApplianceError, GateRefused
from appliance.specs import ModelSpec


@dataclass(frozen=True, slots=True)
class Wanted:
    """An engine that there may be: one precision of one network."""

    model: str
    """Model name."""
    file: str
    """File of the network, as the manifest names it."""
    spec: ModelSpec
    """The network."""
    precision: str
    """fp32, fp16 or int8."""
    derivation: Derivation | None = None
    """What the precision's file is made by; None for the network's own file."""
    weak: bool = False
    """True when the builder chooses where halves are used."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one engine."""

    wanted: Wanted
    """The engine."""
    result: str
    """`built`, `present`, `refused` (by its gate) or `failed`."""
    record: EngineRecord | None = None
    """Its record; None when there is none."""
    error: ApplianceError | None = None
    """Why it was refused or failed."""


def source(models: ModelStore, wanted: Wanted) -> tuple[Path, str]:
    """The verified ONNX file and its sha256."""
    model, file, made = wanted.model, wanted.file, wanted.derivation
    if made is not None:
        record = record_of(models, model, file, made)
        return place(models, model, file, made), record.sha256
    path = network_path(models, model, file)
    prepared = models.manifest(model).prepared.get(file)
    if prepared is not None:
        return path, record_of(models, model, file, prepared).sha256
    return path, models.manifest(model).file(file).sha256


def refusal(wanted: Wanted, record: EngineRecord) -> GateRefused | None:
    """Why an engine must not serve: it scored too low, or by another metric than its gate asks for, or was not kept."""
    gate = wanted.spec.gate
    passes = gate is None or (record.metric == gate.metric and record.value >= gate.threshold)
    if passes and record.size:
        return None
    asked = f"{gate.metric} of at least {gate.threshold}" if gate else "no gate"
    return GateRefused(
        f"{wanted.spec.name} {wanted.precision}: expected an engine with {asked} on the model's cases, got "
        f"{record.metric or 'no metric'} {record.value}",
        remedy=(
            "由下一精度或 ONNX Runtime 继续服务；请把本机型号和 TensorRT 版本告知维护者",
            "The next precision or ONNX Runtime serves; tell the maintainers this board and its TensorRT version",
        ),
    )


def stands(wanted: Wanted, record: EngineRecord) -> bool:
    """True for a refusal that another build would only repeat: by the same metric, still below the threshold."""
    gate = wanted.spec.gate
    return gate is not None and record.metric == gate.metric and record.value < gate.threshold
