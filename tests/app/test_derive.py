"""Other precisions of small real models that are installed: made once, let through by the gate, or refused."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import yaml
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Regex, Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split

from appliance.app.derive import derive, score
from appliance.artifacts.derived import REVISION, place, record_of
from appliance.artifacts.manifest import load_manifests
from appliance.artifacts.pull import Puller
from appliance.artifacts.store import ModelStore
from appliance.errors import GateRefused, InvalidInput, ManifestInvalid, ModelCorrupt, ModelMissing, StorageFailed

Document = dict[str, Any]

INT8 = {"precision": "int8", "recipe": "dynamic", "backend": "onnxruntime-cpu"}
QDQ = {"precision": "int8", "recipe": "qdq", "backend": "tensorrt"}
FP16 = {"precision": "fp16", "recipe": "half", "backend": "onnxruntime-cuda"}
MEANINGS = {"greet": "你好早", "facility_location": "厕所手间", "return_exchange": "退换货"}
CASES = [("你好呀", "greet"), ("早上好", "greet"), ("厕所在哪里", "facility_location"), ("我要退货", "return_exchange")]
WIDTH, LONGEST = 32, 16


def understanding(
    home: Path,
    *,
    meanings: Mapping[str, str] = MEANINGS,
    more: str = "",
    unreadable: str = "",
    intents: Sequence[str] = (),
    derived: Sequence[Document] = (INT8,),
    gate: Document | None = None,
    cases: Sequence[tuple[str, str]] = CASES,
    loud: bool = False,
    name: str = "understand-zh",
    backends: Sequence[str] = (),
) -> Path:
    """Write a model whose sentence vector is the mean of its characters' and whose intents are the likest `meanings`.

    The characters of `more` have vectors of their own; those of `unreadable` have a number and no vector, so that the
    network fails at them. With `loud` the file is right and no int8 of its square matrix can be. Returns its folder.
    """
    folder = home / "manifests" / name
    named = tuple(intents) or tuple(meanings)
    known = "".join(dict.fromkeys("".join([*meanings.values(), *(text for text, _ in cases), more])))
    vocabulary = ["<pad>", "<unk>", *known]
    random = np.random.default_rng(5)
    table = random.normal(scale=0.15, size=(len(vocabulary), WIDTH))
    for number, characters in enumerate(meanings.values()):
        for character in characters:
            table[vocabulary.index(character), number] += 2
    turn = np.eye(WIDTH)
    if loud:
        table[:, -1], turn[-1] = 0, 16_000  # halves hold it with the room that they must have
    head = random.normal(scale=0.01, size=(WIDTH, len(named)))
    for number in range(len(meanings)):
        head[number, number] = 8
    weights = {
        "table": table,
        "turn": turn,
        "head": head,
        "bias": np.zeros(len(named)),
        "moods": random.normal(size=(WIDTH, 3)),
    }
    nodes = [
        *(helper.make_node("Cast", [f"{weight}_half"], [weight], to=TensorProto.FLOAT) for weight in weights),
        helper.make_node("Gather", ["table", "input_ids"], ["words"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["column"]),
        helper.make_node("Mul", ["words", "column"], ["read"]),
        helper.make_node("ReduceSum", ["read", "first"], ["sum"], keepdims=0),
        helper.make_node("ReduceL2", ["sum", "first"], ["length"], keepdims=1),
        helper.make_node("Max", ["length", "least"], ["divisor"]),
        helper.make_node("Div", ["sum", "divisor"], ["vector"]),
        helper.make_node("MatMul", ["vector", "turn"], ["turned"]),
        helper.make_node("Gemm", ["turned", "head", "bias"], ["intent"]),
        helper.make_node("MatMul", ["vector", "moods"], ["sentiment"]),
    ]
    stored = [numpy_helper.from_array(array.astype(np.float16), f"{weight}_half") for weight, array in weights.items()]
    stored += [
        numpy_helper.from_array(np.array([1], np.int64), "first"),
        numpy_helper.from_array(np.array([2], np.int64), "last"),
        numpy_helper.from_array(np.array([0.01], np.float32), "least"),
    ]
    sizes = {"intent": len(named), "sentiment": 3, "vector": WIDTH}
    save(
        folder / "model.onnx",
        nodes,
        stored,
        [helper.make_tensor_value_info(i, TensorProto.INT64, ["batch", "n"]) for i in ("input_ids", "attention_mask")],
        [helper.make_tensor_value_info(o, TensorProto.FLOAT, ["batch", size]) for o, size in sizes.items()],
    )
    numbers = {piece: number for number, piece in enumerate([*vocabulary, *unreadable])}
    tokenizer = Tokenizer(WordLevel(numbers, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Split(Regex("."), "isolated")
    tokenizer.save(str(folder / "tokenizer.json"))
    labels: Document = {"pack": "tiny", "intents": named, "polarities": ["negative", "neutral", "positive"]}
    labels |= {"temperature": 1.0, "sentiment_temperature": 1.0, "longest": LONGEST}
    write_json(folder / "labels.json", labels)
    weighing = {"mix": 0.5, "bias": -4.0, "words": 5.0, "meaning": 5.0, "lead": 3.0, "strange": 0.0}
    write_json(folder / "faq.json", weighing)
    write_cases(folder, [{"text": text, "label": label, "spans": [], "hints": []} for text, label in cases])
    network = {
        "inputs": [{"name": i, "dtype": "int64", "shape": ["batch", "n"]} for i in ("input_ids", "attention_mask")],
        "outputs": [{"name": o, "dtype": "float32", "shape": ["batch", size]} for o, size in sizes.items()],
        "profiles": [
            {"minimum": {"batch": 1, "n": 8}, "optimum": {"batch": 1, "n": 8}, "maximum": {"batch": 32, "n": 16}}
        ],
        "batch_axis": "batch",
        **({"backends": list(backends)} if backends else {}),
    }
    wanted = gate or {"metric": "intent_accuracy", "threshold": 0.9}
    write_manifest(folder, "model.onnx", ("labels.json", "tokenizer.json", "faq.json"), network, wanted, derived)
    return folder


def tagging(home: Path, *, derived: Sequence[Document] = (INT8,), name: str = "entities-zh") -> Path:
    """Write a tagger that takes 牛 for the beginning of a product and 奶 for its inside. Returns its folder."""
    folder = home / "manifests" / name
    tags = ["O", "B-product", "I-product"]
    table = np.zeros((4, 3), np.float16)
    table[:, 0] = 1
    table[2, 1] = table[3, 2] = 3
    nodes = [
        *(helper.make_node("Cast", [f"{weight}_half"], [weight], to=TensorProto.FLOAT) for weight in ("table", "told")),
        helper.make_node("Gather", ["table", "characters"], ["seen"]),
        helper.make_node("Gather", ["told", "hints"], ["hinted"]),
        helper.make_node("Add", ["seen", "hinted"], ["emissions"]),
    ]
    stored = [
        numpy_helper.from_array(table, "table_half"),
        numpy_helper.from_array(np.eye(3, dtype=np.float16), "told_half"),
    ]
    save(
        folder / "tagger.onnx",
        nodes,
        stored,
        [helper.make_tensor_value_info(i, TensorProto.INT64, ["batch", "n"]) for i in ("characters", "hints")],
        [helper.make_tensor_value_info("emissions", TensorProto.FLOAT, ["batch", "n", 3])],
    )
    alphabet: Document = {"characters": ["牛", "奶"], "tags": tags, "longest": 16}
    alphabet |= {"begin": [0, 0, -9], "end": [0, 0, 0], "transitions": [[0, 0, -9], [0, 0, 0], [0, 0, 0]]}
    write_json(folder / "tagger.json", alphabet)
    row = {"text": "要牛奶吗", "label": "find_product", "spans": [[1, 3, "product"]], "hints": []}
    write_cases(folder, [row])
    network = {
        "inputs": [{"name": i, "dtype": "int64", "shape": ["batch", "n"]} for i in ("characters", "hints")],
        "outputs": [{"name": "emissions", "dtype": "float32", "shape": ["batch", "n", 3]}],
        "profiles": [
            {"minimum": {"batch": 1, "n": 1}, "optimum": {"batch": 1, "n": 8}, "maximum": {"batch": 8, "n": 16}}
        ],
    }
    gate = {"metric": "mention_f1", "threshold": 0.9}
    write_manifest(folder, "tagger.onnx", ("tagger.json",), network, gate, derived)
    return folder


def save(path: Path, nodes: list[Any], stored: list[Any], inputs: list[Any], outputs: list[Any]) -> None:
    graph = helper.make_graph(nodes, "small", inputs, outputs, stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(path))


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False), "utf-8")


def write_cases(folder: Path, rows: Sequence[Document]) -> None:
    (folder / "cases").mkdir(exist_ok=True)
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    (folder / "cases" / "sentences.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    case = {"file": "sentences.jsonl", "kind": "sentences", "truth": {"count": len(rows)}, "licence": "MIT"}
    write_json(folder / "cases" / "cases.json", [case])


def write_manifest(
    folder: Path, file: str, others: Sequence[str], network: Document, gate: Document, derived: Sequence[Document]
) -> None:
    """manifest.yaml of the files in `folder`; an empty `gate` is none."""
    network = network | {"precisions": ["fp32"], "opset": 18}
    network |= {"gate": gate} if gate.get("metric") else {}
    network |= {"derived": [dict(one) for one in derived]} if derived else {}
    entries = []
    for path in (file, *others):
        content = (folder / path).read_bytes()
        entry = {"path": path, "sha256": sha256(content).hexdigest(), "size": len(content)}
        entries.append(entry | {"sources": [{"shipped": path}]})
    document = {
        "name": folder.name,
        "title": {"zh": "小模型", "en": "Small model"},
        "kind": "language",
        "install": "default",
        "licence": "MIT",
        "attribution": "Nobody",
        "page": "https://example.org/",
        "files": entries,
        "networks": {file: network},
    }
    (folder / "manifest.yaml").write_text(yaml.safe_dump(document, allow_unicode=True), "utf-8")


def shelf(home: Path, *, install: bool = True) -> ModelStore:
    """The store of the models that were written under `home`; they are installed unless told otherwise."""
    store = ModelStore(home / "models", load_manifests(home / "manifests"))
    for name in store.manifests if install else ():
        outcome = Puller(store, environ={}).pull(name)
        assert outcome.error is None, outcome.error.detail
    return store


class Heard:
    """Listener that keeps everything."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Mapping[str, object]]] = []

    def __call__(self, event: str, /, **fields: object) -> None:
        self.events.append((event, fields))

    def of(self, name: str) -> list[Mapping[str, object]]:
        return [fields for event, fields in self.events if event == name]


def paths(store: ModelStore, name: str = "understand-zh") -> list[Path]:
    """Where what the manifest derives belongs, in its order."""
    return [
        place(store, name, file, made) for file, all_made in store.manifest(name).derived.items() for made in all_made
    ]


def test_what_a_manifest_derives_is_made_scored_and_recorded(tmp_path: Path) -> None:
    understanding(tmp_path, derived=(INT8, FP16, QDQ))
    store, heard = shelf(tmp_path), Heard()
    source = store.path("understand-zh", "model.onnx")
    made = derive(store, "understand-zh", heard)
    assert list(made) == paths(store)
    names = ["model.int8.dynamic.onnx", "model.fp16.half.onnx", "model.int8.qdq.onnx"]
    assert [path.name for path in made] == names
    assert [event["file"] for event in heard.of("models.derive")] == names
    assert [event["recipe"] for event in heard.of("models.derive")] == ["dynamic", "half", "qdq"]
    manifest = store.manifest("understand-zh")
    for path, wanted in zip(made, manifest.derived["model.onnx"], strict=True):
        record = record_of(store, "understand-zh", "model.onnx", wanted)
        assert record.source == sha256(source.read_bytes()).hexdigest()
        assert record.sha256 == sha256(path.read_bytes()).hexdigest()
        assert (record.recipe, record.revision, record.size) == (wanted.recipe, REVISION, path.stat().st_size)
        assert (record.metric, record.value, record.threshold) == ("intent_accuracy", 1.0, 0.9)
        assert record.tools == {tool: metadata.version(tool) for tool in ("onnx", "onnxruntime")}
        named = {entry.key: entry.value for entry in onnx.load(str(path)).metadata_props}
        assert named["precision"] == wanted.precision
    assert store.state("understand-zh").state == "installed", "the model's own files are as they were"


def test_a_second_call_makes_nothing(tmp_path: Path) -> None:
    understanding(tmp_path, derived=(INT8, FP16))
    store, heard = shelf(tmp_path), Heard()
    made = derive(store, "understand-zh")
    before = [(path.stat().st_mtime_ns, path.stat().st_ino) for path in made]
    assert derive(store, "understand-zh", heard) == ()
    assert derive(shelf(tmp_path), "understand-zh", heard) == (), "nor does another process"
    assert [(path.stat().st_mtime_ns, path.stat().st_ino) for path in made] == before
    assert not heard.of("models.derive")


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def of_an_older_revision(path: Path) -> None:
    note = path.with_suffix(".json")
    note.write_text(json.dumps(json.loads(note.read_text()) | {"revision": REVISION - 1}))


@pytest.mark.parametrize(
    "change",
    [flipped, of_an_older_revision, Path.unlink, lambda path: path.with_suffix(".json").unlink()],
    ids=["another byte", "older revision", "no file", "no record"],
)
def test_a_file_that_changed_afterwards_is_made_anew_and_no_other(tmp_path: Path, change: Any) -> None:
    understanding(tmp_path, derived=(INT8, FP16))
    store = shelf(tmp_path)
    int8, fp16 = derive(store, "understand-zh")
    untouched = int8.stat().st_mtime_ns
    change(fp16)
    wanted = store.manifest("understand-zh").derived["model.onnx"][1]
    with pytest.raises((ModelCorrupt, ModelMissing)):
        record_of(store, "understand-zh", "model.onnx", wanted)
    assert derive(store, "understand-zh") == (fp16,)
    assert record_of(store, "understand-zh", "model.onnx", wanted).value == 1.0
    assert int8.stat().st_mtime_ns == untouched


def test_a_file_that_scores_too_low_is_refused_and_not_kept(tmp_path: Path) -> None:
    """One loud row takes the scale of every column: float16 stays right, int8 says the same of every sentence."""
    understanding(tmp_path, derived=(INT8, FP16), loud=True)
    store = shelf(tmp_path)
    manifest = store.manifest("understand-zh")
    source, spec = store.path("understand-zh", "model.onnx"), manifest.network("model.onnx")
    assert score(spec, manifest, store.home("understand-zh"), source) == 1.0
    refused = r"int8\.dynamic\.onnx: expected intent_accuracy of at least 0\.9 on the model's cases, got 0\.[0-7]"
    with pytest.raises(GateRefused, match=refused):
        derive(store, "understand-zh")
    made = [path.name for path in paths(store)[0].parent.iterdir()]
    assert sorted(made) == ["model.fp16.half.json", "model.fp16.half.onnx"], (
        "one refused keeps no other from being made"
    )
    assert not list(store.root.glob(".try-*"))
    heard = Heard()
    with pytest.raises(GateRefused):
        derive(store, "understand-zh", heard)
    assert [event["recipe"] for event in heard.of("models.derive")] == ["dynamic"], "tried again, and it alone"
    assert store.state("understand-zh").state == "installed"


def test_a_score_that_is_just_enough_passes(tmp_path: Path) -> None:
    wrong = ("退款", "greet")
    understanding(tmp_path, cases=(*CASES, wrong), gate={"metric": "intent_accuracy", "threshold": 0.8})
    store = shelf(tmp_path)
    derive(store, "understand-zh")
    (wanted,) = store.manifest("understand-zh").derived["model.onnx"]
    assert record_of(store, "understand-zh", "model.onnx", wanted).value == 0.8


def test_what_has_no_gate_is_made_without_a_score(tmp_path: Path) -> None:
    understanding(tmp_path, gate={"metric": ""}, cases=())
    store = shelf(tmp_path)
    (path,) = derive(store, "understand-zh")
    (wanted,) = store.manifest("understand-zh").derived["model.onnx"]
    record = record_of(store, "understand-zh", "model.onnx", wanted)
    assert (record.metric, record.value, record.threshold) == ("", 0.0, 0.0)
    assert path.stat().st_size == record.size


def test_a_tagger_is_let_through_by_its_mentions(tmp_path: Path) -> None:
    tagging(tmp_path)
    store = shelf(tmp_path)
    (path,) = derive(store, "entities-zh")
    assert path.name == "tagger.int8.dynamic.onnx"
    (wanted,) = store.manifest("entities-zh").derived["tagger.onnx"]
    record = record_of(store, "entities-zh", "tagger.onnx", wanted)
    assert (record.metric, record.value) == ("mention_f1", 1.0)


def test_a_model_that_derives_nothing_needs_nothing(tmp_path: Path) -> None:
    understanding(tmp_path, derived=())
    assert derive(shelf(tmp_path, install=False), "understand-zh") == ()


def test_an_unknown_recipe_is_named(tmp_path: Path) -> None:
    understanding(tmp_path, derived=(INT8 | {"recipe": "magic"},))
    with pytest.raises(ManifestInvalid, match=r"understand-zh: model\.onnx: expected a recipe of dynamic, .*got magic"):
        derive(shelf(tmp_path), "understand-zh")


def test_an_unknown_metric_is_named(tmp_path: Path) -> None:
    understanding(tmp_path, gate={"metric": "beauty", "threshold": 0.5})
    store = shelf(tmp_path)
    with pytest.raises(ManifestInvalid, match="expected a metric of intent_accuracy, mention_f1, .*, got beauty"):
        derive(store, "understand-zh")
    assert not paths(store)[0].exists()


def test_cases_that_are_none_are_named(tmp_path: Path) -> None:
    folder = understanding(tmp_path)
    (folder / "cases" / "sentences.jsonl").write_text('{"text": "你好", "label": "greet"}\n', "utf-8")
    with pytest.raises(ManifestInvalid, match=r"sentences\.jsonl:1: expected text, label, spans and hints"):
        derive(shelf(tmp_path), "understand-zh")


def test_only_a_whole_installed_model_is_derived_from(tmp_path: Path) -> None:
    understanding(tmp_path)
    store = shelf(tmp_path, install=False)
    with pytest.raises(ModelMissing, match=r"model\.onnx: expected the file, found none") as caught:
        derive(store, "understand-zh")
    assert "appliance models pull understand-zh" in caught.value.remedy
    with pytest.raises(InvalidInput, match="expected one of the models understand-zh"):
        derive(store, "ghost")
    store = shelf(tmp_path)
    flipped(store.path("understand-zh", "model.onnx"))
    with pytest.raises(ModelCorrupt):
        derive(store, "understand-zh")
    assert not paths(store)[0].exists()


def test_what_a_killed_process_left_is_cleared_and_a_full_place_is_named(tmp_path: Path) -> None:
    understanding(tmp_path)
    store = shelf(tmp_path)
    (store.root / ".try-dead").mkdir()
    (store.root / ".try-dead" / "model.int8.dynamic.onnx").write_bytes(b"half a file")
    (store.home("understand-zh") / "derived").write_text("a file where a folder should be")
    with pytest.raises(StorageFailed, match="derived"):
        derive(store, "understand-zh")
    assert not list(store.root.glob(".try-*"))
