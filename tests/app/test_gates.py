"""The registry of task metrics fits every shipped manifest, and refuses a detector that was made to overflow."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from appliance.app.derive import feeds as feeds_of
from appliance.app.derive import proved, running
from appliance.app.gates import FEEDS, METRICS, feeds, score
from appliance.artifacts.cases import Case
from appliance.artifacts.derived import network_path
from appliance.artifacts.manifest import Derivation, Manifest, load_manifests, shipped_root
from appliance.artifacts.store import ModelStore
from appliance.errors import GateRefused, ManifestInvalid, ModelCorrupt, ModelMissing
from appliance.inference.quantise import RECIPES, half
from appliance.language import gate as language
from appliance.settings import data_dir, load_settings
from appliance.specs import Gate, ModelSpec, TensorSpec
from tests.inference.overflow import FACTOR, KERNEL, cropped, overflowing

MANIFESTS = load_manifests(shipped_root())
NETWORKS = [(model, file) for model, manifest in MANIFESTS.items() for file in manifest.networks]
HALVES, DYNAMIC = (Derivation("fp16", "half", "tensorrt"), Derivation("int8", "dynamic", "onnxruntime-cpu"))


def test_metrics_and_feeds_have_the_same_names_and_every_shipped_gate_is_among_them() -> None:
    assert set(METRICS) == set(FEEDS)
    named = {spec.gate.metric for manifest in MANIFESTS.values() for spec in manifest.networks.values() if spec.gate}
    # `best_path` is for recognisers that are brought: none of them comes with the appliance.
    assert named == set(METRICS) - {"best_path"}
    assert all(
        made.recipe in RECIPES for manifest in MANIFESTS.values() for d in manifest.derived.values() for made in d
    )


@pytest.mark.parametrize(("model", "file"), NETWORKS)
def test_every_network_is_fed_what_it_takes(model: str, file: str) -> None:
    """Of the dtypes and shapes that the spec names, within a profile; the files beside the network lie in git."""
    manifest = MANIFESTS[model]
    spec = manifest.network(file)
    fed = list(feeds(spec, manifest.cases(), manifest.home))
    assert len(fed) >= 3
    for feed in fed:
        spec.check(feed)
        assert spec.profile_of(spec.sizes(feed)) is not None, spec.sizes(feed)


def test_a_network_is_measured_by_the_metric_of_its_gate(tmp_path: Path) -> None:
    """Whatever room the metric is of: run, cases and folder."""
    manifest = MANIFESTS["silero-vad"]
    heard: list[int] = []

    def never(
        inputs: Mapping[str, npt.NDArray[Any]], /, *, deadline: float | None = None
    ) -> dict[str, npt.NDArray[Any]]:
        heard.append(len(inputs["input"]))
        return {"speech_probs": np.zeros(len(inputs["input"]), np.float32), "hn": inputs["h"], "cn": inputs["c"]}

    value = score(never, manifest.network("vad.onnx"), manifest.cases(), tmp_path)
    assert sum(heard) > 500
    assert 0.5 < value < 0.7, "silence is right where nobody speaks"


def test_sentences_come_to_the_metrics_of_language_by_themselves() -> None:
    manifest = MANIFESTS["entities-zh"]
    rows = [row for case in manifest.cases() for row in language.samples(case.path)]
    assert len(list(feeds(manifest.network("tagger.onnx"), manifest.cases(), manifest.home))) == len(rows)


def test_a_metric_that_is_none_is_named_and_no_gate_measures_nothing() -> None:
    bare = ModelSpec("small/net", (TensorSpec("x", "float32", (1,)),), (TensorSpec("y", "float32", (1,)),))
    ugly = replace(bare, gate=Gate("beauty", 0.5))
    wanted = "small/net: expected a metric of intent_accuracy, .*character_accuracy, got beauty"

    def run(inputs: object, /, *, deadline: float | None = None) -> dict[str, npt.NDArray[Any]]:
        raise AssertionError("nothing to be measured")

    for ask in (lambda: score(run, ugly, (), Path()), lambda: feeds(ugly, (), Path())):
        with pytest.raises(ManifestInvalid, match=wanted):
            ask()
    assert score(run, bare, (), Path()) == 0.0
    assert list(feeds(bare, (), Path())) == []


def installed(file: str) -> Path:
    """A network of pp-ocrv6-small."""
    store = ModelStore(data_dir(load_settings()) / "models", MANIFESTS)
    try:
        return network_path(store, "pp-ocrv6-small", file)
    except (ModelMissing, ModelCorrupt) as error:
        sentence = f"{error.detail}: run `appliance models pull pp-ocrv6-small`"
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)


@pytest.fixture(scope="module")
def detector() -> Path:
    return installed("detector.onnx")


@pytest.fixture
def small(tmp_path: Path) -> tuple[Manifest, tuple[Case, ...]]:
    """The detector's manifest and, of its cases, two lines of one page."""
    manifest = MANIFESTS["pp-ocrv6-small"]
    (tag,) = [case for case in manifest.cases() if case.path.stem == "shelf-tag"]
    return manifest, (cropped(tag, (20, 90, 240, 200), tmp_path),)


def test_a_detector_made_to_overflow_is_refused_by_its_ranges_and_by_nothing_else_here(
    detector: Path, small: tuple[Manifest, tuple[Case, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In float32 it is the same detector to the last bit, and ONNX Runtime's CPU gives its fp16 file full marks."""
    manifest, cases = small
    spec = manifest.network("detector.onnx")
    made = overflowing(detector, tmp_path / "overflowing.onnx", KERNEL, FACTOR)
    (feed,) = feeds(spec, cases, manifest.home)
    with running(spec, detector) as honest, running(spec, made) as inflated:
        np.testing.assert_array_equal(honest(feed)["fetch_name_0"], inflated(feed)["fetch_name_0"])
    half(made, tmp_path / "half.onnx")
    with running(spec, tmp_path / "half.onnx") as run:
        assert score(run, spec, cases, manifest.home) == 1.0, "this score is why there is a range check"

    monkeypatch.setattr(Manifest, "cases", lambda self: cases)
    assert len(list(feeds_of(spec, manifest, manifest.home))) == 1
    proved(spec, manifest, manifest.home, detector, HALVES)
    proved(spec, manifest, manifest.home, made, DYNAMIC)
    with pytest.raises(GateRefused, match=r"overflowing\.onnx: expected values of at most 16376 .*, got .* [12]\d{5},"):
        proved(spec, manifest, manifest.home, made, HALVES)


RUNS = """
import sys
from pathlib import Path
from appliance.app.derive import running
from appliance.specs import ModelSpec, ShapeProfile, TensorSpec
outputs = [TensorSpec(name, kind, (1, "steps", 5)) for name, kind in (("ids", "int32"), ("logprobs", "float32"))]
profile = ShapeProfile({"width": 96}, {"width": 96}, {"width": 96})
spec = ModelSpec("r", (TensorSpec("x", "float32", (1, 3, 48, "width")),), tuple(outputs), (profile,))
with running(spec, Path(sys.argv[1])) as run:
    print(run(spec.zeros())["ids"].shape)
"""


def test_a_float16_file_can_be_scored_by_the_oldest_onnx_runtime(tmp_path: Path) -> None:
    """1.23.2 fails at what it makes of the recogniser's layer normalisations, unless it is told to leave them."""
    python = Path(f"{sys.prefix}-ort1232") / "bin" / "python"
    if not python.exists():
        pytest.fail(f"no ONNX Runtime 1.23.2 at {python}: make .venv-ort1232/.done")
    half(installed("recogniser.topk.onnx"), tmp_path / "half.onnx")
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [python, "-c", RUNS, tmp_path / "half.onnx"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
    assert done.stdout == "(1, 12, 5)\n", done.stderr[-2000:]
