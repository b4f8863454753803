"""An installed recogniser's folder as a recogniser, whatever kind it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from appliance.artifacts.manifest import Manifest
from appliance.errors import ModelMismatch, Unavailable
from appliance.inference.backend import Run
from appliance.listener import Listener, silent
from appliance.specs import ModelSpec
from appliance.speech.asr import Streaming
from appliance.speech.ctc.cmvn import read_cmvn
from appliance.speech.ctc.plain import Wav2Vec2, Zipformer
from appliance.speech.ctc.recognise import BEAM, BOOST, CtcRecogniser, Emit
from appliance.speech.ctc.record import Record, read_record
from appliance.speech.ctc.sensevoice import SenseVoice
from appliance.speech.ctc.tokens import Tokens, read_tokens
from appliance.speech.vosk import VoskRecogniser

RunOf = Callable[[str], Run | None]
"""A network's file to what runs it; None when no backend does."""


def recogniser(
    folder: Path,
    manifest: Manifest,
    run_of: RunOf,
    *,
    language: str = "",
    phrases: Sequence[str] = (),
    boost: float = BOOST,
    beam: int = BEAM,
    norm: str = "woitn",
    listener: Listener = silent,
) -> Streaming:
    """The recogniser in `folder`, all of whose files are verified, that hears `language`.

    By default its first, and then SenseVoice finds out by itself which of its languages is spoken.

    `phrases` (names, products) are likelier to be heard by `boost` in natural logarithms for each token, in a beam of
    `beam` prefixes; without phrases the best path is taken. Those that its tokens cannot spell are told to `listener`
    (see `CtcRecogniser`). A Vosk one comes loaded, which takes seconds. Several languages of one network: call once for
    each, with a `run_of` that gives the same run. `norm` is SenseVoice's way to write. Raises ModelMissing,
    ModelCorrupt or ModelMismatch for the files, Unavailable when nothing runs its network.
    """
    record = read_record(folder)
    spoken = language or record.languages[0]
    if spoken not in record.languages:
        raise Unavailable(
            f"{manifest.name}: expected one of its languages {', '.join(record.languages)}, got {spoken!r}",
            remedy=("请导入该语言的识别器", "Import a recogniser of that language"),
        )
    if record.kind == "vosk":
        # The store has hashed every file since it was rehearsed: see `install`.
        vosk = VoskRecogniser(folder, language=spoken, name=manifest.name, rehearsed=True)
        vosk.load()
        return vosk
    tokens = replace(read_tokens(folder / record.tokens), blank=record.blank)
    if not 0 <= record.blank < len(tokens):
        raise ModelMismatch(f"{manifest.name}: expected a blank below {len(tokens)}, got {record.blank}")
    spec = manifest.network(record.network)
    run = run_of(record.network)
    if run is None:
        raise Unavailable(f"{manifest.name}: expected a backend that runs {record.network}, found none", retry_after=60)
    # Of several languages SenseVoice finds out by itself which is spoken, unless it is told.
    told = spoken if language or len(record.languages) == 1 else "auto"
    emit = _front(record, folder, spec, run, tokens, told, norm)
    return CtcRecogniser(
        emit,
        tokens,
        name=f"{record.kind}:{manifest.name}",
        language=spoken,
        phrases=phrases,
        boost=boost,
        beam=beam,
        listener=listener,
    )


def _front(record: Record, folder: Path, spec: ModelSpec, run: Run, tokens: Tokens, language: str, norm: str) -> Emit:
    """The front end of its kind with the network."""
    inputs, outputs = [one.name for one in spec.inputs], [one.name for one in spec.outputs]
    if record.kind == "sensevoice":
        cmvn = read_cmvn(folder / "am.mvn")
        return SenseVoice(run, tokens, cmvn, language=language, norm=norm, inputs=inputs, outputs=outputs)
    if record.kind == "wav2vec2":
        return Wav2Vec2(run, tokens, normalise=record.normalise, inputs=inputs, output=outputs[0], stride=record.stride)
    return Zipformer(run, tokens, inputs=inputs, outputs=outputs)
