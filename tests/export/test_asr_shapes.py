"""Recognisers in shape: what PyTorch and transformers compute, our front end, search and words compute, too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from appliance.artifacts.manifest import Manifest, load_manifest  # noqa: E402
from appliance.inference.backend import Run  # noqa: E402
from appliance.inference.onnxruntime import OnnxRuntimeBackend  # noqa: E402
from appliance.speech.ctc import plain  # noqa: E402
from appliance.speech.ctc.features import wav2vec2  # noqa: E402
from appliance.speech.ctc.gate import arrays_in, best_path  # noqa: E402
from appliance.speech.ctc.recognise import TAIL, tail  # noqa: E402
from appliance.speech.ctc.search import Search, log_softmax  # noqa: E402
from appliance.speech.ctc.tokens import read_tokens  # noqa: E402
from appliance.speech.ctc.words import Clock, words  # noqa: E402
from export import asr_fixtures  # noqa: E402
from export.to_onnx import rounded  # noqa: E402

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Manifest]:
    folder = tmp_path_factory.mktemp("shapes")
    for shape in asr_fixtures.shapes():
        assert asr_fixtures.make(shape, folder) < 1e-3
    return {path.parent.name: load_manifest(path) for path in folder.glob("*/manifest.yaml")}


@contextmanager
def running(manifest: Manifest) -> Iterator[Run]:
    path = manifest.home / "model.onnx"
    with OnnxRuntimeBackend(manifest.network("model.onnx"), path, threads=1) as backend:
        yield lambda inputs, /, *, deadline=None: backend.infer(inputs)


@pytest.mark.parametrize("name", ["sensevoice-shape", "wav2vec2-shape"])
def test_its_manifest_is_one_and_its_cases_are_what_torch_said(models: dict[str, Manifest], name: str) -> None:
    manifest = models[name]
    with running(manifest) as run:
        assert best_path(run, manifest.cases(), manifest.home) == 1.0
    spec = manifest.network("model.onnx")
    for inputs in arrays_in(manifest.cases(), manifest.home):
        spec.check(inputs)
    assert [made.precision for made in manifest.derived["model.onnx"]] == ["fp16", "int8"]


def test_the_metric_can_fail(models: dict[str, Manifest]) -> None:
    manifest = models["sensevoice-shape"]
    with running(manifest) as run:

        def broken(inputs: dict, /, *, deadline: float | None = None) -> dict:
            out = run(inputs)
            return {name: values[..., ::-1] if values.ndim == 3 else values for name, values in out.items()}

        assert best_path(broken, manifest.cases(), manifest.home) < 0.5
    assert best_path(broken, (), manifest.home) == 0.0


def test_steps_behind_the_length_do_not_count(models: dict[str, Manifest]) -> None:
    whole = asr_fixtures.sensevoice_inputs(1, 40)
    short = {**whole, "speech": whole["speech"][:, :25], "speech_lengths": np.array([25], np.int32)}
    with running(models["sensevoice-shape"]) as run:
        padded, alone = run({**whole, "speech_lengths": short["speech_lengths"]}), run(short)
    assert padded["encoder_out_lens"] == alone["encoder_out_lens"] == [29]
    np.testing.assert_allclose(padded["ctc_logits"][:, :29], alone["ctc_logits"], atol=1e-4)


def test_the_waveform_is_that_of_the_processor() -> None:
    sound = np.random.default_rng(6).uniform(-0.2, 0.3, 9000).astype(np.float32)
    extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=True)
    (wanted,) = extractor(sound, sampling_rate=16_000, return_tensors="np")["input_values"]
    np.testing.assert_allclose(wav2vec2(sound), wanted, atol=1e-5)


def test_wav2vec2_hears_what_transformers_does(models: dict[str, Manifest], tmp_path: Path) -> None:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ'" + "".join(chr(0x4E00 + n) for n in range(32))
    vocabulary = {text: n for n, text in enumerate(["<pad>", "<s>", "</s>", "<unk>", "|", *letters])}
    (tmp_path / "vocab.json").write_text(json.dumps(vocabulary))
    tokens = read_tokens(tmp_path / "vocab.json")
    module = rounded(asr_fixtures.decisive(asr_fixtures.Wav2Vec2, asr_fixtures.SEED))
    sound = np.random.default_rng(7).uniform(-0.2, 0.2, 32_000).astype(np.float32)
    with running(models["wav2vec2-shape"]) as run:
        emission = plain.Wav2Vec2(run, tokens)(np.concatenate([sound, tail()]))
    given = np.concatenate([wav2vec2(sound), tail()])
    with torch.inference_mode():
        logits = module(torch.from_numpy(given)[None])[0]
    np.testing.assert_allclose(emission.logprobs, torch.log_softmax(logits, -1).numpy(), atol=1e-3)
    assert len(given) == 32_000 + TAIL
    tokeniser = transformers.Wav2Vec2CTCTokenizer(str(tmp_path / "vocab.json"))
    said = tokeniser.decode(logits.argmax(-1), output_word_offsets=True, skip_special_tokens=True)
    found = words(tokens, Search().decode(emission.logprobs, blank=tokens.blank), Clock(0.0, emission.step, 99.0))
    # Han characters are words of their own here; there they are joined like letters.
    assert "".join(word.text for word in found) == said["text"].replace(" ", "")
    assert len(found) > 5
    first = said["word_offsets"][0]
    assert found[0].start == pytest.approx(first["start_offset"] * 0.02)


@pytest.mark.parametrize("seed", range(4))
def test_prefixes_have_the_likelihood_that_torch_says(seed: int) -> None:
    rng = np.random.default_rng(seed)
    logprobs = log_softmax(rng.standard_normal((8, 4)).astype(np.float32) * 2)
    found = Search(beam=10_000, classes=100, margin=1e9).prefixes(logprobs)[:40]
    for one in found:
        loss = torch.nn.functional.ctc_loss(
            torch.from_numpy(logprobs)[:, None],
            torch.tensor([one.tokens], dtype=torch.long),
            torch.tensor([8]),
            torch.tensor([len(one.tokens)]),
            reduction="sum",
        )
        assert one.total == pytest.approx(-float(loss), abs=1e-4)
