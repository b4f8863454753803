"""The acoustic network: in pieces it computes what it computes at once, and the file does what PyTorch does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from appliance.speech.ctc.bank import BANDS  # noqa: E402
from export.train.asr import network, units  # noqa: E402
from export.train.asr.model import Acoustic, Shape, Streaming  # noqa: E402

pytestmark = pytest.mark.torch

NAMES = (units.BLANK, "ma1", "ma3", "ni3", "hao3", "A")


def model(**named: int) -> Acoustic:
    """A small one whose normalisation is not that of a fresh network."""
    torch.manual_seed(3)
    made = Acoustic(Shape(len(NAMES), width=16, **{"layers": 4} | named), torch.from_numpy(units.parts(NAMES)))
    with torch.no_grad():
        for module in made.modules():
            if isinstance(module, torch.nn.BatchNorm1d):
                module.running_mean.normal_(0, 0.3)
                module.running_var.uniform_(0.5, 1.5)
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(0, 0.2)
        made.mean.fill_(-8)
        made.scale.fill_(0.25)
    return made.eval()


def features(steps: int, seed: int = 1) -> torch.Tensor:
    torch.manual_seed(seed)
    return torch.randn(1, 4 * steps, BANDS) * 4 - 8


@pytest.mark.parametrize("named", [{}, {"kernel": 5, "every": 2}, {"kernel": 4, "front": 4, "layers": 1}])
@pytest.mark.parametrize("pieces", [(12,), (1,) * 12, (5, 4, 3), (2, 10)])
@torch.inference_mode()
def test_in_pieces_it_computes_what_training_saw(named: dict[str, int], pieces: tuple[int, ...]) -> None:
    made = model(**named)
    whole = made(features(12)).log_softmax(2)
    stream = Streaming(made).eval()
    state, found, at = stream.state(), [], 0
    for piece in pieces:
        out, *state = stream(features(12)[:, 4 * at : 4 * (at + piece)], *state)
        found.append(out)
        at += piece
    assert torch.allclose(torch.cat(found, 1), whole, atol=1e-4)


@torch.inference_mode()
def test_it_sees_the_past_and_as_much_of_what_follows_as_it_says() -> None:
    made = model()
    sound = features(20)
    before = made(sound)
    changed = sound.clone()
    changed[:, 4 * 12 :] += 3
    differs = (made(changed) - before).abs().amax((0, 2)) > 1e-6
    assert not differs[:12].any(), "an output must not know of sound that has not come yet"
    assert differs[12:].all()
    # The output that belongs to step 11 comes `delay` later, and has seen what followed.
    assert made.shape.delay == 2


@torch.inference_mode()
def test_what_stands_behind_a_clip_changes_nothing_before_it() -> None:
    made = model()
    short = made(features(10))
    longer = torch.cat((features(10), features(6, seed=2)), 1)
    assert torch.allclose(made(longer)[:, :10], short, atol=1e-5)


def test_the_file_is_what_every_engine_reads(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    checked = network.write(model(), tmp_path)
    assert checked["difference"] < 1e-3
    proto = onnx.load(str(tmp_path / network.FILE))
    assert proto.ir_version <= 10
    assert proto.opset_import[0].version <= 18
    assert not {"If", "Loop", "Scan", "BatchNormalization"} & {node.op_type for node in proto.graph.node}
    assert [value.name for value in proto.graph.input] == list(network.INPUTS)
    assert [value.name for value in proto.graph.output] == list(network.OUTPUTS)
    assert str(Path.cwd()) not in str(proto)


def test_a_file_that_says_otherwise_is_refused(tmp_path: Path) -> None:
    made = model()
    network.write(made, tmp_path)
    other = Streaming(model(layers=4, every=4)).eval()
    with torch.no_grad():
        other.out.bias += 1.0 + torch.arange(len(NAMES))
    with pytest.raises(ValueError, match="difference"):
        network.compare(made, other, tmp_path / network.FILE, (4,))


@torch.inference_mode()
def test_units_that_share_parts_share_weights() -> None:
    made = model()
    weight = made.weight()
    assert weight.shape == (len(NAMES), 16)
    parts = made.parts.numpy()
    shared = np.flatnonzero(parts[1] * parts[2])
    made.of_parts[shared] += 1.0
    moved = (made.weight() - weight).abs().sum(1)
    assert moved[1] > 1
    assert moved[2] > 1
    assert moved[0] == 0
