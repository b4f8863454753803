"""What lies in models/: manifests, cards, licences and cases, and the networks where they are installed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from appliance.artifacts.manifest import Manifest, load_manifests, shipped_root
from appliance.artifacts.sources import Shipped, Wheel
from appliance.artifacts.store import ModelStore
from appliance.settings import data_dir, load_settings

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
    assert len(shipped.removesuffix("\n").split("\n")) == 18_708


@pytest.mark.models
@pytest.mark.parametrize(
    "name, file", [(name, file) for name, manifest in SHIPPED.items() for file in manifest.networks]
)
def test_networks_are_what_the_specs_say(store: ModelStore, name: str, file: str) -> None:
    import onnxruntime

    spec = SHIPPED[name].network(file)
    session = onnxruntime.InferenceSession(str(store.path(name, file)), providers=["CPUExecutionProvider"])
    assert [one.name for one in session.get_inputs()] == [one.name for one in spec.inputs]
    assert [one.name for one in session.get_outputs()] == [one.name for one in spec.outputs]
    profile = spec.profiles[0]
    usual = {"frames": 3, "batch": profile.maximum.get("batch", 1), "height": 64, "width": 96, "sequence": 7}
    for sizes in (profile.minimum, usual):
        inputs = spec.zeros(sizes)
        spec.check(inputs)
        axes = dict(sizes)
        for tensor, array in zip(spec.outputs, session.run(None, inputs), strict=True):
            tensor.check(array, axes)


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
