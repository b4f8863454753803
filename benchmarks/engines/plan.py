"""What there is to measure: networks, precisions, backends and shapes, and why a backend cannot be measured here."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.app.engines import BACKEND as TENSORRT
from appliance.app.engines import Engines
from appliance.app.wanted import Wanted
from appliance.artifacts.store import ModelStore
from appliance.errors import ApplianceError
from appliance.inference.onnxruntime import CUDA, library
from appliance.specs import ModelSpec

CUDA_BACKEND, CPU_BACKEND = "onnxruntime-cuda", "onnxruntime-cpu"
BACKENDS = (TENSORRT, CUDA_BACKEND, CPU_BACKEND)
ON_HARDWARE = (TENSORRT, CUDA_BACKEND)
"""Backends that only an accelerator can be measured with."""
ITSELF = "fp32"
"""Precision of a network's own file."""
GPUS = ("nvidiactl", "nvhost-gpu", "nvgpu")
"""Device files of a graphics card and of a Jetson's GPU under JetPack 5 and 6."""

Refusal = Callable[[str], str]
"""A backend's name to why it cannot be measured on this machine; empty when it can."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One row: a network in one precision on one backend."""

    model: str
    """Model name."""
    file: str
    """File of the network, as the manifest names it."""
    network: str
    """Name of the network."""
    backend: str
    """One of BACKENDS."""
    precision: str
    """fp32, fp16 or int8."""

    @property
    def label(self) -> str:
        """Backend and precision."""
        return f"{self.backend} {self.precision}"


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes at which a network is timed."""

    kind: str
    """`minimum`, `optimum` or `maximum` of a profile."""
    sizes: dict[str, int]
    """Size of every dynamic axis; empty for a network of one shape."""
    profile: int
    """Number of the first profile that holds them, which is the one that serves them."""


def networks(engines: Engines, models: ModelStore, names: Collection[str] = ()) -> list[Wanted]:
    """One of each network (of `names`: MODEL or MODEL/NETWORK) that is installed or should be, in the manifests' order.

    Raises InvalidInput for a name that no network has.
    """
    found = {(wanted.model, wanted.file): wanted for wanted in engines.wanted(names)}
    here = {
        name
        for name in {model for model, _ in found}
        if models.manifest(name).default or models.state(name).state == "installed"
    }
    return [wanted for (model, _), wanted in found.items() if model in here]


def subjects(engines: Engines, models: ModelStore, network: Wanted, backends: Sequence[str]) -> list[Subject]:
    """The rows of one network: on each backend what is made for it, then the file itself."""
    made = models.manifest(network.model).derived.get(network.file, ())
    found = []
    for backend in backends:
        if backend == TENSORRT:
            of_model = engines.wanted((network.spec.name,))
            precisions = [wanted.precision for wanted in of_model if wanted.file == network.file]
        else:
            precisions = [*(each.precision for each in made if each.backend == backend), ITSELF]
        found += [
            Subject(network.model, network.file, network.spec.name, backend, precision)
            for precision in dict.fromkeys(precisions)
        ]
    return found


def shapes(spec: ModelSpec) -> list[Shape]:
    """Smallest, usual and largest sizes of every profile, each sizes once."""
    found: dict[tuple[tuple[str, int], ...], Shape] = {}
    for number, profile in enumerate(spec.profiles):
        for kind in ("minimum", "optimum", "maximum"):
            sizes = dict(getattr(profile, kind))
            serving = spec.profile_of(sizes)
            found.setdefault(tuple(sizes.items()), Shape(kind, sizes, number if serving is None else serving))
    return list(found.values()) or [Shape("optimum", {}, 0)]


def refusals(engines: Engines, root: Path = Path("/")) -> Refusal:
    """What says of each backend why it cannot be measured here; asked once for each."""
    known: dict[str, str] = {}

    def refusal(backend: str) -> str:
        if backend not in known:
            known[backend] = {TENSORRT: lambda: _no_tensorrt(engines), CUDA_BACKEND: lambda: _no_cuda(root)}.get(
                backend, lambda: ""
            )()
        return known[backend]

    return refusal


def _no_tensorrt(engines: Engines) -> str:
    try:
        engines.facts()
    except ApplianceError as error:
        return error.detail
    return ""


def _no_cuda(root: Path) -> str:
    try:
        offered = library().get_available_providers()
    except ApplianceError as error:
        return error.detail
    if CUDA not in offered:
        return f"onnxruntime: expected {CUDA}, got a library that offers only {', '.join(offered)}"
    if not any((root / "dev" / name).exists() for name in GPUS):
        return f"onnxruntime: expected an NVIDIA GPU, got none of {', '.join(f'/dev/{name}' for name in GPUS)}"
    return ""
