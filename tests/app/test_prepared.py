"""A recogniser that is made of a fetched file where its model is installed: by a small network that really reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import yaml
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from typer.testing import CliRunner, Result

from appliance.app.derive import derive, prepare
from appliance.app.networks import Networks
from appliance.app.senses import RECOGNISER, build_reader
from appliance.artifacts.derived import PREPARED_REVISION, network_path, place, record_of
from appliance.artifacts.store import ModelStore
from appliance.cli import models as command
from appliance.cli.exits import Exit
from appliance.errors import BackendFailed, GateRefused, ManifestInvalid, ModelCorrupt, ModelMismatch, ModelMissing
from appliance.inference.onnxruntime import OnnxRuntimeBackend
from appliance.inference.scheduler import Scheduler
from appliance.listener import silent
from appliance.settings import Settings
from appliance.vision.recognise import alphabet, recognise
from tests.app.test_derive import Heard, flipped, shelf

Document = dict[str, Any]

NAME, SOURCE = "pp-ocrv6-small", "recogniser.onnx"
SHADES = {"": 1.0, "甲": -0.4, "乙": -1.0, "丙": 0.4, " ": 9.0}
"""Text of each class and the brightness of the columns that it stands for, from black (-1) to white (1)."""
BANDS = ("", "甲", "", "乙", "丙")
"""What is written on the one line of the cases, a band of 32 columns each: it reads 甲乙丙."""
HALF = {"precision": "fp16", "recipe": "half", "backend": "onnxruntime-cuda"}


def recogniser(path: Path, classes: Mapping[str, float] = SHADES, end: str = "Softmax") -> None:
    """A recogniser at `path`: the likeliest class is the one whose shade is nearest to that of eight columns."""
    shades = np.array(list(classes.values()), np.float32)
    stored = {"slopes": 40 * shades[None], "heights": -20 * shades**2}
    ended = {"axis": 2} if end == "Softmax" else {}
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["columns"], axes=[1, 2], keepdims=1),
        helper.make_node("AveragePool", ["columns"], ["pooled"], kernel_shape=[1, 8], strides=[1, 8]),
        helper.make_node("Squeeze", ["pooled"], ["rows"], axes=[1]),
        helper.make_node("Transpose", ["rows"], ["steps"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["steps", "slopes"], ["products"]),
        helper.make_node("Add", ["products", "heights"], ["logits"]),
        helper.make_node(end, ["logits"], ["y"], **ended),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, 48, "width"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", "steps", len(shades)])],
        [numpy_helper.from_array(array.astype(np.float32), name) for name, array in stored.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))


def reading(
    home: Path,
    *,
    text: str = "甲乙丙",
    characters: Sequence[str] = ("甲", "乙", "丙"),
    derived: Sequence[Document] = (),
    prepared: Document | None = None,
    network: Document | None = None,
    end: str = "Softmax",
) -> Path:
    """Write a model whose recogniser is prepared, with one line as a case that says `text`. Returns its folder."""
    folder = home / "manifests" / NAME
    (folder / "cases").mkdir(parents=True, exist_ok=True)
    recogniser(folder / SOURCE, end=end)
    (folder / "characters.txt").write_text("\n".join(characters) + "\n", "utf-8")
    grey = np.repeat([round((SHADES[band] + 1) * 127.5) for band in BANDS], 32).astype(np.uint8)
    Image.fromarray(np.tile(grey, (48, 1))).convert("RGB").save(folder / "cases" / "line.png")
    case = {"file": "line.png", "kind": "line", "truth": {"text": text, "turned": False}, "licence": "MIT"}
    (folder / "cases" / "cases.json").write_text(json.dumps([case]), "utf-8")
    files = []
    for path in (SOURCE, "characters.txt"):
        content = (folder / path).read_bytes()
        entry = {"path": path, "sha256": sha256(content).hexdigest(), "size": len(content)}
        files.append(entry | {"sources": [{"shipped": path}]})
    described: Document = {
        "prepared": {"of": SOURCE, "recipe": "topk", "classes": 5} | (prepared or {}),
        "inputs": [{"name": "x", "dtype": "float32", "shape": ["batch", 3, 48, "width"]}],
        "outputs": [
            {"name": "ids", "dtype": "int32", "shape": ["batch", "steps", 5]},
            {"name": "logprobs", "dtype": "float32", "shape": ["batch", "steps", 5]},
        ],
        "profiles": [
            {
                "minimum": {"batch": 1, "width": 96},
                "optimum": {"batch": 1, "width": 160},
                "maximum": {"batch": 2, "width": 320},
            }
        ],
        "precisions": ["fp32"],
        "gate": {"metric": "exact_lines", "threshold": 0.9},
        "opset": 11,
    }
    described |= {"derived": [dict(one) for one in derived]} if derived else {}
    document = {
        "name": NAME,
        "title": {"zh": "小模型", "en": "Small model"},
        "kind": "ocr",
        "install": "default",
        "licence": "MIT",
        "attribution": "Nobody",
        "page": "https://example.org/",
        "files": files,
        "networks": {RECOGNISER: described | (network or {})},
    }
    (folder / "manifest.yaml").write_text(yaml.safe_dump(document, allow_unicode=True), "utf-8")
    return folder


def target(store: ModelStore) -> Path:
    return place(store, NAME, RECOGNISER, store.manifest(NAME).prepared[RECOGNISER])


def of_an_older_revision(path: Path) -> None:
    note = path.with_suffix(".json")
    note.write_text(json.dumps(json.loads(note.read_text()) | {"revision": PREPARED_REVISION - 1}))


def test_a_prepared_network_is_made_scored_and_recorded(tmp_path: Path) -> None:
    reading(tmp_path)
    store, heard = shelf(tmp_path), Heard()
    assert prepare(store, NAME, heard) == (target(store),)
    assert heard.of("models.derive") == [{"model": NAME, "file": RECOGNISER, "recipe": "topk"}]
    record = record_of(store, NAME, RECOGNISER, store.manifest(NAME).prepared[RECOGNISER])
    assert record.source == sha256(store.path(NAME, SOURCE).read_bytes()).hexdigest()
    assert record.sha256 == sha256(target(store).read_bytes()).hexdigest()
    assert (record.recipe, record.metric, record.value, record.threshold) == ("topk", "exact_lines", 1.0, 0.9)
    assert prepare(store, NAME) == (), "it is there"
    assert derive(shelf(tmp_path), NAME) == ()
    assert store.state(NAME).state == "installed", "the model's own files are as they were"


def test_the_prepared_network_reads(tmp_path: Path) -> None:
    folder = reading(tmp_path)
    store = shelf(tmp_path)
    derive(store, NAME)
    strip = np.asarray(Image.open(folder / "cases" / "line.png"))
    with OnnxRuntimeBackend(store.manifest(NAME).network(RECOGNISER), network_path(store, NAME, RECOGNISER)) as backend:
        found = recognise(
            lambda inputs, /, *, deadline=None: backend.infer(inputs), strip, alphabet(["甲", "乙", "丙"])
        )
    assert found.text == "甲乙丙"
    assert [text for text, _ in found.characters[1].alternatives] == ["甲", "丙"], (
        "what else is no blank, nearest first"
    )


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (flipped, ModelCorrupt),
        (of_an_older_revision, ModelCorrupt),
        (Path.unlink, ModelMissing),
        (lambda path: path.with_suffix(".json").unlink(), ModelMissing),
    ],
    ids=["another byte", "older revision", "no file", "no record"],
)
def test_one_that_changed_counts_for_nothing_until_it_is_made_anew(
    tmp_path: Path, change: Callable[[Path], object], error: type[Exception]
) -> None:
    reading(tmp_path)
    store = shelf(tmp_path)
    (path,) = prepare(store, NAME)
    before = path.read_bytes()
    change(path)
    with pytest.raises(error) as caught:
        network_path(shelf(tmp_path, install=False), NAME, RECOGNISER)
    assert f"`appliance models pull {NAME}`" in str(getattr(caught.value, "remedy", ""))
    assert derive(store, NAME) == (path,)
    assert path.read_bytes() == before
    assert network_path(store, NAME, RECOGNISER) == path


def test_other_precisions_are_made_of_the_prepared_file(tmp_path: Path) -> None:
    reading(tmp_path, derived=(HALF,))
    store = shelf(tmp_path)
    made = derive(store, NAME)
    assert [path.name for path in made] == [RECOGNISER, "recogniser.topk.fp16.half.onnx"]
    (wanted,) = store.manifest(NAME).derived[RECOGNISER]
    record = record_of(store, NAME, RECOGNISER, wanted)
    assert record.source == sha256(made[0].read_bytes()).hexdigest()
    assert (record.metric, record.value) == ("exact_lines", 1.0)
    assert [one.name for one in onnx.load(str(made[1])).graph.output] == ["ids", "logprobs"]
    made[0].unlink()
    with pytest.raises(ModelMissing, match=r"expected recogniser\.topk\.onnx"):
        record_of(store, NAME, RECOGNISER, wanted)
    assert derive(store, NAME) == (made[0],), "of the same source comes the same file, of which the other was made"


def test_one_that_reads_wrongly_is_refused_and_not_kept(tmp_path: Path) -> None:
    reading(tmp_path, text="丙乙甲", derived=(HALF,))
    store = shelf(tmp_path)
    with pytest.raises(GateRefused, match=r"recogniser\.topk\.onnx: expected exact_lines of at least 0\.9") as caught:
        derive(store, NAME)
    assert "own file serves" not in caught.value.remedy, "there is none"
    assert not list(target(store).parent.iterdir()), "and nothing is derived of it"
    assert not list(store.root.glob(".try-*"))


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"prepared": {"recipe": "magic"}}, ManifestInvalid, "expected a recipe of topk, got magic"),
        ({"prepared": {"classes": 6}}, ModelMismatch, r"\(batch, steps, 6\), at least 5, got \['batch', 'steps', 5\]"),
        ({"prepared": {"of": "characters.txt"}}, BackendFailed, "characters.txt: expected an ONNX file"),
        ({"end": "Sigmoid"}, ModelMismatch, r"recogniser\.onnx: expected a Softmax at the end, got Sigmoid"),
        ({"network": {"gate": {"metric": "beauty", "threshold": 0.5}}}, ManifestInvalid, "got beauty"),
        (
            {"network": {"outputs": [{"name": "ids", "dtype": "int64", "shape": ["batch", "steps", 5]}]}},
            ModelMismatch,
            r"expected outputs ids int64.* the file has ids int32",
        ),
    ],
    ids=["recipe", "classes", "no network", "no softmax", "metric", "other outputs"],
)
def test_what_cannot_be_prepared_is_named_and_nothing_is_kept(
    tmp_path: Path, change: dict[str, Any], error: type[Exception], said: str
) -> None:
    reading(tmp_path, **change)
    store = shelf(tmp_path)
    with pytest.raises(error, match=said):
        prepare(store, NAME)
    assert not target(store).exists()


def test_without_a_gate_it_must_be_what_the_manifest_describes_all_the_same(tmp_path: Path) -> None:
    folder = reading(tmp_path)
    manifest = yaml.safe_load((folder / "manifest.yaml").read_text("utf-8"))
    described = manifest["networks"][RECOGNISER]
    del described["gate"]
    described["outputs"][0]["dtype"] = "int64"
    (folder / "manifest.yaml").write_text(yaml.safe_dump(manifest, allow_unicode=True), "utf-8")
    with pytest.raises(ModelMismatch, match="expected outputs ids int64"):
        prepare(shelf(tmp_path), NAME)
    described["outputs"][0]["dtype"] = "int32"
    (folder / "manifest.yaml").write_text(yaml.safe_dump(manifest, allow_unicode=True), "utf-8")
    assert len(prepare(shelf(tmp_path), NAME)) == 1


@pytest.fixture
def networks(tmp_path: Path) -> Iterator[Callable[[], Networks]]:
    """Networks over what lies under tmp_path, each as a fresh start of the appliance would have them."""
    settings = Settings(backends=("onnxruntime-cpu",), onnxruntime_threads=1)
    with ExitStack() as closing:

        def start() -> Networks:
            store = shelf(tmp_path, install=False)
            scheduler = Scheduler()
            made = Networks(store.manifests, store, settings, scheduler, silent)
            closing.callback(made.close)
            closing.enter_context(scheduler)
            return made

        yield start


def test_the_prepared_network_serves(tmp_path: Path, networks: Callable[[], Networks]) -> None:
    reading(tmp_path)
    derive(shelf(tmp_path), NAME)
    network = networks().load(NAME, RECOGNISER)
    assert (network.backend, network.reason) == ("onnxruntime-cpu", "")
    assert network.run is not None
    outputs = network.run({"x": np.ones((1, 3, 48, 160), np.float32)})
    assert {name: array.shape for name, array in outputs.items()} == {"ids": (1, 20, 5), "logprobs": (1, 20, 5)}
    assert not outputs["ids"][..., 0].any(), "white is blank"


def test_without_it_nothing_serves_and_the_reason_says_what_to_run(
    tmp_path: Path, networks: Callable[[], Networks]
) -> None:
    reading(tmp_path)
    store = shelf(tmp_path)
    missing = networks().load(NAME, RECOGNISER)
    (path,) = prepare(store, NAME)
    flipped(path)
    corrupt = networks().load(NAME, RECOGNISER)
    derive(store, NAME)
    flipped(store.path(NAME, SOURCE))
    damaged = networks().load(NAME, RECOGNISER)
    for network, said in (
        (missing, "expected recogniser.topk.onnx, made when the model is installed, found none"),
        (corrupt, "recogniser.topk.onnx: expected ("),
        (damaged, "recogniser.onnx: expected sha256"),
    ):
        assert (network.run, network.backend) == (None, "none")
        assert said in network.reason
        assert f"appliance models pull {NAME}" in network.reason
        assert str(tmp_path) not in network.reason, "the page shows it: no path of the machine"


def test_a_list_of_other_characters_is_seen_when_the_reader_is_built(
    tmp_path: Path, networks: Callable[[], Networks], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gate would refuse it; one that came by with the same first characters is seen by their number."""
    reading(tmp_path, characters=("甲", "乙", "丙", "丁"))
    store = shelf(tmp_path)
    assert prepare(store, NAME), "the case has no 丁, and the space is not read"
    monkeypatch.setenv("PATH", str(tmp_path))  # no tesseract either
    sense = build_reader(networks(), store, store.manifests, Settings(), silent)
    assert sense.reader is None
    assert "expected texts of 5 classes, got 6" in sense.feature().reason


@pytest.fixture
def pulling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """`appliance models` on the manifests and the store under tmp_path."""
    monkeypatch.setenv("APPLIANCE_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(command, "shipped_root", lambda: tmp_path / "manifests")
    return lambda *arguments: CliRunner().invoke(command.app, list(arguments))


def test_pull_and_import_make_it_and_verify_and_list_look_at_it(tmp_path: Path, pulling: Callable[..., Result]) -> None:
    folder = reading(tmp_path)
    assert pulling("import", str(folder / SOURCE)).exit_code == Exit.OK
    path = target(shelf(tmp_path, install=False))
    assert path.is_file()
    assert pulling("verify").exit_code == Exit.OK
    (row,) = json.loads(pulling("list", "--json").stdout)["models"]
    assert (row["state"], row["prepared"]) == ("installed", [RECOGNISER])
    flipped(path)
    assert pulling("verify").exit_code == Exit.CORRUPT
    assert json.loads(pulling("list", "--json").stdout)["models"][0]["state"] == "corrupt"
    path.unlink()
    result = pulling("verify", NAME)
    assert result.exit_code == Exit.UNAVAILABLE
    assert f"appliance models pull {NAME}" in result.stderr
    assert json.loads(pulling("list", "--json").stdout)["models"][0]["state"] == "missing"
    result = pulling("pull")
    assert (result.exit_code, result.stdout) == (Exit.OK, f"{NAME}: 已安装 / installed already\n")
    assert pulling("verify").exit_code == Exit.OK


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        ({"text": "丙"}, Exit.FAILED, "派生模型未达标"),
        ({"end": "Sigmoid"}, Exit.CORRUPT, "expected a Softmax at the end"),
    ],
    ids=["refused", "another network"],
)
def test_one_that_cannot_be_made_fails_the_model(
    tmp_path: Path, pulling: Callable[..., Result], change: dict[str, Any], code: Exit, said: str
) -> None:
    """Unlike another precision, without which the file itself serves."""
    reading(tmp_path, **change)
    result = pulling("pull")
    assert (result.exit_code, result.stdout) == (code, f"{NAME}: 失败 / failed\n")
    assert said in result.stderr
    (row,) = json.loads(pulling("pull", "--json").stdout)["models"]
    assert (row["result"], row["counts"]) == ("failed", True)


def test_a_new_revision_of_the_recipe_needs_no_download(
    tmp_path: Path, pulling: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    reading(tmp_path)
    pulling("pull")
    (tmp_path / "manifests" / NAME / SOURCE).unlink()  # no source of it is left
    monkeypatch.setattr("appliance.artifacts.derived.PREPARED_REVISION", PREPARED_REVISION + 1)
    assert pulling("verify").exit_code == Exit.CORRUPT
    assert pulling("pull").exit_code == Exit.OK
    assert pulling("verify").exit_code == Exit.OK
