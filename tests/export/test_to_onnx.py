"""Exported networks compute what torch does at any size, in files that old runtimes read and that tell no tales."""

from __future__ import annotations

import getpass
import json
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

torch = pytest.importorskip("torch")

import onnx  # noqa: E402
import onnxruntime  # noqa: E402
import tiny_models  # noqa: E402
from torch import nn  # noqa: E402

from appliance.language.tagger import read_alphabet  # noqa: E402
from appliance.language.viterbi import best_tags  # noqa: E402
from export import networks, to_onnx  # noqa: E402
from export.to_onnx import Interface  # noqa: E402
from export.train.bundle import Bundle  # noqa: E402
from export.train.tagger import Shape, Tagger  # noqa: E402

pytestmark = pytest.mark.torch
NUMBERS = {character: number for number, character in enumerate("洗衣液在哪里盐多少钱0明天买瓶a", 2)}
# As the appliance wants it: ONNX Runtime 1.23 and TensorRT 10 read no newer ones.
OPSET, IR = 18, 10


@dataclass(frozen=True)
class Made:
    """A network that was exported."""

    network: Any
    folder: Path
    path: Path
    said: dict[str, Any]

    def run(self, **inputs: npt.NDArray[np.int64]) -> list[Any]:
        session = onnxruntime.InferenceSession(str(self.path), providers=["CPUExecutionProvider"])
        return list(session.run(None, inputs))


@pytest.fixture(scope="module")
def understander(tmp_path_factory: pytest.TempPathFactory) -> Made:
    out = tmp_path_factory.mktemp("understand")
    bundle = tiny_models.bundle(layers=2)
    said = networks.understander(bundle, "store", {"temperature": 1.25, "sentiment_temperature": 0.5}, out)
    return Made(bundle, out, out / "model.onnx", said)


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory) -> Made:
    out = tmp_path_factory.mktemp("entities")
    model = tiny_models.tagger(len(NUMBERS) + 2)
    said = networks.tagger(model, NUMBERS, tiny_models.TAGS, out)
    return Made(model, out, out / "tagger.onnx", said)


@pytest.fixture(params=["understander", "tagger"])
def made(request: pytest.FixtureRequest) -> Made:
    found: Made = request.getfixturevalue(request.param)
    return found


def tokens(bundle: Bundle, batch: int, sequence: int) -> dict[str, npt.NDArray[np.int64]]:
    """Sentences of several lengths, the first of them whole."""
    rng = np.random.default_rng(batch * 100 + sequence)
    lengths = np.array([sequence, *rng.integers(1, sequence + 1, batch - 1)])
    mask = (np.arange(sequence)[None] < lengths[:, None]).astype(np.int64)
    ids = rng.integers(0, bundle.tokens.get_vocab_size(), (batch, sequence))
    return {"input_ids": np.where(mask, ids, 1), "attention_mask": mask}


@pytest.mark.parametrize("shape", [(1, 2), (1, 3), (1, 64), (2, 2), (3, 17), (7, 5), (40, 31)])
def test_the_understander_is_torchs_at_any_batch_and_length(understander: Made, shape: tuple[int, int]) -> None:
    bundle: Bundle = understander.network
    inputs = tokens(bundle, *shape)
    intents, polarities, vectors = understander.run(**inputs)
    assert (intents.shape, polarities.shape, vectors.shape) == ((shape[0], 3), (shape[0], 3), (shape[0], 24))
    # Against the network as it is trained and read, which is other code than what was exported.
    with torch.inference_mode():
        means, _ = bundle.model.vectors(*(torch.from_numpy(inputs[name]) for name in ("input_ids", "attention_mask")))
        wanted = [*bundle.model.heads(means)[:2], bundle.model.unit(means)]
    for ours, theirs in zip((intents, polarities, vectors), wanted, strict=True):
        assert np.allclose(ours, theirs.numpy(), atol=1e-4)


def test_the_understander_reads_texts_as_its_bundle_does(understander: Made) -> None:
    bundle: Bundle = understander.network
    for text in ("洗衣液在哪里", "盐", "where 多少钱"):
        ids = np.array([bundle.ids(text)])
        found = understander.run(input_ids=ids, attention_mask=np.ones_like(ids))
        for ours, theirs in zip(found, bundle.read([text]), strict=True):
            assert np.allclose(ours, theirs, atol=1e-4)


@pytest.mark.parametrize("length", [1, 2, 3, 31, 128, 300])
def test_the_tagger_is_torchs_at_any_length(tagger: Made, length: int) -> None:
    model: Tagger = tagger.network
    rng = np.random.default_rng(length)
    characters = rng.integers(0, len(NUMBERS) + 2, (1, length))
    hints = rng.integers(0, len(tiny_models.TAGS), (1, length))
    (found,) = tagger.run(characters=characters, hints=hints)
    with torch.inference_mode():
        wanted = model.emissions(torch.from_numpy(characters), torch.from_numpy(hints))
        (path,) = model.crf.decode(wanted, torch.ones(1, length, dtype=torch.bool))
    assert found.shape == (1, length, len(tiny_models.TAGS))
    assert np.allclose(found, wanted.numpy(), atol=1e-4)
    # And the appliance finds its tags with what stands in the file beside it.
    order = read_alphabet(tagger.folder / "tagger.json").order
    assert best_tags(found[0], order)[0].tolist() == path


def test_files_are_none_newer_than_old_runtimes_read(made: Made) -> None:
    model = onnx.load(str(made.path))
    onnx.checker.check_model(model, full_check=True)
    assert model.ir_version <= IR
    versions = {opset.domain: opset.version for opset in model.opset_import}
    assert set(versions) == {""}
    assert versions[""] <= OPSET
    # Nothing but the standard's own operators, and no data in files beside.
    assert {node.domain for node in model.graph.node} == {""}
    assert not any(tensor.external_data for tensor in model.graph.initializer)
    assert not model.functions


def test_files_tell_nothing_of_the_machine(made: Made) -> None:
    repository = Path(to_onnx.__file__).parent.parent
    for path in made.folder.iterdir():
        data = path.read_bytes()
        folders = (repository, made.folder, Path.home(), Path(sys.prefix), Path(torch.__file__).parent.parent)
        told = [*map(str, folders), "site-packages", getpass.getuser(), socket.gethostname()]
        # A short word may stand there by chance: /root is no secret, and "root" is in many a name.
        assert b".py" not in data, path.name
        assert [word for word in told if len(word) > 5 and word.encode() in data] == [], path.name


def test_inputs_and_outputs_are_named_and_vary_where_they_should(understander: Made, tagger: Made) -> None:
    def described(values: Any) -> dict[str, list[str | int]]:
        return {
            value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in values
        }

    graph = onnx.load(str(understander.path)).graph
    assert described(graph.input) == {name: ["batch", "sequence"] for name in ("input_ids", "attention_mask")}
    assert described(graph.output) == {"intent": ["batch", 3], "sentiment": ["batch", 3], "vector": ["batch", 24]}
    graph = onnx.load(str(tagger.path)).graph
    assert described(graph.input) == {name: [1, "sequence"] for name in ("characters", "hints")}
    assert described(graph.output) == {"emissions": [1, "sequence", len(tiny_models.TAGS)]}


def test_large_weights_are_kept_as_halves_and_small_ones_as_they_are(made: Made) -> None:
    graph = onnx.load(str(made.path)).graph
    sizes: dict[int, list[int]] = {}
    for tensor in graph.initializer:
        sizes.setdefault(tensor.data_type, []).append(int(np.prod(tensor.dims)))
    assert min(sizes[onnx.TensorProto.FLOAT16]) >= 1024
    assert max(sizes[onnx.TensorProto.FLOAT]) < 1024
    # What was exported was rounded before it was compared: file and network hold the same numbers.
    model = made.network.model if isinstance(made.network, Bundle) else made.network
    for parameter in model.parameters():
        if parameter.numel() >= 1024:
            assert torch.equal(parameter, parameter.half().float())


def test_what_is_written_beside_the_understander(understander: Made) -> None:
    assert {path.name for path in understander.folder.iterdir()} == {"model.onnx", "tokenizer.json", "labels.json"}
    assert json.loads((understander.folder / "labels.json").read_text("utf-8")) == {
        "pack": "store",
        "intents": ["find", "price", "refund"],
        "polarities": ["neg", "neu", "pos"],
        "longest": 64,
        "temperature": 1.25,
        "sentiment_temperature": 0.5,
    }
    written = json.loads((understander.folder / "tokenizer.json").read_text("utf-8"))
    assert written == json.loads(understander.network.tokens.to_str())


def test_what_is_written_beside_the_tagger(tagger: Made) -> None:
    assert {path.name for path in tagger.folder.iterdir()} == {"tagger.onnx", "tagger.json"}
    alphabet = read_alphabet(tagger.folder / "tagger.json")
    assert (dict(alphabet.characters), alphabet.tags) == (NUMBERS, tiny_models.TAGS)


def test_it_says_how_far_off_it_is_and_how_large(made: Made) -> None:
    assert 0 <= made.said["difference"] < 1e-5
    assert made.said["bytes"] == made.path.stat().st_size


class Doubled(nn.Module):  # type: ignore[misc]
    """Twice the input, or something else."""

    def __init__(self, factor: float = 2.0, extra: int = 0) -> None:
        super().__init__()
        self.factor, self.extra = factor, extra

    def forward(self, x: Any) -> Any:
        return nn.functional.pad(x.float() * self.factor, (0, self.extra))


DOUBLED = Interface(("x",), {"y": {0: "batch", 1: "sequence"}}, {0: ("batch", 1, 8), 1: ("sequence", 2, 8)})


def numbers(batch: int, sequence: int) -> dict[str, npt.NDArray[np.int64]]:
    return {"x": np.arange(batch * sequence).reshape(batch, sequence)}


def test_a_file_that_computes_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "new" / "doubled.onnx"
    assert to_onnx.export(Doubled(), DOUBLED, path, numbers, [(2, 4), (1, 2)]) == 0.0
    assert to_onnx.compare(Doubled(2.0001), DOUBLED, path, numbers, [(2, 4)]) == pytest.approx(7e-4, rel=0.01)
    with pytest.raises(ValueError, match=r"doubled\.onnx: expected PyTorch's outputs, got a difference of 7\.00e\+00"):
        to_onnx.compare(Doubled(3.0), DOUBLED, path, numbers, [(1, 2), (2, 4)])
    with pytest.raises(ValueError, match=r"doubled\.onnx: expected \(2, 5\) at \(2, 4\), got \(2, 4\)"):
        to_onnx.compare(Doubled(extra=1), DOUBLED, path, numbers, [(2, 4)])


def test_weights_that_the_exporter_joins_are_those_that_were_checked(tmp_path: Path) -> None:
    # Each of this LSTM's biases and recurrent weights is small; in the file both directions stand together.
    torch.manual_seed(5)
    model = Tagger(40, len(tiny_models.TAGS), Shape(embedding=20, hint=4, hidden=12))
    tiny_models.shaken(model, 6)
    said = networks.tagger(model.eval(), NUMBERS, tiny_models.TAGS, tmp_path)
    assert said["difference"] < 1e-5


def test_a_second_lstm_of_a_process_has_an_open_sequence_too(tmp_path: Path) -> None:
    for _ in range(2):
        networks.tagger(tiny_models.tagger(len(NUMBERS) + 2), NUMBERS, tiny_models.TAGS, tmp_path)
        (given, *_) = onnx.load(str(tmp_path / "tagger.onnx")).graph.input
        assert [dim.dim_param or dim.dim_value for dim in given.type.tensor_type.shape.dim] == [1, "sequence"]
