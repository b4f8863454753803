"""From a manifest's `networks` section to a ModelSpec."""

from __future__ import annotations

from appliance.artifacts.schema import Section
from appliance.settings import BACKENDS
from appliance.specs import DTYPES, Dim, Gate, ModelSpec, ShapeProfile, TensorSpec

PRECISIONS = ("fp32", "fp16", "int8")


def read_network(section: Section, name: str) -> ModelSpec:
    """Read one network. Raises ManifestInvalid for unknown keys, dtypes, axes without a profile or sizes that fall."""
    inputs = tuple(_tensor(item) for item in section.sections("inputs"))
    outputs = tuple(_tensor(item) for item in section.sections("outputs"))
    axes = {dim for tensor in inputs for dim in tensor.shape if isinstance(dim, str)}
    profiles = tuple(_profile(item, axes) for item in section.sections("profiles")) if "profiles" in section else ()
    if axes and not profiles:
        raise section.invalid("profiles", f"expected a profile for the axes {', '.join(sorted(axes))}, found none")
    batch = section.text("batch_axis") if "batch_axis" in section else None
    if batch is not None and batch not in axes:
        raise section.invalid("batch_axis", f"expected one of {', '.join(sorted(axes))}; got {batch}")
    precisions = tuple(str(item) for item in section.items("precisions"))
    if not set(precisions) <= set(PRECISIONS):
        raise section.invalid("precisions", f"expected some of {', '.join(PRECISIONS)}; got {', '.join(precisions)}")
    backends = tuple(str(item) for item in section.items("backends")) if "backends" in section else ()
    if not set(backends) <= set(BACKENDS):
        raise section.invalid("backends", f"expected some of {', '.join(BACKENDS)}; got {', '.join(backends)}")
    spec = ModelSpec(
        name=name,
        inputs=inputs,
        outputs=outputs,
        profiles=profiles,
        precisions=precisions,
        batch_axis=batch,
        gate=_gate(section.section("gate")) if "gate" in section else None,
        opset=section.whole("opset"),
        backends=backends,
    )
    for key in ("prepared", "derived"):  # read by `manifest`: how files are made is no matter of the network
        if key in section:
            section.get(key)
    section.done()
    return spec


def _tensor(section: Section) -> TensorSpec:
    shape: list[Dim] = []
    for dim in section.items("shape"):
        fixed = isinstance(dim, int) and not isinstance(dim, bool) and dim > 0
        if not fixed and not (isinstance(dim, str) and dim.isidentifier()):
            raise section.invalid("shape", f"expected sizes above 0 or axis names, got {dim!r}")
        shape.append(dim)  # type: ignore[arg-type]  # narrowed above
    tensor = TensorSpec(section.text("name"), section.text("dtype", tuple(DTYPES)), tuple(shape))
    section.done()
    return tensor


def _profile(section: Section, axes: set[str]) -> ShapeProfile:
    sizes: dict[str, dict[str, int]] = {}
    for part in ("minimum", "optimum", "maximum"):
        inner = section.section(part)
        sizes[part] = {axis: inner.whole(axis) for axis in sorted(axes)}
        inner.done()
    for axis in sorted(axes):
        low, usual, high = (sizes[part][axis] for part in ("minimum", "optimum", "maximum"))
        if not low <= usual <= high:
            raise section.invalid(axis, f"expected minimum <= optimum <= maximum, got {low}, {usual}, {high}")
    section.done()
    return ShapeProfile(sizes["minimum"], sizes["optimum"], sizes["maximum"])


def _gate(section: Section) -> Gate:
    gate = Gate(section.text("metric"), section.number("threshold"))
    section.done()
    return gate
