"""The recognisers end to end: a melody through the real front ends and ONNX Runtime into words with times."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tone_networks
from tone_networks import RATE, melody

from appliance.errors import DeadlineExceeded, InvalidInput, ModelMismatch, SettingInvalid, Unavailable
from appliance.inference.backend import Run
from appliance.inference.header import read_header
from appliance.inference.onnxruntime import OnnxRuntimeBackend
from appliance.speech.ctc import plain, sensevoice
from appliance.speech.ctc.cmvn import read_cmvn
from appliance.speech.ctc.recognise import CtcRecogniser, Emission, biased, pieces
from appliance.speech.ctc.search import Search, log_softmax
from appliance.speech.ctc.shapes import spec_of
from appliance.speech.ctc.tokens import Tokens, read_tokens
from appliance.values import Audio, Segment, Transcript

TUNE = melody((0, 0.3), (1, 0.24), (1, 0.3), (4, 0.36))
"""你 好 好 吗, with 0.2 s of silence before, between and after."""


def audio(samples: np.ndarray = TUNE) -> Audio:
    return Audio(samples, RATE)


def whole(sound: Audio) -> tuple[Segment, ...]:
    return (Segment(0.0, sound.seconds),)


def ear_of(kind: str, emit: Any, *, name: str, language: str = "zh", **more: Any) -> CtcRecogniser:
    return CtcRecogniser(emit, emit.tokens, name=f"{kind}:{name}", language=language, **more)


@pytest.fixture(scope="module")
def stack() -> Iterator[ExitStack]:
    with ExitStack() as held:
        yield held


def run_of(stack: ExitStack, kind: str, path: Path, classes: int) -> Run:
    backend = stack.enter_context(
        OnnxRuntimeBackend(spec_of(kind, read_header(path), classes, path.name), path, threads=1)
    )
    return lambda inputs, /, *, deadline=None: backend.infer(inputs)


@pytest.fixture(scope="module")
def sense(stack: ExitStack, tmp_path_factory: pytest.TempPathFactory) -> sensevoice.SenseVoice:
    folder = tone_networks.sensevoice_folder(tmp_path_factory.mktemp("sense"))
    run = run_of(stack, "sensevoice", folder / "model.onnx", tone_networks.WIDTH)
    return sensevoice.SenseVoice(run, read_tokens(folder / "tokens.json"), read_cmvn(folder / "am.mvn"))


def told(sense: sensevoice.SenseVoice, **changes: Any) -> sensevoice.SenseVoice:
    return sensevoice.SenseVoice(sense.run, sense.tokens, sense.cmvn, **changes)


def close_to(heard: Transcript, times: list[tuple[float, float]], within: float) -> None:
    np.testing.assert_allclose([(word.start, word.end) for word in heard.words], times, atol=within)


def test_sensevoice(sense: sensevoice.SenseVoice) -> None:
    heard = ear_of("sensevoice", sense, name="tones").transcribe(audio(), whole(audio()))
    assert heard.text == "你好好吗"
    assert [word.text for word in heard.words] == ["你", "好", "好", "吗"]
    close_to(heard, [(0.2, 0.5), (0.7, 0.94), (1.14, 1.44), (1.64, 2.0)], 0.09)
    assert all(word.confidence > 0.5 for word in heard.words)
    assert (heard.language, heard.engine, heard.seconds) == ("zh", "sensevoice:tones", audio().seconds)


def test_times_count_from_the_beginning_of_the_recording(sense: sensevoice.SenseVoice) -> None:
    sound = audio(np.concatenate([melody((2, 0.3)), TUNE, np.zeros(RATE, np.float32)]))
    shift = 0.7
    heard = ear_of("sensevoice", sense, name="x").transcribe(
        sound, (Segment(shift + 0.1, shift + 1.05), Segment(shift + 1.05, shift + 2.15))
    )
    assert heard.text == "你好好吗"
    close_to(heard, [(0.9, 1.2), (1.4, 1.64), (1.84, 2.14), (2.34, 2.7)], 0.1)


def test_the_last_word_is_not_lost(sense: sensevoice.SenseVoice) -> None:
    sound = audio(TUNE[: round(1.9 * RATE)])
    heard = ear_of("sensevoice", sense, name="x").transcribe(sound, whole(sound))
    assert heard.text == "你好好吗"
    assert heard.words[-1].end <= sound.seconds


def test_tags_are_told_and_say_the_language(sense: sensevoice.SenseVoice) -> None:
    events: list[tuple[str, dict[str, object]]] = []

    def listen(name: str, /, **fields: object) -> None:
        events.append((name, fields))

    for language, expected in (("auto", "zh"), ("en", "en"), ("yue", "zh")):
        ear = ear_of("sensevoice", told(sense, language=language), name="x", language="en", listener=listen)
        assert ear.transcribe(audio(), whole(audio())).language == expected
    fields = {"engine": "sensevoice:x", "language": "en", "emotion": "NEUTRAL", "sound": "Speech"}
    assert events[1] == ("asr_tags", fields)
    assert told(sense, norm="withitn")(TUNE).tags.norm == "withitn"
    assert told(sense)(TUNE).tags.norm == "woitn"


def test_who_does_not_speak_says_nothing(sense: sensevoice.SenseVoice) -> None:
    heard = ear_of("sensevoice", told(sense, language="nospeech"), name="x").transcribe(audio(), whole(audio()))
    assert (heard.text, heard.words, heard.confidence, heard.language) == ("", (), 0.0, "zh")


def test_sherpas_names(stack: ExitStack, sense: sensevoice.SenseVoice, tmp_path: Path) -> None:
    path = tone_networks.sensevoice(tmp_path / "s.onnx", sherpa=True)
    run = run_of(stack, "sensevoice", path, tone_networks.WIDTH)
    front = sensevoice.SenseVoice(
        run, sense.tokens, sense.cmvn, inputs=("x", "x_length", "language", "text_norm"), outputs=("logits",)
    )
    np.testing.assert_array_equal(front(TUNE).logprobs, sense(TUNE).logprobs)


def test_names_that_sensevoice_does_not_know(sense: sensevoice.SenseVoice) -> None:
    with pytest.raises(SettingInvalid, match="expected a language of auto, zh"):
        told(sense, language="fr")
    with pytest.raises(SettingInvalid, match="expected a norm of withitn"):
        told(sense, norm="x")
    with pytest.raises(ModelMismatch, match="expected inputs"):
        told(sense, inputs=("speech",))


@pytest.mark.parametrize("mask", [False, True])
def test_wav2vec2(stack: ExitStack, tmp_path: Path, mask: bool) -> None:
    folder = tone_networks.wav2vec2_folder(tmp_path, mask=mask)
    tokens = read_tokens(folder / "vocab.json")
    assert tokens.blank == 5
    run = run_of(stack, "wav2vec2", folder / "model.onnx", len(tokens))
    inputs = ("input_values", "attention_mask") if mask else ("input_values",)
    ear = ear_of("wav2vec2", plain.Wav2Vec2(run, tokens, inputs=inputs), name="w", language="en")
    heard = ear.transcribe(audio(melody((1, 0.2), (2, 0.2), (0, 0.2), (1, 0.2), (4, 0.2), gap=0.1)), whole(audio()))
    # H I | H E
    assert (heard.text, heard.engine, heard.language) == ("HI HE", "wav2vec2:w", "en")
    close_to(heard, [(0.1, 0.6), (1.0, 1.5)], 0.03)


def test_zipformer(stack: ExitStack, tmp_path: Path) -> None:
    folder = tone_networks.zipformer_folder(tmp_path)
    tokens = read_tokens(folder / "tokens.txt")
    run = run_of(stack, "zipformer", folder / "model.onnx", len(tokens))
    heard = ear_of("zipformer", plain.Zipformer(run, tokens), name="z", language="en").transcribe(
        audio(), whole(audio())
    )
    # pitches 0 1 1 4: ▁TURN ▁ON ▁ON S
    assert (heard.text, heard.engine) == ("TURN ON ONS", "zipformer:z")
    close_to(heard, [(0.2, 0.5), (0.7, 0.94), (1.14, 2.0)], 0.06)


def test_phrases(sense: sensevoice.SenseVoice) -> None:
    # A network that cannot tell 好 from 吗 but for a hair.
    close = np.full((9, len(sense.tokens)), -9.0, np.float32)
    close[:, 0] = 1
    close[1, 3] = close[4, 4] = 4.0
    close[4, 7] = 3.7

    def emit(samples: np.ndarray, /, *, deadline: float | None = None) -> Emission:
        return Emission(log_softmax(close), 0.06)

    def text(*phrases: str) -> str:
        search, unspelt = biased(sense.tokens, phrases)
        assert not unspelt
        ear = CtcRecogniser(emit, sense.tokens, name="x", language="zh", search=search)
        return ear.transcribe(audio(), whole(audio())).text

    # The same for one utterance that is gathered and recognised at its end.
    told: list[tuple[object, object]] = []

    def listen(event: str, /, **fields: object) -> None:
        told.append((event, fields["unknown"]))

    ear = CtcRecogniser(emit, sense.tokens, name="x", language="zh", listener=listen)
    for _ in range(2):
        stream = ear.stream(phrases=["你吗", "再见"])
        assert stream.feed(TUNE) == ""
        assert stream.finish().text == "你吗"
    assert told == [("asr_phrases", ("再见",))], "the second utterance takes what was made for the first"
    assert ear.transcribe(audio(), whole(audio())).text == "你好"
    ear.close()
    with pytest.raises(Unavailable):
        ear.stream()

    assert text() == "你好"
    assert text("你吗") == "你吗"
    assert text("好吗") == "你好"
    assert biased(sense.tokens, ["你好", "再见", " "])[1] == ("再见",)


class Counting:
    """An `Emit` that hears nothing, and keeps how long what it was given was."""

    def __init__(self, classes: int = 3, seconds: float = 0.0) -> None:
        self.lengths: list[int] = []
        self.classes, self.seconds = classes, seconds

    def __call__(self, samples: np.ndarray, /, *, deadline: float | None = None) -> Emission:
        self.lengths.append(len(samples))
        time.sleep(self.seconds)
        return Emission(log_softmax(np.eye(self.classes, dtype=np.float32)), 0.02)


ABC = Tokens(("_", "a", "b"), 0)


def test_long_segments_are_cut_where_it_is_quiet() -> None:
    sound = np.random.default_rng(5).uniform(-0.1, 0.1, 70 * RATE).astype(np.float32)
    for second in (27.55, 54.25):
        sound[round((second - 0.1) * RATE) : round((second + 0.1) * RATE)] = 0
    cut = list(pieces(Audio(sound, RATE), (Segment(1.0, 70.0),)))
    np.testing.assert_allclose([piece.start for piece in cut], [1.0, 27.55, 54.25], atol=0.1)
    assert [piece.end for piece in cut] == [*[piece.start for piece in cut[1:]], 70.0]
    assert list(pieces(Audio(sound, RATE), (Segment(69.0, 75.0), Segment(80.0, 81.0)))) == [Segment(69.0, 70.0)]


def test_the_deadline_is_kept() -> None:
    ear = CtcRecogniser(Counting(seconds=0.05), ABC, name="x", language="zh")
    sound = audio()
    with pytest.raises(DeadlineExceeded, match=r"got 1\.0 s in"):
        ear.transcribe(sound, (Segment(0, 1), Segment(1, 2)), deadline=time.monotonic() + 0.02)
    emit = Counting()
    with pytest.raises(DeadlineExceeded):
        CtcRecogniser(emit, ABC, name="x", language="zh").transcribe(sound, whole(sound), deadline=time.monotonic() - 1)
    assert emit.lengths == []


def test_every_segment_has_a_tail() -> None:
    emit = Counting()
    CtcRecogniser(emit, ABC, name="x", language="zh").transcribe(audio(), (Segment(0, 1), Segment(1.5, 1.6)))
    assert emit.lengths == [RATE + 4800, 1600 + 4800]


def test_what_is_refused() -> None:
    ear = CtcRecogniser(Counting(), ABC, name="x", language="zh")
    with pytest.raises(InvalidInput, match="expected 16000 samples"):
        ear.transcribe(Audio(TUNE, 8000), (Segment(0, 1),))
    other = CtcRecogniser(Counting(classes=4), ABC, name="x", language="zh")
    with pytest.raises(ModelMismatch, match="expected 3 classes"):
        other.transcribe(audio(), whole(audio()))
    ear.close()
    ear.close()
    with pytest.raises(Unavailable, match="closed"):
        ear.transcribe(audio(), whole(audio()))


def test_several_at_once(sense: sensevoice.SenseVoice) -> None:
    ear = ear_of("sensevoice", sense, name="x", search=Search(beam=4))
    heard: list[str] = []
    threads = [
        threading.Thread(target=lambda: heard.append(ear.transcribe(audio(), whole(audio())).text)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heard == ["你好好吗"] * 4
