"""What a folder of an integrator is: which recogniser, judged by its files and by what its network says of itself.

Known are Vosk's folders, SenseVoice as FunASR or sherpa-onnx exports it, offline Zipformer-CTC of icefall, and
wav2vec2-CTC of Hugging Face exported to ONNX. Everything else is refused with what was expected and what was found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from appliance.errors import Both, InvalidInput, ModelCorrupt, ModelMismatch
from appliance.inference.header import Header, read_header
from appliance.specs import ModelSpec, TensorSpec
from appliance.speech.ctc.cmvn import Cmvn, metadata_cmvn, read_cmvn
from appliance.speech.ctc.hints import hugging_face, licence_of, vosk_languages, written_in
from appliance.speech.ctc.record import Record
from appliance.speech.ctc.shapes import spec_of
from appliance.speech.ctc.tokens import read_tokens

EXPECTED: Both = (
    "应为以下之一：Vosk 模型文件夹或 zip；SenseVoice 的 ONNX 导出（model.onnx、am.mvn、tokens.json）；sherpa-onnx 的 "
    "SenseVoice 或离线 zipformer-CTC（*.onnx、tokens.txt）；wav2vec2-CTC 的 ONNX 导出（model.onnx、vocab.json）",
    "Bring one of: a Vosk folder or zip; SenseVoice as ONNX (model.onnx, am.mvn, tokens.json); SenseVoice or an "
    "offline zipformer-CTC of sherpa-onnx (*.onnx, tokens.txt); a wav2vec2-CTC as ONNX (model.onnx, vocab.json)",
)
EXPORT: Both = (
    "请先导出为 ONNX：`optimum-cli export onnx --model DIR --task automatic-speech-recognition OUT`，"
    'SenseVoice 用 FunASR 的 `model.export(type="onnx")`',
    "Export it to ONNX first: `optimum-cli export onnx --model DIR --task automatic-speech-recognition OUT`; for "
    'SenseVoice FunASR\'s `model.export(type="onnx")`',
)
FLOAT: Both = (
    "这是动态量化的网络：CPU 可用，TensorRT 不支持；若要编译引擎，请导入 float 版本的 model.onnx",
    "This network is quantised dynamically: the CPU serves it, TensorRT cannot; to build an engine import the float "
    "model.onnx",
)
_VOSK = frozenset({"final.mdl"})
"""The file that no Kaldi model is without; what else is needed `rehearsal.check_files` says."""
_PYTORCH = (".bin", ".safetensors", ".pt", ".pth", ".ckpt")
_TOKENS = {
    "sensevoice": ("tokens.json", "tokens.txt", "*.bpe.model"),
    "zipformer": ("tokens.txt",),
    "wav2vec2": ("vocab.json", "tokens.txt"),
}
_LICENCES = ("LICENSE*", "LICENCE*", "MODEL_LICENSE*", "COPYING*", "NOTICE*", "README*")


@dataclass(frozen=True, slots=True)
class Layout:
    """A recogniser that was found in a folder."""

    record: Record
    """What it is and how it is loaded; without languages where those cannot be told."""
    files: Mapping[str, Path]
    """Its files: name in the model's folder to where it lies."""
    networks: Mapping[str, ModelSpec]
    """Spec of its network by file; empty for Vosk."""
    cmvn: Cmvn | None = None
    """What has to be written as am.mvn, where it stood in the network's metadata."""
    warnings: tuple[Both, ...] = ()
    """What whoever imports it should know."""
    licence: str = ""
    """What its README says of the licence; empty where nothing is said."""
    author: str = ""
    """What its network says of whoever made it."""
    page: str = ""
    """And of where it came from."""


def recognise(files: Mapping[str, Path], name: str, *, network: str = "") -> Layout:
    """What the `files` (names in a folder called `name`, to where they lie) are.

    `network` names the ONNX file to use; by default the one that is not quantised. Raises InvalidInput for what is no
    recogniser that is known here, ModelCorrupt or ModelMismatch for one whose files are damaged or do not fit.
    """
    licence = licence_of(files)
    if not network and _VOSK & {Path(one).name for one in files}:
        return Layout(Record("vosk", vosk_languages(name)), files, {}, licence=licence)
    file, header = _network(files, name, network)
    kind = _kind(header, file)
    tokens_file = _tokens_file(files, kind, name)
    tokens = read_tokens(files[tokens_file])
    record = Record(kind, (), Path(file).name, Path(tokens_file).name, tokens.blank)
    kept = {Path(file).name: files[file], Path(tokens_file).name: files[tokens_file]}
    kept |= {beside: _beside(files, file, beside) for beside in sorted(header.beside)}
    kept |= {Path(one).name: files[one] for pattern in _LICENCES for one in files if Path(one).match(pattern)}
    cmvn = None
    if kind == "sensevoice":
        record = replace(record, blank=_blank(header), languages=("zh", "en"))
        cmvn = _sensevoice_cmvn(files, file, header, kept)
    elif kind == "wav2vec2":
        record = hugging_face(files, record, kept)
    if not record.languages:
        record = replace(record, languages=written_in(tokens))
    spec = spec_of(kind, header, len(tokens), Path(file).name)
    if header.quantised:
        spec = replace(spec, precisions=("int8",), backends=("onnxruntime-cpu",))
    return Layout(
        record,
        kept,
        {record.network: spec},
        cmvn,
        (FLOAT,) if header.quantised else (),
        licence,
        header.metadata.get("model_author", ""),
        header.metadata.get("url", ""),
    )


def _network(files: Mapping[str, Path], name: str, wanted: str) -> tuple[str, Header]:
    """The ONNX file to use with its header. Raises InvalidInput where there is none, or more than one kind."""
    graphs = [one for one in files if one.endswith(".onnx")]
    if wanted:
        if wanted not in files:
            raise InvalidInput(f"{name}: expected the file {wanted}, got {_list(graphs)}", remedy=EXPECTED)
        return wanted, read_header(files[wanted])
    stems = " ".join(Path(one).stem.lower() for one in graphs)
    if "joiner" in stems or ("encoder" in stems and "decoder" in stems):
        raise InvalidInput(
            f"{name}: expected one CTC network, got a transducer or an encoder with a decoder: {_list(graphs)}",
            remedy=EXPECTED,
        )
    if not graphs:
        weights = [one for one in files if one.endswith(_PYTORCH)]
        raise InvalidInput(
            f"{name}: expected a Vosk folder or an ONNX file, got {_list(weights or list(files))}",
            remedy=EXPORT if weights else EXPECTED,
        )
    headers = {one: read_header(files[one]) for one in sorted(graphs, key=lambda one: (one.count("/"), one))}
    floats = [one for one, header in headers.items() if not header.quantised]
    chosen = floats or list(headers)
    if len(chosen) > 1:
        named = [one for one in chosen if Path(one).name == "model.onnx"]
        if not named:
            raise InvalidInput(
                f"{name}: expected one ONNX file, got {_list(chosen)}",
                remedy=("请直接指定要用的 .onnx 文件路径", "Give the path of the .onnx file that is to be used"),
            )
        chosen = named
    return chosen[0], headers[chosen[0]]


def _kind(header: Header, file: str) -> str:
    """Which recogniser a network is, by its inputs. Raises InvalidInput naming what it takes."""
    inputs, outputs = header.signature.inputs, header.signature.outputs
    said = ", ".join(f"{one.name} {one.dtype}{list(one.shape)}" for one in inputs)
    first = inputs[0] if inputs else TensorSpec("nothing", "no tensor", ())
    width = first.shape[-1] if first.shape else 0
    kinds = [one.dtype for one in inputs[1:]]
    if first.dtype == "float32" and len(first.shape) == 3 and width == 560 and kinds == ["int32"] * 3:
        return "sensevoice"
    ends = [one for one in outputs if one.dtype == "float32" and len(one.shape) in (0, 3)]
    if first.dtype == "float32" and ends:
        if len(first.shape) == 2 and kinds in ([], ["int64"]):
            return "wav2vec2"
        if len(first.shape) == 3 and width == 80 and kinds == ["int64"]:
            return "zipformer"
    why = "an unknown network"
    if len(inputs) > 6 or any("cache" in one.name or "state" in one.name for one in inputs):
        why = "a streaming network, which is not read here"
    elif width == 560:
        why = "another network of FunASR (Paraformer?)"
    raise InvalidInput(
        f"{file}: expected SenseVoice (560 features and three int32), wav2vec2 (a waveform) or an offline "
        f"zipformer-CTC (80 features and their number); got {why} with inputs {said[:400]}",
        remedy=EXPECTED,
    )


def _tokens_file(files: Mapping[str, Path], kind: str, name: str) -> str:
    if kind == "zipformer" and any(Path(one).name == "bbpe.model" for one in files):
        raise InvalidInput(
            f"{name}: expected tokens that are text, got those of a byte-level BPE (bbpe.model)", remedy=EXPECTED
        )
    for pattern in _TOKENS[kind]:
        found = sorted((one for one in files if Path(one).match(pattern)), key=lambda one: (one.count("/"), one))
        if found:
            return found[0]
    raise InvalidInput(
        f"{name}: expected {' or '.join(_TOKENS[kind])} beside the network, got {_list(list(files))}", remedy=EXPECTED
    )


def _beside(files: Mapping[str, Path], file: str, beside: str) -> Path:
    """Where weights lie that the network in `file` keeps in another file."""
    place = (Path(file).parent / beside).as_posix()
    if place not in files or "/" in beside:
        raise ModelCorrupt(
            f"{file}: expected its weights in {beside}, found none",
            remedy=("请把该文件放在网络旁边", "Bring that file beside the network"),
        )
    return files[place]


def _blank(header: Header) -> int:
    given = header.metadata.get("blank_id", "0")
    if not (given.isascii() and given.isdigit() and len(given) < 7):
        raise ModelCorrupt(f"metadata: expected blank_id to be a class, got {given[:20]!r}")
    return int(given)


def _sensevoice_cmvn(files: Mapping[str, Path], file: str, header: Header, kept: dict[str, Path]) -> Cmvn | None:
    """The normalisation from the metadata, or None where am.mvn is there and sound."""
    if header.metadata.get("normalize_samples", "0") != "0":
        raise ModelMismatch(f"{file}: expected a network for samples as large as 16 bit, got normalize_samples")
    if "neg_mean" in header.metadata:
        return metadata_cmvn(header.metadata, Path(file).name)
    mvn = next((one for one in files if Path(one).name == "am.mvn"), "")
    if not mvn:
        raise InvalidInput(
            f"{file}: expected am.mvn beside it, or neg_mean in its metadata, got neither",
            remedy=EXPECTED,
        )
    read_cmvn(files[mvn])
    kept["am.mvn"] = files[mvn]
    return None


def _list(names: list[str]) -> str:
    shown = ", ".join(sorted(names)[:8]) or "no file"
    return shown + (f" and {len(names) - 8} more" if len(names) > 8 else "")
